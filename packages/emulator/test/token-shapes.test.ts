import { createHash } from "node:crypto";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CognitoEmulator } from "../src/index.ts";
import {
  authorizeUrl,
  callback,
  claims,
  cookiesOf,
  get,
  header,
  location,
  manualClock,
  pool,
  refresh,
  resource,
  secret,
  signIn,
  startEmulator,
  submitForm,
  tokenRequest,
} from "./support.ts";

const clock = manualClock();
let emulator: CognitoEmulator;
beforeAll(async () => {
  emulator = await startEmulator({ clock });
});
afterAll(() => emulator.close());

const uuid = expect.stringMatching(/^[0-9a-f-]{36}$/);
const sub = "11111111-2222-4333-8444-555555555555";
const seconds = () => Math.floor(clock.now() / 1000);

test("the access token of a user has exactly these claims", async () => {
  const { access_token: token } = await signIn(emulator, { client_id: "web", scope: "openid mcp/write mcp/read" });
  expect(claims(token)).toEqual({
    sub,
    "cognito:groups": ["admins", "readers"],
    iss: emulator.issuer,
    version: 2,
    client_id: "web",
    origin_jti: uuid,
    event_id: uuid,
    token_use: "access",
    scope: "mcp/read mcp/write openid",
    auth_time: seconds(),
    exp: seconds() + 3600,
    iat: seconds(),
    jti: uuid,
    username: "alice",
  });
});

test("a user without groups has no claim for them", async () => {
  const { access_token: access, id_token: id } = await signIn(emulator, {}, "bob");
  for (const token of [access, id]) {
    expect(Object.keys(claims(token)).filter((name) => /groups|role/.test(name))).toEqual([]);
  }
});

test("scope omitted gives every scope of the client", async () => {
  expect(claims((await signIn(emulator)).access_token).scope).toBe("email mcp/read mcp/write openid profile");
});

test("the access token of a machine has exactly these claims", async () => {
  const form = { grant_type: "client_credentials", client_id: "machine", client_secret: secret, resource };
  const { access_token: token } = await tokenRequest(emulator, form);
  expect(claims(token)).toEqual({
    sub: "machine",
    token_use: "access",
    scope: "mcp/read mcp/write",
    auth_time: seconds(),
    iss: emulator.issuer,
    exp: seconds() + 3600,
    iat: seconds(),
    version: 2,
    jti: uuid,
    client_id: "machine",
  });
});

test("the ID token has exactly these claims", async () => {
  const { access_token: access = "", id_token: id } = await signIn(emulator, { scope: "openid", nonce: "n-1" });
  expect(claims(id)).toEqual({
    at_hash: createHash("sha256").update(access).digest().subarray(0, 16).toString("base64url"),
    sub,
    "cognito:groups": ["admins", "readers"],
    "cognito:roles": ["arn:aws:iam::123456789012:role/admins", "arn:aws:iam::123456789012:role/readers"],
    "cognito:preferred_role": "arn:aws:iam::123456789012:role/admins",
    iss: emulator.issuer,
    "cognito:username": "alice",
    nonce: "n-1",
    origin_jti: claims(access).origin_jti,
    aud: "public",
    event_id: claims(access).event_id,
    token_use: "id",
    auth_time: seconds(),
    exp: seconds() + 3600,
    iat: seconds(),
    jti: uuid,
    email: "alice@example.com",
    email_verified: true,
    given_name: "Alice",
    phone_number: "+15550100",
    phone_number_verified: false,
    "custom:team": "blue",
  });
});

describe("attributes in the ID token follow the scopes", () => {
  const rows: [string, string, string[]][] = [
    ["public", "openid email", ["email", "email_verified"]],
    ["public", "openid profile", ["given_name", "custom:team"]],
    ["public", "openid email profile", ["email", "email_verified", "given_name", "custom:team"]],
    ["blind", "openid", ["given_name"]],
  ];
  const all = ["email", "email_verified", "given_name", "phone_number", "phone_number_verified", "custom:team"];
  test.each(rows)("%s: %s", async (clientId, scope, expected) => {
    const { id_token: id } = await signIn(emulator, { client_id: clientId, scope });
    expect(
      Object.keys(claims(id))
        .filter((name) => all.includes(name))
        .toSorted(),
    ).toEqual(expected.toSorted());
  });
});

test("the header is exactly kid and alg, with one key for each kind of token", async () => {
  const { access_token: access = "", id_token: id = "" } = await signIn(emulator);
  const { keys } = (await (await get(emulator.jwksUri)).json()) as { keys: { kid: string }[] };
  const kids = keys.map(({ kid }) => kid);
  expect(header(id)).toEqual({ kid: kids[0], alg: "RS256" });
  expect(header(access)).toEqual({ kid: kids[1], alg: "RS256" });
  const jwks = createRemoteJWKSet(new URL(emulator.jwksUri));
  for (const token of [access, id]) {
    await jwtVerify(token, jwks, { issuer: emulator.issuer, currentDate: new Date(clock.now()) });
  }
});

test("a session keeps the auth_time of its sign-in; prompt=login renews it", async () => {
  const form = { grant_type: "authorization_code", client_id: "public", redirect_uri: callback };
  const began = seconds();
  const cookie = cookiesOf(await submitForm(emulator));
  clock.advance(60);
  const response = await get(authorizeUrl(emulator), { cookie });
  const code = new URL(location(response)).searchParams.get("code") ?? "";
  expect(claims((await tokenRequest(emulator, { ...form, code })).access_token)).toMatchObject({
    auth_time: began,
    iat: began + 60,
  });
  expect(claims((await signIn(emulator, { prompt: "login" })).access_token).auth_time).toBe(began + 60);
});

test("validities are those of the client", async () => {
  const { expires_in: expiresIn, access_token: access, id_token: id } = await signIn(emulator, { client_id: "short" });
  expect(expiresIn).toBe(300);
  expect(Number(claims(access).exp) - Number(claims(access).iat)).toBe(300);
  expect(Number(claims(id).exp) - Number(claims(id).iat)).toBe(600);
});

test("with token revocation off there is neither origin_jti nor jti", async () => {
  const { access_token: access, id_token: id } = await signIn(emulator, { client_id: "irrevocable" });
  for (const token of [access, id]) {
    expect(claims(token)).not.toHaveProperty("origin_jti");
    expect(claims(token)).not.toHaveProperty("jti");
    expect(claims(token)).toHaveProperty("event_id");
  }
});

test("a nonce is not in a refreshed ID token", async () => {
  const { refresh_token: token } = await signIn(emulator, { nonce: "n-1" });
  expect(claims((await refresh(emulator, token)).id_token)).not.toHaveProperty("nonce");
});

describe("resource", () => {
  test("is the aud of the access token, as it was written", async () => {
    expect(claims((await signIn(emulator, { resource })).access_token).aud).toBe(resource);
  });

  test("is ignored without resource binding", async () => {
    const own = await startEmulator({ pool: { ...pool, resourceBinding: false } });
    for (const value of [resource, "mcp"]) {
      expect(claims((await signIn(own, { resource: value })).access_token)).not.toHaveProperty("aud");
    }
    await own.close();
  });
});

describe("acr_values", () => {
  const wanted = { acr_values: "urn:cognito:loa:2 urn:cognito:loa:1" };

  test("are ignored where the pool does not say how users signed in", async () => {
    expect(claims((await signIn(emulator, wanted)).id_token)).not.toHaveProperty("acr");
  });

  test("else the ID token says so, if it was asked for, and after a refresh too", async () => {
    const own = await startEmulator({ pool: { ...pool, emitAcr: true } });
    const tokens = await signIn(own, wanted);
    expect(claims(tokens.id_token)).toMatchObject({ acr: "urn:cognito:loa:1", amr: ["pwd"] });
    expect(claims((await refresh(own, tokens.refresh_token)).id_token).acr).toBe("urn:cognito:loa:1");
    expect(claims((await signIn(own)).id_token)).not.toHaveProperty("acr");
    await own.close();
  });
});

test("claims to suppress are left out of the ID token, and userInfo has them", async () => {
  const own = await startEmulator({ pool: { ...pool, claimsToSuppress: ["custom:team", "email"] } });
  const tokens = await signIn(own, { scope: "openid" });
  const id = claims(tokens.id_token);
  expect([id["custom:team"], id.email, id.given_name]).toEqual([undefined, undefined, "Alice"]);
  const answer = await get(own.userInfoUrl, { authorization: `Bearer ${tokens.access_token}` });
  expect(await answer.json()).toMatchObject({ "custom:team": "blue", email: "alice@example.com" });
  await own.close();
});

describe("the implicit flow", () => {
  const fragment = async (parameters: Record<string, string>) => {
    const target = location(
      await submitForm(emulator, { client_id: "implicit", response_type: "token", ...parameters }),
    );
    expect(target.startsWith(`${callback}#`)).toBe(true);
    return new URLSearchParams(target.slice(callback.length + 1));
  };

  test("answers tokens in the fragment, without a refresh token", async () => {
    const members = await fragment({ nonce: "n-1" });
    expect([...members.keys()]).toEqual(["id_token", "access_token", "token_type", "expires_in", "state"]);
    expect(Object.fromEntries(members)).toMatchObject({ token_type: "bearer", expires_in: "3600", state: "s-1" });
    expect(claims(members.get("id_token") ?? "")).toMatchObject({ nonce: "n-1", aud: "implicit" });
  });

  test("has no ID token without openid", async () => {
    expect((await fragment({ scope: "mcp/read" })).has("id_token")).toBe(false);
  });
});

test("the issuer can be the real form", async () => {
  const issuer = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_TestPool1";
  const own = await startEmulator({ issuer });
  const { access_token: token } = await signIn(own);
  expect(claims(token).iss).toBe(issuer);
  expect(await (await get(own.discoveryUrl)).json()).toMatchObject({ issuer, jwks_uri: own.jwksUri });
  expect((await get(own.userInfoUrl, { authorization: `Bearer ${token}` })).status).toBe(200);
  await own.close();
});
