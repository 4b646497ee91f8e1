import { afterAll, beforeAll, expect, test } from "vitest";
import type { CognitoEmulator } from "../src/index.ts";
import { get, startEmulator } from "./support.ts";

let emulator: CognitoEmulator;
beforeAll(async () => {
  emulator = await startEmulator();
});
afterAll(() => emulator.close());

test("the document has exactly Cognito's members", async () => {
  const { url } = emulator;
  expect(emulator.discoveryUrl).toBe(`${emulator.issuer}/.well-known/openid-configuration`);
  expect(url).toBe(`http://localhost:${emulator.port}`);
  expect(await (await get(emulator.discoveryUrl)).json()).toEqual({
    authorization_endpoint: `${url}/oauth2/authorize`,
    end_session_endpoint: `${url}/logout`,
    id_token_signing_alg_values_supported: ["RS256"],
    issuer: `${url}/us-east-1_TestPool1`,
    jwks_uri: `${url}/us-east-1_TestPool1/.well-known/jwks.json`,
    response_types_supported: ["code", "token"],
    revocation_endpoint: `${url}/oauth2/revoke`,
    scopes_supported: ["openid", "email", "phone", "profile"],
    subject_types_supported: ["public"],
    token_endpoint: `${url}/oauth2/token`,
    token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
    userinfo_endpoint: `${url}/oauth2/userInfo`,
  });
});

test.each(["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/oauth2/register"])(
  "%s is not there",
  async (path) => {
    expect((await get(emulator.url + path)).status).toBe(404);
  },
);

test("the JWKS has two 2048-bit RSA keys in Cognito's form", async () => {
  const { keys } = (await (await get(emulator.jwksUri)).json()) as { keys: Record<string, string>[] };
  expect(keys).toHaveLength(2);
  for (const key of keys) {
    expect(Object.keys(key)).toEqual(["alg", "e", "kid", "kty", "n", "use"]);
    expect(key).toMatchObject({ alg: "RS256", e: "AQAB", kty: "RSA", use: "sig" });
    expect(key.kid).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    expect(Buffer.from(key.n ?? "", "base64url")).toHaveLength(256);
  }
});
