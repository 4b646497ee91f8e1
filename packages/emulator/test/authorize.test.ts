import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CognitoEmulator } from "../src/index.ts";
import {
  authorizeUrl,
  callback,
  challenge,
  cookiesOf,
  get,
  location,
  manualClock,
  startEmulator,
  submitForm,
} from "./support.ts";

const clock = manualClock();
let emulator: CognitoEmulator;
beforeAll(async () => {
  emulator = await startEmulator({ clock });
});
afterAll(() => emulator.close());

describe("a request that is refused goes back with Cognito's parameters in Cognito's order", () => {
  const refusals: [string, Record<string, string | undefined>, string][] = [
    [
      "scope the client does not have",
      { scope: "openid mcp/admin" },
      "?error_description=invalid_scope&state=s-1&error=invalid_request",
    ],
    [
      "offline_access",
      { scope: "openid offline_access" },
      "?error_description=invalid_scope&state=s-1&error=invalid_request",
    ],
    ["unknown scope", { scope: "nonsense" }, "?error_description=invalid_scope&state=s-1&error=invalid_request"],
    ["email without openid", { scope: "email" }, "?error_description=invalid_scope&state=s-1&error=invalid_request"],
    [
      "the same without state",
      { scope: "email", state: undefined },
      "?error_description=invalid_scope&error=invalid_request",
    ],
    ["response_type missing", { response_type: undefined }, "?state=s-1&error=invalid_request"],
    ["response_type unknown", { response_type: "id_token" }, "?state=s-1&error=invalid_request"],
    ["challenge without method", { code_challenge: challenge }, "?state=s-1&error=invalid_request"],
    ["method plain", { code_challenge: "x", code_challenge_method: "plain" }, "?state=s-1&error=invalid_request"],
    ["method without challenge", { code_challenge_method: "S256" }, "?state=s-1&error=invalid_request"],
    ["flow not allowed", { response_type: "token" }, "?state=s-1&error=unauthorized_client"],
    ["code for an implicit client", { client_id: "implicit" }, "?state=s-1&error=unauthorized_client"],
    ["prompt=none with another value", { prompt: "none login" }, "?state=s-1&error=invalid_request"],
    ["prompt unknown", { prompt: "create" }, "?state=s-1&error=invalid_request"],
    ["prompt=none without a session", { prompt: "none" }, "?error=login_required&state=s-1"],
    ["identity provider that is not there", { identity_provider: "Google" }, "?state=s-1&error=invalid_request"],
    ["idp_identifier", { idp_identifier: "example.com" }, "?state=s-1&error=invalid_request"],
    ["resource that is no URL", { resource: "mcp" }, "?state=s-1&error=invalid_request"],
    ["resource with http to another host", { resource: "http://example.com/" }, "?state=s-1&error=invalid_request"],
  ];
  test.each(refusals)("%s", async (_name, parameters, query) => {
    const response = await get(authorizeUrl(emulator, parameters));
    expect(response.status).toBe(302);
    expect(location(response)).toBe(callback + query);
  });

  test("a repeated parameter", async () => {
    const response = await get(`${authorizeUrl(emulator)}&resource=https://a.example&resource=https://b.example`);
    expect(location(response)).toBe(`${callback}?state=s-1&error=invalid_request`);
  });

  test("a redirect URI with a query of its own keeps it", async () => {
    const response = await get(authorizeUrl(emulator, { redirect_uri: "myapp://callback?kept=1", scope: "x" }));
    expect(location(response)).toBe(
      "myapp://callback?kept=1&error_description=invalid_scope&state=s-1&error=invalid_request",
    );
  });
});

describe("a request with a wrong client or redirect URI goes to the error page", () => {
  const wrong: [string, Record<string, string | undefined>, string][] = [
    ["unknown client", { client_id: "nobody" }, "error=invalid_request&client_id=nobody"],
    ["no client", { client_id: undefined }, "error=invalid_request"],
    [
      "redirect URI not registered",
      { redirect_uri: "http://localhost:3001/callback" },
      "error=redirect_mismatch&client_id=public",
    ],
    ["slash at the end", { redirect_uri: `${callback}/` }, "error=redirect_mismatch&client_id=public"],
    ["other host name", { redirect_uri: "http://127.0.0.1:3000/callback" }, "error=redirect_mismatch&client_id=public"],
    [
      "no redirect URI and no default",
      { client_id: "web", redirect_uri: undefined },
      "error=redirect_mismatch&client_id=web",
    ],
  ];
  test.each(wrong)("%s", async (_name, parameters, query) => {
    const response = await get(authorizeUrl(emulator, parameters));
    expect(response.status).toBe(302);
    expect(location(response)).toBe(`${emulator.url}/error?${query}`);
  });

  test("a redirect URI that comes twice", async () => {
    const response = await get(`${authorizeUrl(emulator)}&redirect_uri=https://evil.example`);
    expect(location(response)).toBe(`${emulator.url}/error?error=invalid_request&client_id=public`);
  });

  test("the error page is status 400 with Cognito's sentence, and escapes what it shows", async () => {
    const response = await get(`${emulator.url}/error?error=redirect_mismatch&client_id=%3Cscript%3E`);
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toMatch(/^text\/html/);
    const html = await response.text();
    expect(html).toContain("An error was encountered with the requested page.");
    expect(html).toContain("&lt;script&gt;");
    expect(html).not.toContain("<script>");
  });
});

describe("a good request", () => {
  const good: [string, Record<string, string | undefined>][] = [
    ["plain", {}],
    ["with PKCE", { code_challenge: challenge, code_challenge_method: "S256" }],
    ["without redirect_uri where there is a default", { redirect_uri: undefined }],
    ["with COGNITO as identity provider", { identity_provider: "COGNITO" }],
    ["with prompts that only matter to identity providers", { prompt: "select_account consent" }],
    ["with an unknown parameter", { audience: "x" }],
    ["with a resource", { resource: "https://mcp.example.com/mcp" }],
    ["with a loopback resource", { resource: "http://localhost:8000/mcp" }],
    ["with a custom scheme resource", { resource: "myapp://server" }],
  ];
  test.each(good)("%s goes to /login with the same parameters", async (_name, parameters) => {
    const url = authorizeUrl(emulator, parameters);
    const response = await get(url);
    expect(response.status).toBe(302);
    expect(location(response)).toBe(`${emulator.url}/login${new URL(url).search}`);
  });

  test("/authorize works as well", async () => {
    const { search } = new URL(authorizeUrl(emulator));
    expect(location(await get(`${emulator.url}/authorize${search}`))).toBe(`${emulator.url}/login${search}`);
  });

  test("another method is not found", async () => {
    const response = await fetch(authorizeUrl(emulator), { method: "POST", redirect: "manual" });
    expect(response.status).toBe(404);
  });
});

describe("a live session", () => {
  test("goes straight back with a code, for one hour that use does not extend", async () => {
    const cookie = cookiesOf(await submitForm(emulator));
    clock.advance(3000);
    const first = await get(authorizeUrl(emulator, { client_id: "web" }), { cookie });
    expect(location(first)).toMatch(/^http:\/\/localhost:3000\/callback\?code=[0-9a-f-]{36}&state=s-1$/);
    expect(location(await get(authorizeUrl(emulator, { prompt: "none" }), { cookie }))).toContain("?code=");
    clock.advance(599);
    expect(location(await get(authorizeUrl(emulator), { cookie }))).toContain("?code=");
    clock.advance(1);
    expect(location(await get(authorizeUrl(emulator), { cookie }))).toContain("/login?");
  });

  test("prompt=login asks again", async () => {
    const cookie = cookiesOf(await submitForm(emulator));
    expect(location(await get(authorizeUrl(emulator, { prompt: "login" }), { cookie }))).toContain("/login?");
  });

  test("is found among other cookies of the same name", async () => {
    const cookie = cookiesOf(await submitForm(emulator));
    const response = await get(authorizeUrl(emulator), { cookie: `cognito=another-app; ${cookie}; theme=dark` });
    expect(location(response)).toContain("?code=");
  });

  test("of a user who is disabled no longer counts, and survives a global sign-out", async () => {
    const cookie = cookiesOf(await submitForm(emulator, {}, { username: "bob", password: "Password-1" }));
    emulator.pool.revokeAllTokens("bob");
    expect(location(await get(authorizeUrl(emulator), { cookie }))).toContain("?code=");
    emulator.pool.disableUser("bob");
    expect(location(await get(authorizeUrl(emulator), { cookie }))).toContain("/login?");
    emulator.pool.enableUser("bob");
  });
});
