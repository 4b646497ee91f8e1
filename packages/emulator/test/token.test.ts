import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CognitoEmulator } from "../src/index.ts";
import {
  callback,
  challenge,
  claims,
  getCode,
  manualClock,
  otherSecret,
  pool,
  post,
  refresh,
  resource,
  secret,
  secretOf,
  signIn,
  startEmulator,
  tokenRequest,
  verifier,
  web,
} from "./support.ts";

const clock = manualClock();
let emulator: CognitoEmulator;
beforeAll(async () => {
  emulator = await startEmulator({ clock });
});
afterAll(() => emulator.close());

const basic = (id: string, value: string) => ({ authorization: `Basic ${btoa(`${id}:${value}`)}` });
const wrongSecret = { error: "invalid_client", error_description: "invalid_client_secret" };
const machine = { grant_type: "client_credentials", client_id: "machine", client_secret: secret };
const redeem = { grant_type: "authorization_code", client_id: "public", redirect_uri: callback };

describe("a refusal is HTTP 400 with exactly this body", () => {
  type Row = [string, Record<string, string>, Record<string, string>, object];
  const rows: Row[] = [
    ["grant_type missing", { client_id: "public" }, {}, { error: "invalid_request" }],
    ["client_id missing", { grant_type: "client_credentials" }, {}, { error: "invalid_request" }],
    ["code missing", redeem, {}, { error: "invalid_request" }],
    [
      "redirect_uri missing",
      { grant_type: "authorization_code", client_id: "public", code: "x" },
      {},
      { error: "invalid_request" },
    ],
    ["refresh_token missing", { grant_type: "refresh_token", client_id: "public" }, {}, { error: "invalid_request" }],
    ["client ids differ", machine, basic("web", secret), { error: "invalid_request" }],
    ["unknown grant_type", { grant_type: "password", client_id: "public" }, {}, { error: "unsupported_grant_type" }],
    ["unknown client", { ...machine, client_id: "nobody" }, {}, wrongSecret],
    ["wrong secret", { ...machine, client_secret: "wrong" }, {}, wrongSecret],
    ["missing secret", { grant_type: "client_credentials", client_id: "machine" }, {}, wrongSecret],
    ["wrong secret by Basic", { grant_type: "client_credentials" }, basic("machine", "wrong"), wrongSecret],
    ["empty secret by Basic", { grant_type: "client_credentials" }, basic("machine", ""), wrongSecret],
    ["secret for a public client", { ...redeem, code: "x", client_secret: secret }, {}, wrongSecret],
    ["public client by Basic", { ...redeem, code: "x" }, basic("public", "x"), { error: "invalid_client" }],
    ["another Authorization scheme", machine, { authorization: "Bearer x" }, { error: "invalid_client" }],
    ["unknown code", { ...redeem, code: "x" }, {}, { error: "invalid_grant" }],
    [
      "unknown refresh token",
      { grant_type: "refresh_token", client_id: "public", refresh_token: "x" },
      {},
      { error: "invalid_grant" },
    ],
    [
      "code for a machine",
      { ...machine, grant_type: "authorization_code", code: "x", redirect_uri: callback },
      {},
      { error: "unauthorized_client" },
    ],
    [
      "refresh for a machine",
      { ...machine, grant_type: "refresh_token", refresh_token: "x" },
      {},
      { error: "unauthorized_client" },
    ],
    [
      "client_credentials for a web app",
      { grant_type: "client_credentials", client_id: "web", client_secret: secret },
      {},
      { error: "unauthorized_client" },
    ],
    [
      "machine scope that exists but is not its own",
      { ...machine, scope: "mcp/read mcp/admin" },
      {},
      { error: "invalid_grant" },
    ],
    ["machine scope that does not exist", { ...machine, scope: "mcp/nothing" }, {}, { error: "invalid_scope" }],
    ["machine scope of no resource server", { ...machine, scope: "other/read" }, {}, { error: "invalid_scope" }],
  ];
  test.each(rows)("%s", async (_name, form, headers, body) => {
    const response = await post(emulator.tokenUrl, form, headers);
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toBe("application/json;charset=UTF-8");
    expect(response.headers.get("x-amz-cognito-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(await response.json()).toEqual(body);
  });

  test("a body that is not a form", async () => {
    const response = await fetch(emulator.tokenUrl, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(machine),
    });
    expect([response.status, await response.json()]).toEqual([400, { error: "invalid_request" }]);
  });

  test("a parameter that comes twice", async () => {
    const body = `${new URLSearchParams(machine)}&scope=mcp/read&scope=mcp/write`;
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const response = await fetch(emulator.tokenUrl, { method: "POST", headers, body });
    expect([response.status, await response.json()]).toEqual([400, { error: "invalid_request" }]);
  });

  test("parameters in the query string are not read", async () => {
    const response = await post(`${emulator.tokenUrl}?${new URLSearchParams(machine)}`, {});
    expect(await response.json()).toEqual({ error: "invalid_request" });
  });
});

describe("other methods and origins", () => {
  test.each(["GET", "PUT", "DELETE"])("%s is 405 with an empty body and an XSRF-TOKEN cookie", async (method) => {
    const response = await fetch(emulator.tokenUrl, { method });
    expect([response.status, await response.text()]).toEqual([405, ""]);
    expect(response.headers.getSetCookie()[0]).toMatch(/^XSRF-TOKEN=/);
  });

  test.each(["/oauth2/token", "/oauth2/revoke", "/oauth2/userInfo"])("%s is open to every origin", async (path) => {
    const origin = { origin: "https://app.example" };
    const preflight = await fetch(emulator.url + path, {
      method: "OPTIONS",
      headers: { ...origin, "access-control-request-headers": "authorization" },
    });
    expect(preflight.ok).toBe(true);
    expect(preflight.headers.get("access-control-allow-headers")).toBe("authorization");
    const refused = await fetch(emulator.url + path, {
      method: path === "/oauth2/userInfo" ? "GET" : "POST",
      headers: origin,
    });
    for (const response of [preflight, refused]) expect(response.headers.get("access-control-allow-origin")).toBe("*");
  });
});

describe("client authentication", () => {
  test("Basic, plain or form-encoded (RFC 6749 section 2.3.1)", async () => {
    for (const value of [secret, secret.replaceAll("-", "%2D")]) {
      const response = await post(emulator.tokenUrl, { grant_type: "client_credentials" }, basic("machine", value));
      expect(response.status).toBe(200);
    }
  });

  test("of two secrets both work", async () => {
    for (const value of [secret, otherSecret]) {
      const code = await getCode(emulator, { client_id: "twosecrets" });
      const answer = await tokenRequest(emulator, { ...redeem, client_id: "twosecrets", client_secret: value, code });
      expect(answer.status).toBe(200);
    }
  });

  test("a public client may send an empty secret", async () => {
    const code = await getCode(emulator);
    expect((await tokenRequest(emulator, { ...redeem, code, client_secret: "" })).status).toBe(200);
  });
});

describe("authorization_code", () => {
  test("answers these members and no scope", async () => {
    const { status, ...answer } = await signIn(emulator, { client_id: "web", scope: "openid mcp/read" });
    expect(status).toBe(200);
    expect(Object.keys(answer)).toEqual(["access_token", "id_token", "refresh_token", "token_type", "expires_in"]);
    expect(answer).toMatchObject({ token_type: "Bearer", expires_in: 3600 });
    expect(answer.refresh_token).toMatch(/^eyJjdHkiOiJKV1Qi[\w-]*(\.[\w-]+){4}$/);
  });

  test("without openid there is no ID token", async () => {
    expect(await signIn(emulator, { scope: "mcp/read" })).not.toHaveProperty("id_token");
  });

  test("a code works once", async () => {
    const code = await getCode(emulator);
    expect((await tokenRequest(emulator, { ...redeem, code })).status).toBe(200);
    expect(await tokenRequest(emulator, { ...redeem, code })).toEqual({ status: 400, error: "invalid_grant" });
  });

  test("of two exchanges at once exactly one wins", async () => {
    const code = await getCode(emulator);
    const answers = await Promise.all([1, 2, 3].map(() => tokenRequest(emulator, { ...redeem, code })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400, 400]);
  });

  test("a code works for five minutes", async () => {
    const codes = [await getCode(emulator), await getCode(emulator)] as const;
    clock.advance(299);
    expect((await tokenRequest(emulator, { ...redeem, code: codes[0] })).status).toBe(200);
    clock.advance(1);
    expect(await tokenRequest(emulator, { ...redeem, code: codes[1] })).toEqual({
      status: 400,
      error: "invalid_grant",
    });
  });

  test("another redirect_uri is unauthorized_client", async () => {
    const code = await getCode(emulator);
    const answer = await tokenRequest(emulator, { ...redeem, code, redirect_uri: "http://localhost:3000/other" });
    expect(answer).toEqual({ status: 400, error: "unauthorized_client" });
  });

  test("another client cannot redeem a code, nor spend it", async () => {
    const code = await getCode(emulator);
    const other = await tokenRequest(emulator, { ...redeem, client_id: "rotating", code });
    expect(other).toEqual({ status: 400, error: "invalid_grant" });
    expect((await tokenRequest(emulator, { ...redeem, code })).status).toBe(200);
  });

  const pkce = { code_challenge: challenge, code_challenge_method: "S256" };
  const verifiers: [string, Record<string, string>, Record<string, string>, number][] = [
    ["the right verifier", pkce, { code_verifier: verifier }, 200],
    ["a wrong verifier", pkce, { code_verifier: `${verifier}x` }, 400],
    ["the challenge as verifier", pkce, { code_verifier: challenge }, 400],
    ["no verifier", pkce, {}, 400],
    ["a verifier without a challenge", {}, { code_verifier: verifier }, 400],
  ];
  test.each(verifiers)("PKCE: %s", async (_name, request, form, status) => {
    const code = await getCode(emulator, request);
    const answer = await tokenRequest(emulator, { ...redeem, ...form, code });
    expect(answer).toMatchObject(status === 200 ? { status } : { status, error: "invalid_grant" });
  });

  test("scopes whose attributes the client may not read are invalid_grant", async () => {
    expect(await signIn(emulator, { client_id: "blind", scope: "openid email" })).toEqual({
      status: 400,
      error: "invalid_grant",
    });
    expect(await signIn(emulator, { client_id: "blind" })).toEqual({ status: 400, error: "invalid_grant" });
    expect((await signIn(emulator, { client_id: "blind", scope: "openid profile" })).status).toBe(200);
  });

  test("a user who was disabled in between gets nothing", async () => {
    const code = await getCode(emulator, {}, "bob");
    emulator.pool.disableUser("bob");
    expect(await tokenRequest(emulator, { ...redeem, code })).toEqual({ status: 400, error: "invalid_grant" });
    emulator.pool.enableUser("bob");
  });
});

describe("refresh_token", () => {
  test("without rotation answers no refresh token, and the old one works on", async () => {
    const first = await signIn(emulator);
    for (let round = 0; round < 3; round += 1) {
      const { status, ...answer } = await refresh(emulator, first.refresh_token);
      expect(status).toBe(200);
      expect(Object.keys(answer)).toEqual(["access_token", "id_token", "token_type", "expires_in"]);
    }
  });

  test("keeps auth_time, origin_jti and aud, and has a new jti", async () => {
    const first = await signIn(emulator, { resource, scope: "openid mcp/read" });
    clock.advance(100);
    const second = await refresh(emulator, first.refresh_token);
    const [before, after] = [claims(first.access_token), claims(second.access_token)];
    for (const name of ["auth_time", "origin_jti", "aud", "scope", "sub"]) expect(after[name]).toEqual(before[name]);
    expect(after.aud).toBe(resource);
    expect(after.jti).not.toBe(before.jti);
    expect(Number(after.iat) - Number(before.iat)).toBe(100);
  });

  test("sees groups as they are now, while tokens keep theirs", async () => {
    const first = await signIn(emulator);
    emulator.pool.setGroups("alice", ["plain"]);
    const second = await refresh(emulator, first.refresh_token);
    emulator.pool.setGroups("alice", []);
    const third = await refresh(emulator, first.refresh_token);
    emulator.pool.setGroups("alice", ["admins", "readers"]);
    expect(claims(first.access_token)["cognito:groups"]).toEqual(["admins", "readers"]);
    expect(claims(second.access_token)["cognito:groups"]).toEqual(["plain"]);
    expect(claims(second.id_token)["cognito:groups"]).toEqual(["plain"]);
    expect(claims(third.access_token)).not.toHaveProperty("cognito:groups");
  });

  test("another client cannot use it", async () => {
    const { refresh_token: token } = await signIn(emulator);
    expect(await refresh(emulator, token, "rotating")).toEqual({ status: 400, error: "invalid_grant" });
  });

  const refused: [string, (name: string) => void, (name: string) => void][] = [
    ["a disabled user", (name) => emulator.pool.disableUser(name), (name) => emulator.pool.enableUser(name)],
    ["a global sign-out", (name) => emulator.pool.revokeAllTokens(name), () => {}],
  ];
  test.each(refused)("%s ends it", async (_name, act, undo) => {
    const { refresh_token: token } = await signIn(emulator, {}, "bob");
    act("bob");
    expect(await refresh(emulator, token)).toEqual({ status: 400, error: "invalid_grant" });
    undo("bob");
    expect((await refresh(emulator, (await signIn(emulator, {}, "bob")).refresh_token)).status).toBe(200);
  });

  test("a deleted user ends it", async () => {
    const own = await startEmulator();
    const { refresh_token: token } = await signIn(own, {}, "bob");
    own.pool.deleteUser("bob");
    expect(await refresh(own, token)).toEqual({ status: 400, error: "invalid_grant" });
    expect(own.pool.user("bob")).toBeUndefined();
    await own.close();
  });

  test("ends after its validity", async () => {
    const { refresh_token: token } = await signIn(emulator, { client_id: "short" });
    clock.advance(3599);
    expect((await refresh(emulator, token, "short")).status).toBe(200);
    clock.advance(1);
    expect(await refresh(emulator, token, "short")).toEqual({ status: 400, error: "invalid_grant" });
  });
});

describe("rotation", () => {
  test("answers a new token; the old one works through the grace period, which a repeat does not prolong", async () => {
    const { refresh_token: first } = await signIn(emulator, { client_id: "rotating" });
    const { refresh_token: second } = await refresh(emulator, first, "rotating");
    expect(second).toMatch(/^eyJ/);
    expect(second).not.toBe(first);
    clock.advance(9);
    const repeat = await refresh(emulator, first, "rotating");
    expect(repeat).toMatchObject({ status: 200, refresh_token: expect.stringMatching(/^eyJ/) });
    clock.advance(1);
    expect(await refresh(emulator, first, "rotating")).toEqual({ status: 400, error: "invalid_grant" });
    // Reuse ends nothing else.
    for (const token of [second, repeat.refresh_token]) {
      expect((await refresh(emulator, token, "rotating")).status).toBe(200);
    }
  });

  test("without grace the old token is over at once", async () => {
    const { refresh_token: first } = await signIn(emulator, { client_id: "strict" });
    const answers = await Promise.all([1, 2].map(() => refresh(emulator, first, "strict")));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400]);
  });

  test("the new token has what is left of the first one's life", async () => {
    const own = await startEmulator({
      clock,
      pool: {
        ...pool,
        clients: [{ ...web, id: "rotating", refreshTokenRotation: { enabled: true }, refreshTokenValidity: "1h" }],
      },
    });
    let { refresh_token: token } = await signIn(own, { client_id: "rotating" });
    clock.advance(3000);
    ({ refresh_token: token } = await refresh(own, token, "rotating"));
    clock.advance(599);
    ({ refresh_token: token } = await refresh(own, token, "rotating"));
    clock.advance(1);
    expect((await refresh(own, token, "rotating")).error).toBe("invalid_grant");
    await own.close();
  });
});

describe("client_credentials", () => {
  test("answers three members", async () => {
    const { status, ...answer } = await tokenRequest(emulator, machine);
    expect(status).toBe(200);
    expect(Object.keys(answer)).toEqual(["access_token", "expires_in", "token_type"]);
    expect(claims(answer.access_token).scope).toBe("mcp/read mcp/write");
  });

  test("with fewer scopes", async () => {
    expect(claims((await tokenRequest(emulator, { ...machine, scope: "mcp/write" })).access_token).scope).toBe(
      "mcp/write",
    );
  });

  test("a scope that was taken away is invalid_scope, and gone from every token", async () => {
    const own = await startEmulator();
    own.pool.removeScope("mcp/write");
    expect((await tokenRequest(own, { ...machine, scope: "mcp/write" })).error).toBe("invalid_scope");
    expect(claims((await tokenRequest(own, machine)).access_token).scope).toBe("mcp/read");
    // The client still has it, so a user's request for it is accepted.
    expect(claims((await signIn(own, { scope: "openid mcp/write mcp/read" })).access_token).scope).toBe(
      "mcp/read openid",
    );
    own.pool.removeScope("mcp/read");
    expect((await tokenRequest(own, machine)).error).toBe("invalid_scope");
    await own.close();
  });
});

test("with requireResourceServer a resource without a resource server is invalid_grant at the exchange", async () => {
  const own = await startEmulator({
    pool: {
      ...pool,
      requireResourceServer: true,
      resourceServers: [...pool.resourceServers, { identifier: resource, scopes: [{ name: "use" }] }],
    },
  });
  expect((await signIn(own, { resource: "https://other.example/mcp" })).error).toBe("invalid_grant");
  expect(claims((await signIn(own, { resource })).access_token).aud).toBe(resource);
  await own.close();
});

test("a request body that is too large is refused", async () => {
  const response = await post(emulator.tokenUrl, { ...secretOf("web"), code: "x".repeat(70_000) });
  expect(response.status).toBe(413);
});
