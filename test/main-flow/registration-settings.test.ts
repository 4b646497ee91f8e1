import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWalker } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, redeem, type TestClient, tokenAnswer } from "../support/oauth-client.ts";

const initialToken = "an-initial-access-token-of-this-test";
const redirectUri = "https://app.example.com/cb";

let env: TestEnvironment;
beforeAll(async () => {
  env = await startEnvironment({
    change: (settings) => ({
      ...settings,
      registration: {
        initialAccessTokens: [initialToken, "another-initial-access-token"],
        allowedScopes: ["mcp/write"],
        defaultScopes: ["mcp/read"],
        publicClientPatterns: ["Trusted *"],
        redirectHosts: ["*.example.com"],
      },
    }),
  });
});
afterAll(() => env.close());

const post = (metadata: object, authorization: string | undefined = `Bearer ${initialToken}`) =>
  fetch(`${env.url}/register`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(authorization === "" ? {} : { authorization }) },
    body: JSON.stringify({ redirect_uris: [redirectUri], client_name: "Trusted app", ...metadata }),
  });

/** The answer to a registration, its JSON in the place of the response. */
async function register(metadata: object, authorization?: string) {
  const response = await post(metadata, authorization);
  return { status: response.status, headers: response.headers, body: Object(await response.json()) };
}

describe("an initial access token", () => {
  test.each([
    ["none", "", "Bearer"],
    [
      "a wrong one",
      "Bearer wrong",
      /^Bearer error="invalid_token", error_description="To register here, send an initial/,
    ],
    ["one as Basic", `Basic ${Buffer.from(`x:${initialToken}`).toString("base64")}`, /^Bearer error="invalid_token"/],
  ])("%s: 401 with a challenge, and nothing is registered", async (_, authorization, challenge) => {
    const from = env.audit.length;
    const { status, headers, body } = await register({}, authorization);
    expect([status, body.error]).toEqual([401, "invalid_token"]);
    expect(headers.get("www-authenticate")).toEqual(
      typeof challenge === "string" ? challenge : expect.stringMatching(challenge),
    );
    expect(env.audit.slice(from)).toMatchObject([{ action: "client.refused", reason: "registration_token_invalid" }]);
  });

  test("each of those that are configured will do", async () => {
    expect((await register({})).status).toBe(201);
    expect((await register({}, "bearer another-initial-access-token")).status).toBe(201);
  });
});

test("the answer is what was registered, defaults and cuts included, and names no further endpoint", async () => {
  const { body } = await register({ token_endpoint_auth_method: "none", scope: "mcp/admin offline_access", x: 1 });
  const { client_id, client_id_issued_at, ...rest } = body;
  expect(typeof client_id).toBe("string");
  expect(client_id_issued_at).toBeTypeOf("number");
  expect(rest).toEqual({
    redirect_uris: [redirectUri],
    client_name: "Trusted app",
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    scope: "mcp/read mcp/write offline_access",
  });
  const confidential = (await register({})).body;
  expect(confidential).toMatchObject({ scope: "mcp/read", client_secret_expires_at: 0 });
  expect(confidential.client_secret).toMatch(/^[\w-]{43}$/);
});

test.each([
  [
    "a name that must not be public",
    { client_name: "App", token_endpoint_auth_method: "none" },
    "invalid_client_metadata",
  ],
  ["no name", { client_name: null, token_endpoint_auth_method: "none" }, "invalid_client_metadata"],
  ["a host that is not allowed", { redirect_uris: [redirectUri, "https://evil.example/cb"] }, "invalid_redirect_uri"],
])("%s: 400", async (_, metadata, error) => {
  const { status, body } = await register(metadata);
  expect([status, body.error]).toEqual([400, error]);
});

/** What alice, who may have everything, gets through a client that asks for this. */
async function grantedTo(metadata: object, scope: string | undefined): Promise<string> {
  const { body } = await register(metadata);
  const client: TestClient = { clientId: body.client_id, clientSecret: body.client_secret, redirectUri };
  const pair = pkce();
  const walker = createWalker();
  const { username, password } = demoUser(env, "alice");
  const stop = (location: string): boolean => location.startsWith(redirectUri);
  const consent = await walker.get(authorizeUrl(env.url, client, pair, { scope }));
  const login = await walker.submit(consent, { decision: "approve" }, stop);
  const { location = "" } = await walker.submit(login, { username, password }, stop);
  const code = new URL(location).searchParams.get("code") ?? "";
  const answer = await redeem(env.url, client, code, pair, { client_secret: body.client_secret });
  return (await tokenAnswer(answer)).scope;
}

describe("scopes of a client that registered itself", () => {
  test.each([
    ["that asks for nothing and registered nothing: the setting's default", {}, undefined, "mcp/read"],
    ["that asks for identity scopes only: the same", {}, "openid email", "mcp/read"],
    ["that asks for nothing: what it registered", { scope: "mcp/write" }, undefined, "mcp/read mcp/write"],
    ["that asks for more than it may have: what it may have", {}, "mcp/admin", "mcp/read mcp/write"],
    ["that asks for less: that", { scope: "mcp/write" }, "mcp/read", "mcp/read"],
  ])("%s", async (_, metadata, scope, granted) => {
    expect(await grantedTo(metadata, scope)).toBe(granted);
  });
});
