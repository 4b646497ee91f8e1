import { describe, expect, test } from "vitest";
import { OAuthError, type Reason } from "../errors/index.ts";
import { htmlAnswer } from "../http/index.ts";
import { type ConsentModel, consentPage, errorModel, errorPage, textsFor } from "./index.ts";

const texts = textsFor(new Request("http://localhost/"));

const model: ConsentModel = {
  clientName: "Claude Code",
  clientOrigin: "dynamic",
  redirectHost: "claude.ai",
  loopback: false,
  customScheme: false,
  resourceName: "Notes",
  resourceUrl: "https://mcp.example.com/notes/mcp",
  scopes: [
    { name: "mcp/read", description: "Read notes" },
    { name: "mcp/admin", description: "mcp/admin" },
  ],
  request: "kid.sealed",
  action: "https://mcp.example.com/consent",
};

const consent = (changes: Partial<ConsentModel> = {}) => consentPage({ ...model, ...changes }, texts);

/** Text of a page as a reader sees it, without markup and style. */
const visible = (page: string) =>
  page
    .replace(/<(style|title)>[^<]*<\/\1>/g, "")
    .replace(/<[^>]+>/g, " ")
    .replace(/\s+/g, " ")
    .replaceAll("&#39;", "'");

describe("the consent page", () => {
  test("says who asks, for what, and where the answer goes (MCP: display the redirect host)", () => {
    const text = visible(consent());
    for (const part of [
      "Claude Code",
      "Notes",
      "claude.ai",
      "https://mcp.example.com/notes/mcp",
      "Read notes",
      "mcp/admin",
    ]) {
      expect(text).toContain(part);
    }
    expect(consent()).toContain("<strong>claude.ai</strong>");
  });

  test("has one form with what the endpoint reads: the sealed request, two decisions, another account", () => {
    const page = consent();
    expect(page.match(/<form/g)).toHaveLength(1);
    expect(page).toContain('<form method="post" action="https://mcp.example.com/consent">');
    expect(page).toContain('<input type="hidden" name="request" value="kid.sealed"');
    expect(page).toContain('<input type="checkbox" name="another_account" value="1"');
    expect([...page.matchAll(/<button type="submit" name="decision" value="(\w+)"/g)].map((m) => m[1])).toEqual([
      "deny",
      "approve",
    ]);
  });

  test("the Enter key denies: the first button of the form is the one it presses", () => {
    const page = consent();
    expect(page.indexOf('value="deny"')).toBeLessThan(page.indexOf('value="approve"'));
  });

  test("a name that the client chose itself is marked, a configured one is not", () => {
    expect(visible(consent())).toContain(texts.consent.unverified);
    expect(visible(consent({ clientOrigin: "registered" }))).not.toContain(texts.consent.unverified);
  });

  test("loopback and custom schemes are warned about, https is not", () => {
    const { warning } = texts.consent;
    const warnings = (page: string) => Object.values(warning).filter((text) => visible(page).includes(text));
    expect(warnings(consent())).toEqual([]);
    expect(warnings(consent({ loopback: true, redirectHost: "localhost:4000" }))).toEqual([warning.loopback]);
    expect(warnings(consent({ customScheme: true, redirectHost: "cursor:" }))).toEqual([warning.customScheme]);
  });

  test("without scopes it says so", () => {
    expect(visible(consent({ scopes: [] }))).toContain(texts.consent.noScopes);
  });
});

describe("attacks §1: HTML in names, scopes and addresses stays text", () => {
  const evil = `"><script>alert(1)</script><img src=x onerror='x'>&amp;{resource}</style>`;
  const fields = ["clientName", "redirectHost", "resourceName", "resourceUrl", "request", "action"] as const;

  test.each([...fields, "scope name", "scope description"])("%s", (field) => {
    const changes: Partial<ConsentModel> =
      field === "scope name"
        ? { scopes: [{ name: evil, description: "x" }] }
        : field === "scope description"
          ? { scopes: [{ name: "x", description: evil }] }
          : { [field]: evil };
    const page = consent(changes);
    expect(page).not.toMatch(/<script|<img|onerror='/);
    expect(page).toContain("&lt;script&gt;alert(1)");
    expect(page).toContain("&amp;amp;{resource}");
    expect(page.match(/<form/g)).toHaveLength(1);
  });

  test.each(["title", "whatHappened", "whatToDo", "details", "reference"] as const)("error page: %s", (field) => {
    const plain = errorModel(new OAuthError("invalid_request", "malformed_request", "x"), "r", texts);
    const page = errorPage({ ...plain, [field]: evil, hints: [{ client: evil, how: evil }] }, texts);
    expect(page).not.toMatch(/<script|<img|onerror='/);
    expect(page).toContain("&lt;script&gt;alert(1)");
  });
});

describe("every page", () => {
  const unknown = errorModel(new OAuthError("invalid_client", "client_unknown", "x", { status: 400 }), "r-1", texts);
  test.each([
    ["consent", consent({ loopback: true })],
    ["error", errorPage(unknown, texts)],
  ])(
    "%s: no script, nothing external, one style that the CSP allows, and what assistive technology needs",
    (_name, page) => {
      expect(page).not.toMatch(/<script|<link|<img|<iframe|@import|url\(| style="|\bon\w+="/);
      expect(page.match(/<style>/g)).toHaveLength(1);
      expect(htmlAnswer(200, page).headers.get("Content-Security-Policy")).toMatch(
        /style-src 'sha256-[A-Za-z0-9+/]{43}='/,
      );
      expect(page).toMatch(/^<!doctype html>\n<html lang="en">/);
      expect(page).toContain('name="viewport"');
      for (const tag of ["main", "h1", "title"]) expect(page.match(new RegExp(`<${tag}>`, "g"))).toHaveLength(1);
      for (const svg of page.match(/<svg[^>]*>/g) ?? []) expect(svg).toContain('aria-hidden="true"');
      for (const [input] of page.matchAll(/<input type="checkbox"[^>]*>/g))
        expect(page).toMatch(new RegExp(`<label[^>]*>${input}`));
    },
  );
});

describe("the error page", () => {
  test.each<[Reason, number, keyof typeof texts.error.kinds]>([
    ["client_unknown", 400, "unknownClient"],
    ["consent_wrong_browser", 403, "otherBrowser"],
    ["transaction_cookie_missing", 403, "otherBrowser"],
    ["transaction_cookie_mismatch", 403, "otherBrowser"],
    ["consent_form_expired", 400, "over"],
    ["consent_form_used", 400, "over"],
    ["transaction_unknown", 400, "over"],
    ["cross_site_post", 403, "untrustedForm"],
    ["consent_form_invalid", 400, "untrustedForm"],
    ["redirect_uri_not_registered", 400, "wrongRedirect"],
    ["rate_limited", 429, "tooMany"],
    ["store_unavailable", 503, "unavailable"],
    ["internal_error", 500, "internal"],
    ["malformed_request", 400, "badRequest"],
  ])("%s tells what happened and what to do", (reason, status, kind) => {
    const error = new OAuthError("invalid_request", reason, "our own words", { status });
    const text = visible(errorPage(errorModel(error, "ref-1", texts), texts));
    const { title, whatHappened, whatToDo } = texts.error.kinds[kind];
    for (const part of [title, whatHappened, whatToDo, "ref-1", "our own words"]) expect(text).toContain(part);
  });

  test("an unknown client's page says how to clear the registration, for each client that keeps one", () => {
    const error = new OAuthError("invalid_client", "client_unknown", "x", { status: 400 });
    const text = visible(errorPage(errorModel(error, "r", texts), texts));
    for (const client of ["Claude Code", "Cursor", "VS Code", "mcp-remote"]) expect(text).toContain(client);
    const other = new OAuthError("invalid_request", "malformed_request", "x");
    expect(visible(errorPage(errorModel(other, "r", texts), texts))).not.toContain("mcp-remote");
  });

  test("the inner reason and the cause never reach the browser", () => {
    const cause = new Error("upstream said: secret");
    const error = new OAuthError("server_error", "provider_response_invalid", "our own words", { cause });
    const page = errorPage(errorModel(error, "r", texts), texts);
    expect(page).not.toContain("provider_response_invalid");
    expect(page).not.toContain("upstream said");
  });
});

test.each(["de, en;q=0.5", "en-GB", "*", "xx;q=abc", "en;q=0", ";;,,", "x".repeat(600)])(
  "Accept-Language %j",
  (wanted) => {
    expect(textsFor(new Request("http://localhost/", { headers: { "Accept-Language": wanted } })).lang).toBe("en");
  },
);
