import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { OAuthError } from "../errors/index.ts";
import { type CorsPolicy, checkSameOrigin, corsHeaders, htmlAnswer, jsonAnswer, pageHeaders } from "./index.ts";

const request = (headers: Record<string, string>, method = "POST") =>
  new Request("https://auth.example.com/consent", { method, headers });

describe("attacks §1: a form may be posted by our own pages only", () => {
  test.each([
    ["a browser's own form", { Origin: "https://auth.example.com", "Sec-Fetch-Site": "same-origin" }],
    ["an older browser", { Origin: "https://auth.example.com" }],
    ["only Sec-Fetch-Site", { "Sec-Fetch-Site": "same-origin" }],
    ["no browser", {}],
  ])("%s passes", (_row, headers) => {
    expect(() => checkSameOrigin(request({ ...headers }), "https://auth.example.com/base")).not.toThrow();
  });

  test.each<[string, Record<string, string>]>([
    ["another site", { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" }],
    ["another site, older browser", { Origin: "https://evil.example" }],
    ["a neighbouring subdomain", { Origin: "https://app.example.com", "Sec-Fetch-Site": "same-site" }],
    ["same-site without Origin", { "Sec-Fetch-Site": "same-site" }],
    ["typed by the user", { "Sec-Fetch-Site": "none" }],
    ["opaque origin", { Origin: "null" }],
    ["our host over http", { Origin: "http://auth.example.com" }],
    ["our host on another port", { Origin: "https://auth.example.com:444" }],
    ["our name as a prefix", { Origin: "https://auth.example.com.evil.example" }],
    ["contradiction", { Origin: "https://auth.example.com", "Sec-Fetch-Site": "cross-site" }],
  ])("%s is refused", (_row, headers) => {
    expect(() => checkSameOrigin(request(headers), "https://auth.example.com")).toThrow(
      expect.objectContaining({ reason: "cross_site_post", status: 403 }),
    );
  });

  test("Host says nothing about our origin", () => {
    const headers = { Origin: "https://evil.example", Host: "evil.example", "X-Forwarded-Host": "evil.example" };
    expect(() => checkSameOrigin(request(headers), "https://auth.example.com")).toThrow(OAuthError);
  });
});

describe("headers of pages", () => {
  test("the page's own style is the only thing that the browser may apply", () => {
    const style = "body{color:red}";
    const answer = htmlAnswer(200, `<style>${style}</style><p>x</p>`, ["a=1", "b=2"]);
    const hash = createHash("sha256").update(style).digest("base64");
    expect(answer.headers.get("Content-Security-Policy")).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; frame-ancestors 'none'`,
    );
    expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(answer.headers.get("Content-Type")).toBe("text/html; charset=utf-8");
  });

  test("attacks §1: never framed, sniffed, kept or indexed", () => {
    expect(Object.fromEntries(pageHeaders())).toEqual({
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
      "referrer-policy": "same-origin",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "x-robots-tag": "noindex",
    });
  });

  test("attacks §1 CSP: no form-action, no opener policy, no referrer policy that hides our own origin", () => {
    const headers = htmlAnswer(200, "<p>x</p>").headers;
    expect(headers.get("Content-Security-Policy")).not.toContain("form-action");
    expect(headers.has("Cross-Origin-Opener-Policy")).toBe(false);
    expect(headers.get("Referrer-Policy")).not.toBe("no-referrer");
  });
});

test("JSON is never kept; an error says its code and description only", async () => {
  const answer = jsonAnswer(400, new OAuthError("invalid_request", "pkce_missing", "code_verifier is missing"));
  expect(Object.fromEntries(answer.headers)).toEqual({
    "cache-control": "no-store",
    "content-type": "application/json",
    pragma: "no-cache",
    "x-content-type-options": "nosniff",
  });
  expect(await answer.json()).toEqual({ error: "invalid_request", error_description: "code_verifier is missing" });
});

describe("CORS", () => {
  const policy = { allowedOrigins: ["https://app.example.com"] };
  const anyLoopbackPort = ["http://localhost:*", "https://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];
  const ask = (
    audience: "anyone" | "client",
    headers: Record<string, string>,
    method = "POST",
    rules: CorsPolicy = policy,
  ) => corsHeaders(rules, audience, request(headers, method), ["POST"]);

  test("documents are for everyone", () => {
    const headers = ask("anyone", { Origin: "https://any.example" }, "GET");
    expect(headers["Access-Control-Allow-Origin"]).toBe("*");
    expect(headers.Vary).toBeUndefined();
  });

  test("an endpoint tells an allowed origin its own name, and caches that it depends on it", () => {
    expect(ask("client", { Origin: "https://app.example.com" })).toMatchObject({
      "Access-Control-Allow-Origin": "https://app.example.com",
      Vary: "Origin",
    });
  });

  test.each([
    ["https://evil.example"],
    ["https://app.example.com.evil.example"],
    ["http://app.example.com"],
    ["https://app.example.com:8443"],
    ["null"],
    ["http://localhost:3000"],
  ])("%s is told nothing", (origin) => {
    expect(ask("client", { Origin: origin })).toEqual({ Vary: "Origin" });
    expect(ask("client", { Origin: origin }, "OPTIONS")).toEqual({ Vary: "Origin" });
  });

  test("a wildcard in the settings opens nothing", () => {
    expect(ask("client", { Origin: "https://evil.example" }, "POST", { allowedOrigins: ["*"] })).toEqual({
      Vary: "Origin",
    });
  });

  test.each([
    ["http://localhost:5173", true],
    ["http://127.0.0.1:6274", true],
    ["http://[::1]:1", true],
    ["https://localhost", true],
    ["http://127.0.0.2:80", false],
    ["http://localhost.evil.example", false],
    ["http://localhost:x@evil.example", false],
    ["null", false],
    ["http://user@localhost:3000", false],
    ["http://localhost:3000/path", false],
    ["file://localhost", false],
  ])("with loopback allowed: %s %s", (origin, allowed) => {
    const headers = ask("client", { Origin: origin }, "POST", { allowedOrigins: anyLoopbackPort });
    expect(headers["Access-Control-Allow-Origin"]).toBe(allowed ? origin : undefined);
  });

  test.each(["anyone", "client"] as const)("attacks §4 OB: never with credentials (%s)", (audience) => {
    const headers = ask(audience, { Origin: "https://app.example.com" }, "OPTIONS");
    expect(Object.keys(headers)).not.toContain("Access-Control-Allow-Credentials");
  });

  test("what MCP clients must read is exposed, and a preflight names methods and headers", () => {
    const headers = ask(
      "client",
      {
        Origin: "https://app.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, x-evil",
      },
      "OPTIONS",
    );
    for (const name of ["WWW-Authenticate", "Mcp-Session-Id", "MCP-Protocol-Version"]) {
      expect(headers["Access-Control-Expose-Headers"]).toContain(name);
    }
    expect(headers["Access-Control-Allow-Methods"]).toBe("POST");
    for (const name of ["Authorization", "Content-Type", "MCP-Protocol-Version"]) {
      expect(headers["Access-Control-Allow-Headers"]).toContain(name);
    }
    expect(headers["Access-Control-Allow-Headers"]).not.toContain("x-evil");
  });

  test("an answer that is no preflight names no methods", () => {
    expect(ask("client", { Origin: "https://app.example.com" })["Access-Control-Allow-Methods"]).toBeUndefined();
  });
});
