import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWalker } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, postToken, redeem, register, type TestClient } from "../support/oauth-client.ts";

let env: TestEnvironment;
let client: TestClient;
beforeAll(async () => {
  env = await startEnvironment();
  client = await register(env.url);
});
afterAll(() => env.close());

interface Answer {
  readonly status: number;
  readonly headers: Headers;
}

const get = (path: string, init: RequestInit = {}): Promise<Answer> =>
  fetch(env.url + path, { redirect: "manual", ...init });
const post = (path: string, body: string, type: string): Promise<Answer> =>
  get(path, { method: "POST", body, headers: { "content-type": type, origin: "http://localhost:6274" } });
const json = "application/json";

const stopAnywhere = () => true;
const consentPage = (params: Record<string, string> = {}) =>
  createWalker().get(authorizeUrl(env.url, client, pkce(), params), stopAnywhere);

/** The answer of `/consent` to a decision. */
async function decided(decision: string): Promise<Answer> {
  const walker = createWalker();
  return walker.submit(await walker.get(authorizeUrl(env.url, client, pkce())), { decision }, stopAnywhere);
}

/** The answer of `/auth/callback` at the end of a sign-in, and the code in it. */
async function calledBack(): Promise<Answer & { readonly code: string; readonly pair: ReturnType<typeof pkce> }> {
  const walker = createWalker();
  const pair = pkce();
  const login = await walker.submit(await walker.get(authorizeUrl(env.url, client, pair)), { decision: "approve" });
  const { username, password } = demoUser(env, "alice");
  const atClient = (location: string) => location.startsWith(client.redirectUri);
  const { status, headers, location = "" } = await walker.submit(login, { username, password }, atClient);
  return { status, headers, code: new URL(location).searchParams.get("code") ?? "", pair };
}

async function token(): Promise<Answer> {
  const { code, pair } = await calledBack();
  return redeem(env.url, client, code, pair);
}

const page = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'; frame-ancestors 'none'$/,
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cache-control": "no-store",
  "access-control-allow-origin": null,
};
const redirect = {
  "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cache-control": "no-store",
  "access-control-allow-origin": null,
};
const secretJson = {
  "content-type": json,
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};
const publicJson = {
  "content-type": json,
  "x-content-type-options": "nosniff",
  "cache-control": "public, max-age=300",
  "access-control-allow-origin": "*",
};
const text = { "content-type": "text/plain", "x-content-type-options": "nosniff", "cache-control": "no-store" };
/** The emulator's pages are no part of ours, but they are framed and clicked in the same browser. */
const cognitoPage = { ...page, "content-type": "text/html; charset=UTF-8" };

type Expected = Readonly<Record<string, string | RegExp | null>>;

describe("headers of every kind of answer", () => {
  test.each<[name: string, status: number, expected: Expected, ask: () => Promise<Answer>]>([
    ["GET /authorize", 200, page, () => consentPage()],
    ["GET /authorize, unknown client", 400, page, () => get("/authorize?client_id=gone")],
    ["GET /authorize, error for the client", 302, redirect, () => consentPage({ scope: "nonsense" })],
    ["POST /consent, approved", 302, redirect, () => decided("approve")],
    ["POST /consent, denied", 302, redirect, () => decided("deny")],
    ["POST /consent, neither", 400, page, () => decided("neither")],
    ["POST /consent of another site", 403, page, () => post("/consent", "a=b", "application/x-www-form-urlencoded")],
    ["GET /auth/callback", 302, redirect, () => calledBack()],
    ["GET /auth/callback, unknown", 400, page, () => get(`/auth/callback?code=c&state=${"s".repeat(43)}`)],
    ["POST /token", 200, secretJson, () => token()],
    ["POST /token, refused", 400, secretJson, () => postToken(env.url, { grant_type: "none" })],
    ["GET /token", 405, secretJson, () => get("/token")],
    ["POST /register", 201, secretJson, () => post("/register", '{"redirect_uris":["https://a.example/"]}', json)],
    ["POST /register, refused", 400, secretJson, () => post("/register", "{}", json)],
    ["no endpoint", 404, secretJson, () => get("/nowhere")],
    ["RFC 8414 metadata", 200, publicJson, () => get("/.well-known/oauth-authorization-server")],
    ["OpenID configuration", 200, publicJson, () => get("/.well-known/openid-configuration")],
    ["keys", 200, publicJson, () => get("/.well-known/jwks.json")],
    ["RFC 9728 metadata", 200, publicJson, () => get("/.well-known/oauth-protected-resource/clock/mcp")],
    ["an MCP endpoint without a token", 401, secretJson, () => get("/clock/mcp")],
    [
      "an MCP endpoint, unknown Origin",
      403,
      secretJson,
      () => get("/clock/mcp", { headers: { origin: "https://a.b" } }),
    ],
    ["GET /healthz", 200, text, () => get("/healthz")],
    ["GET /readyz", 200, text, () => get("/readyz")],
    ["Cognito's sign-in page", 200, cognitoPage, () => decided("approve").then((answer) => follow(answer))],
    ["Cognito's error page", 400, cognitoPage, () => fetch(`${env.cognito.url}/error?error=x`)],
  ])("%s", async (_name, status, expected, ask) => {
    const answer = await ask();
    expect(answer.status).toBe(status);
    for (const [name, value] of Object.entries(expected)) {
      const found = answer.headers.get(name);
      if (value instanceof RegExp) expect(found, name).toMatch(value);
      else expect(found, name).toBe(value);
    }
    // Severs clients that sign in from a popup.
    expect(answer.headers.get("cross-origin-opener-policy")).toBeNull();
    // No script of another origin may send cookies along.
    expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
    for (const name of ["server", "x-powered-by"]) expect(answer.headers.get(name)).toBeNull();
  });

  test("cookies are for this host alone, out of reach of scripts, and not sent by other sites' forms", async () => {
    const cookies = [await consentPage(), await decided("approve")].map(({ headers }) => headers.getSetCookie());
    expect(cookies.map((lines) => lines.length)).toEqual([1, 1]);
    for (const line of cookies.flat()) {
      expect(line).toMatch(
        /^sallyport-(page|tx)-[\w-]+=[\w-]{43}; Path=\/; Max-Age=(900|600); HttpOnly; SameSite=Lax$/,
      );
    }
  });
});

/** Follows a redirect, and the ones behind it. */
const follow = ({ headers }: Answer): Promise<Answer> => fetch(headers.get("location") ?? "");
