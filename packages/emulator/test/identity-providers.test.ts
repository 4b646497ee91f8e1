import { afterAll, beforeAll, expect, test } from "vitest";
import type { CognitoEmulator, PoolConfig } from "../src/index.ts";
import {
  authorizeUrl,
  callback,
  claims,
  get,
  location,
  openForm,
  pool,
  signIn,
  startEmulator,
  submitForm,
} from "./support.ts";

const federated = {
  ...pool,
  identityProviders: [{ name: "Okta", identifiers: ["example.com"] }, { name: "Entra" }],
  users: [
    ...pool.users,
    { username: "olga", password: "Password-1", identityProvider: "Okta", attributes: { email: "olga@example.com" } },
  ],
} satisfies PoolConfig;
const olga = { username: "olga", password: "Password-1" };
const alice = { username: "alice", password: "Password-1" };

let emulator: CognitoEmulator;
beforeAll(async () => {
  emulator = await startEmulator({ pool: federated });
});
afterAll(() => emulator.close());

test.each([
  ["identity_provider", { identity_provider: "Okta" }],
  ["idp_identifier", { idp_identifier: "example.com" }],
])("%s leads straight to the provider's page", async (_name, hint) => {
  const { html } = await openForm(emulator, hint);
  expect(html).toContain("<strong>Okta</strong>");
  expect(html.match(/<form/g)).toHaveLength(1);
});

test("a provider that the pool does not have, by name or identifier, is refused", async () => {
  for (const hint of [{ identity_provider: "Google" }, { idp_identifier: "other.example" }]) {
    expect(location(await get(authorizeUrl(emulator, hint)))).toBe(`${callback}?state=s-1&error=invalid_request`);
  }
});

test("each user signs in at their own place only", async () => {
  const okta = { identity_provider: "Okta" };
  expect((await submitForm(emulator, okta, alice)).status).toBe(400);
  expect((await submitForm(emulator, { identity_provider: "Entra" }, olga)).status).toBe(400);
  expect((await submitForm(emulator, {}, olga)).status).toBe(400);
  expect((await submitForm(emulator, { identity_provider: "COGNITO" }, olga)).status).toBe(400);
  expect(location(await submitForm(emulator, okta, olga))).toContain("?code=");
  expect(location(await submitForm(emulator, { identity_provider: "COGNITO" }, alice))).toContain("?code=");
});

test("tokens name the provider, and have a nonce though none was sent", async () => {
  const tokens = await signIn(emulator, { identity_provider: "Okta" }, "olga");
  const id = claims(tokens.id_token);
  expect(id).toMatchObject({ "cognito:username": "Okta_olga", email: "olga@example.com" });
  expect(id.nonce).toMatch(/^.{32,}$/);
  expect(id.identities).toEqual([
    {
      userId: "olga",
      providerName: "Okta",
      providerType: "OIDC",
      issuer: null,
      primary: "true",
      dateCreated: `${id.auth_time}000`,
    },
  ]);
  expect(claims(tokens.access_token).username).toBe("Okta_olga");
  const own = await signIn(emulator, { identity_provider: "Okta", nonce: "mine" }, "olga");
  expect(claims(own.id_token).nonce).toBe("mine");
  expect(claims((await signIn(emulator)).id_token)).not.toHaveProperty("nonce");
  expect(emulator.pool.user("Okta_olga")?.sub).toBe(id.sub);
});
