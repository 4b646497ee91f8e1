import { hash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { coreSection } from "../config/section.ts";
import { OAuthError, type Reason } from "../errors/index.ts";
import {
  answerPage,
  type ConsentModel,
  consentPage,
  errorModel,
  errorPage,
  logoutPage,
  lookOf,
  rememberedPage,
  signedOutPage,
  textsFor,
} from "./index.ts";

const texts = textsFor(new Request("http://localhost/"));
const brandings = coreSection.shape.branding;
const dress = { texts, look: lookOf(brandings.parse(undefined)) };

const model: ConsentModel = {
  clientName: "Claude Code",
  clientOrigin: "dynamic",
  documentHost: "",
  newClient: false,
  redirectHost: "claude.ai",
  loopback: false,
  customScheme: false,
  resourceName: "Notes",
  resourceUrl: "https://mcp.example.com/notes/mcp",
  scopes: [
    { name: "mcp/read", description: "Read notes", comesWith: ["mcp/admin"] },
    { name: "mcp/admin", description: "mcp/admin", comesWith: [] },
  ],
  boxes: true,
  nothingTicked: false,
  signedInAs: undefined,
  remembered: undefined,
  request: "kid.sealed",
  action: "https://mcp.example.com/consent",
};

const consent = (changes: Partial<ConsentModel> = {}) => consentPage({ ...model, ...changes }, dress);

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
    expect(visible(consent({ scopes: [], boxes: false }))).toContain(texts.consent.noScopes);
  });

  test("an app known for less than a day is warned about", () => {
    expect(visible(consent())).not.toContain(texts.consent.warning.newClient);
    const text = visible(consent({ newClient: true, loopback: true }));
    for (const warning of [texts.consent.warning.newClient, texts.consent.warning.loopback]) {
      expect(text).toContain(warning);
    }
  });

  test("an app with a metadata document is identified by its host", () => {
    const text = visible(consent({ clientOrigin: "document", documentHost: "apps.example" }));
    expect(text).toContain("identified by its address at apps.example : whoever");
    expect(text).not.toContain(texts.consent.unverified);
  });

  test("every scope has a ticked box, and what comes with another says so", () => {
    const page = consent();
    const boxes = [...page.matchAll(/<input type="checkbox" name="(scope\.\d)" value="1" checked>/g)];
    expect(boxes.map(([, name]) => name)).toEqual(["scope.0", "scope.1"]);
    expect(visible(page)).toContain("Read notes mcp/read Comes with “mcp/admin”.");
    // A form without a box is told apart from one whose boxes are all cleared.
    expect(page).toContain('value="approve" formaction="https://mcp.example.com/consent?boxes=1"');
  });

  test("without boxes the scopes are listed, and the button posts where the form does", () => {
    const page = consent({ boxes: false });
    expect(page).not.toContain('name="scope.');
    expect(page).not.toContain("formaction");
    expect(visible(page)).toContain("Read notes mcp/read");
  });

  test("once more, because nothing was ticked: an alert that the boxes are described by, and none is ticked", () => {
    const page = consent({ nothingTicked: true });
    expect(page).toContain('<fieldset aria-describedby="problem">');
    expect(page).toMatch(/<p class="warning" role="alert" id="problem">Nothing is ticked/);
    expect(page).not.toContain('value="1" checked');
    expect(consent()).not.toContain("problem");
  });

  test.each([
    [30 * 86_400_000, "30 days"],
    [2 * 86_400_000, "2 days"],
    [86_400_000, "24 hours"],
    [60_000, "1 hour"],
  ])("an approval that is remembered for %d ms: it says %s, and where to see it", (remembered, told) => {
    const page = consent({ remembered });
    expect(visible(page)).toContain(`again for ${told}.`);
    expect(page).toContain('<a href="https://mcp.example.com/consent">');
    expect(consent()).not.toContain("<a ");
  });

  test("another user than the remembered one is told who they are", () => {
    const text = visible(consent({ signedInAs: "bob@example.com" }));
    expect(text).toContain("You are signed in as bob@example.com .");
    expect(visible(consent())).not.toContain("You are signed in as");
  });
});

describe("attacks §1: HTML in names, scopes and addresses stays text", () => {
  const evil = `"><script>alert(1)</script><img src=x onerror='x'>&amp;{resource}</style>`;
  const fields = [
    "clientName",
    "redirectHost",
    "resourceName",
    "resourceUrl",
    "request",
    "action",
    "signedInAs",
    "documentHost",
  ] as const;

  test.each([...fields, "scope name", "scope description"])("%s", (field) => {
    const changes: Partial<ConsentModel> =
      field === "scope name"
        ? { scopes: [{ name: evil, description: "x", comesWith: [] }] }
        : field === "scope description"
          ? { scopes: [{ name: "x", description: evil, comesWith: [evil] }] }
          : { [field]: evil };
    const page = consent({ ...changes, clientOrigin: field === "documentHost" ? "document" : "dynamic" });
    expect(page).not.toMatch(/<script|<img|onerror='/);
    expect(page).toContain("&lt;script&gt;alert(1)");
    expect(page).toContain("&amp;amp;{resource}");
    expect(page.match(/<form/g)).toHaveLength(1);
  });

  test.each(["title", "whatHappened", "whatToDo", "details", "reference"] as const)("error page: %s", (field) => {
    const plain = errorModel(new OAuthError("invalid_request", "malformed_request", "x"), "r", texts);
    const page = errorPage({ ...plain, [field]: evil, hints: [{ client: evil, how: evil }] }, dress);
    expect(page).not.toMatch(/<script|<img|onerror='/);
    expect(page).toContain("&lt;script&gt;alert(1)");
  });
});

const rememberedModel: Parameters<typeof rememberedPage>[0] = {
  approvals: [
    {
      id: "a1",
      clientName: "Claude",
      redirectHost: "claude.ai",
      resourceName: "Notes",
      scopes: ["Read notes"],
      until: Date.UTC(2027, 0, 31),
    },
  ],
  remembered: "kid.sealed",
  action: "https://mcp.example.com/consent",
  logout: "https://mcp.example.com/logout",
};

describe("the list of remembered approvals", () => {
  test("one form, a button for each approval and one for all", () => {
    const page = rememberedPage(rememberedModel, dress);
    for (const part of ["Claude", "claude.ai", "Notes", "Read notes", "January 31, 2027"]) {
      expect(visible(page)).toContain(part);
    }
    expect(page.match(/<form/g)).toHaveLength(1);
    expect(page).toContain('<input type="hidden" name="remembered" value="kid.sealed">');
    const buttons = [...page.matchAll(/<button type="submit" name="forget" value="(\w+)"/g)];
    expect(buttons.map(([, value]) => value)).toEqual(["a1", "all"]);
    expect(page).toContain('aria-label="Forget the approval for Claude"');
  });

  test("an empty one says so and has no form", () => {
    const page = rememberedPage({ ...rememberedModel, approvals: [] }, dress);
    expect(visible(page)).toContain(texts.remembered.nothing);
    expect(page).not.toContain("<form");
  });

  test("names and hosts stay text", () => {
    const evil = `"><img src=x>{client}`;
    const approval = { id: evil, clientName: evil, redirectHost: evil, resourceName: evil, scopes: [evil], until: 0 };
    const page = rememberedPage({ ...rememberedModel, approvals: [approval], remembered: evil }, dress);
    expect(page).not.toContain("<img");
    expect(page.match(/&quot;&gt;&lt;img src=x&gt;/g)?.length).toBeGreaterThanOrEqual(7);
  });
});

describe("branding", () => {
  const branded = (branding: Parameters<typeof brandings.parse>[0]) => {
    const look = lookOf(brandings.parse(branding));
    const page = signedOutPage({ texts, look });
    return { page, policy: answerPage(look, 200, page).headers.get("content-security-policy") ?? "" };
  };

  test("the name stands on the page and in its title, as text", () => {
    const { page } = branded({ name: "Acme <b>" });
    expect(page).toContain("· Acme &lt;b&gt;</title>");
    expect(page).toContain("<span>Acme &lt;b&gt;</span>");
    expect(page).not.toContain("Sallyport");
  });

  test.each([
    ["https://cdn.example/a/logo.png", "https://cdn.example/a/logo.png"],
    ["https://cdn.example:8443/logo.png?v=2#x", "https://cdn.example:8443/logo.png"],
    ["https://cdn.example/a,b.png", "https://cdn.example/a%2Cb.png"],
    ["data:image/png;base64,AAAA", "data:"],
  ])("logo %s: the policy allows images from %s", (logo, source) => {
    const { page, policy } = branded({ logo });
    expect(policy).toContain(` img-src ${source}; base-uri`);
    expect(page).toContain(`<p class="brand"><img src="${logo.replaceAll("&", "&amp;")}" alt="">`);
    expect(page).not.toContain("<svg");
  });

  test("without a logo there is our mark, and no image at all", () => {
    const { page, policy } = branded({});
    expect(page).toContain("<svg");
    expect(policy).not.toContain("img-src");
  });

  test("terms and privacy open beside the page; without them there is no list", () => {
    const { page } = branded({
      termsUrl: "https://acme.example/terms?a&b",
      privacyUrl: "https://acme.example/privacy",
    });
    const links = [...page.matchAll(/<a href="([^"]+)" target="_blank" rel="noopener noreferrer">/g)];
    expect(links.map(([, href]) => href)).toEqual([
      "https://acme.example/terms?a&amp;b",
      "https://acme.example/privacy",
    ]);
    expect(branded({ privacyUrl: "https://acme.example/privacy" }).page.match(/<a /g)).toHaveLength(1);
    expect(branded({}).page).not.toContain('class="links"');
  });

  test("another accent is another style, and the policy allows that one", () => {
    const [own, other] = [branded({}), branded({ accentColor: "#B00020" })];
    expect(other.page).toContain("--accent:#b00020");
    expect(other.policy).not.toBe(own.policy);
    const hashed = (page: string) => hash("sha256", /<style>([^<]*)<\/style>/.exec(page)?.[1] ?? "", "base64");
    for (const { page, policy } of [own, other]) expect(policy).toContain(`style-src 'sha256-${hashed(page)}'`);
  });
});

describe("every page", () => {
  const unknown = errorModel(new OAuthError("invalid_client", "client_unknown", "x", { status: 400 }), "r-1", texts);
  test.each([
    ["consent", consent({ loopback: true })],
    ["consent, every part of it", consent({ newClient: true, remembered: 1, signedInAs: "bob", nothingTicked: true })],
    ["error", errorPage(unknown, dress)],
    ["remembered approvals", rememberedPage(rememberedModel, dress)],
    ["sign out", logoutPage("https://mcp.example.com/logout", dress)],
    ["signed out", signedOutPage(dress)],
  ])(
    "%s: no script, nothing external, one style that the CSP allows, and what assistive technology needs",
    (_name, page) => {
      expect(page).not.toMatch(/<script|<link|<img|<iframe|@import|url\(| style="|\bon\w+="/);
      expect(page.match(/<style>/g)).toHaveLength(1);
      expect(answerPage(dress.look, 200, page).headers.get("Content-Security-Policy")).toMatch(
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
    ["consent_cookie_missing", 403, "noCookie"],
    ["transaction_cookie_missing", 403, "noCookie"],
    ["logout_target_not_allowed", 400, "wrongSignOut"],
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
    const text = visible(errorPage(errorModel(error, "ref-1", texts), dress));
    const { title, whatHappened, whatToDo } = texts.error.kinds[kind];
    for (const part of [title, whatHappened, whatToDo, "ref-1", "our own words"]) expect(text).toContain(part);
  });

  test("an unknown client's page says how to clear the registration, for each client that keeps one", () => {
    const error = new OAuthError("invalid_client", "client_unknown", "x", { status: 400 });
    const text = visible(errorPage(errorModel(error, "r", texts), dress));
    for (const client of ["Claude Code", "Cursor", "VS Code", "mcp-remote"]) expect(text).toContain(client);
    const other = new OAuthError("invalid_request", "malformed_request", "x");
    expect(visible(errorPage(errorModel(other, "r", texts), dress))).not.toContain("mcp-remote");
  });

  test("the inner reason and the cause never reach the browser", () => {
    const cause = new Error("upstream said: secret");
    const error = new OAuthError("server_error", "provider_response_invalid", "our own words", { cause });
    const page = errorPage(errorModel(error, "r", texts), dress);
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
