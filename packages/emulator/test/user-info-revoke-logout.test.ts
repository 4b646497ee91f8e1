import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CognitoEmulator } from "../src/index.ts";
import {
  authorizeUrl,
  callback,
  cookiesOf,
  get,
  location,
  manualClock,
  post,
  refresh,
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

const userInfo = (token: string) => get(emulator.userInfoUrl, { authorization: `Bearer ${token}` });
const badRequest = 'error="invalid_request", error_description="Bad OAuth2 request at UserInfo Endpoint"';
const badToken =
  'error="invalid_token", error_description="Access token is expired, disabled, or deleted, or the user has globally signed out."';

describe("userInfo", () => {
  test("answers every attribute as text", async () => {
    const response = await userInfo((await signIn(emulator, { scope: "openid" })).access_token);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      sub: "11111111-2222-4333-8444-555555555555",
      email: "alice@example.com",
      email_verified: "true",
      given_name: "Alice",
      phone_number: "+15550100",
      phone_number_verified: "false",
      "custom:team": "blue",
      username: "alice",
    });
  });

  test("is narrowed by scopes", async () => {
    const response = await userInfo((await signIn(emulator, { scope: "openid email" })).access_token);
    expect(Object.keys((await response.json()) as object)).toEqual(["sub", "email", "email_verified", "username"]);
  });

  test("without a bearer token it is 400", async () => {
    for (const headers of [{}, { authorization: "Basic x" }, { authorization: "Bearer" }]) {
      const response = await get(emulator.userInfoUrl, headers as Record<string, string>);
      expect(response.status).toBe(400);
      expect(response.headers.get("www-authenticate")).toBe(badRequest);
    }
  });

  const rows: [string, () => Promise<string>][] = [
    ["rubbish", async () => "x.y.z"],
    ["an ID token", async () => (await signIn(emulator)).id_token ?? ""],
    ["a token without openid", async () => (await signIn(emulator, { scope: "mcp/read" })).access_token],
    [
      "a machine's token",
      async () => {
        const form = { grant_type: "client_credentials", client_id: "machine", client_secret: secret };
        return (await tokenRequest(emulator, form)).access_token;
      },
    ],
    [
      "a token with a changed signature",
      async () => (await signIn(emulator)).access_token.replace(/.{4}$/, (end) => (end === "AAAA" ? "BBBB" : "AAAA")),
    ],
    [
      "an expired token",
      async () => {
        const { access_token: token } = await signIn(emulator, { client_id: "short" });
        clock.advance(300);
        return token;
      },
    ],
    [
      "a user who signed out globally",
      async () => {
        const { access_token: token } = await signIn(emulator, { client_id: "irrevocable" });
        emulator.pool.revokeAllTokens("alice");
        return token;
      },
    ],
  ];
  test.each(rows)("%s is 401", async (_name, make) => {
    const response = await userInfo(await make());
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(badToken);
  });

  test("a disabled user is 401 until enabled again, a deleted one for good", async () => {
    const own = await startEmulator();
    const { access_token: token } = await signIn(own, {}, "bob");
    const status = async () => (await get(own.userInfoUrl, { authorization: `Bearer ${token}` })).status;
    own.pool.disableUser("bob");
    expect(await status()).toBe(401);
    own.pool.enableUser("bob");
    expect(await status()).toBe(200);
    own.pool.deleteUser("bob");
    expect(await status()).toBe(401);
    await own.close();
  });
});

describe("revoke", () => {
  test("ends the refresh token and what userInfo says of the access token, once and again", async () => {
    const { access_token: access, refresh_token: token = "" } = await signIn(emulator, { client_id: "web" });
    for (let round = 0; round < 2; round += 1) {
      const response = await post(emulator.revokeUrl, { token }, { authorization: `Basic ${btoa(`web:${secret}`)}` });
      expect([response.status, await response.text()]).toEqual([200, ""]);
    }
    expect((await refresh(emulator, token, "web")).error).toBe("invalid_grant");
    expect((await userInfo(access)).status).toBe(401);
  });

  test("ends every rotated token of the sign-in, and no other sign-in", async () => {
    const [one, two] = [
      await signIn(emulator, { client_id: "rotating" }),
      await signIn(emulator, { client_id: "rotating" }),
    ];
    const rotated = await refresh(emulator, one.refresh_token, "rotating");
    await post(emulator.revokeUrl, { token: one.refresh_token ?? "", client_id: "rotating" });
    expect((await refresh(emulator, rotated.refresh_token, "rotating")).error).toBe("invalid_grant");
    expect((await refresh(emulator, two.refresh_token, "rotating")).status).toBe(200);
  });

  test("of another client's token has no effect", async () => {
    const { refresh_token: token = "" } = await signIn(emulator);
    expect((await post(emulator.revokeUrl, { token, client_id: "rotating" })).status).toBe(200);
    expect((await refresh(emulator, token)).status).toBe(200);
  });

  type Row = [string, () => Promise<Record<string, string>>, number, string];
  const rows: Row[] = [
    ["token missing", async () => ({ client_id: "public" }), 400, "invalid_request"],
    ["revocation off for the client", async () => ({ client_id: "irrevocable", token: "x" }), 400, "invalid_request"],
    [
      "access token",
      async () => ({ client_id: "public", token: (await signIn(emulator)).access_token }),
      400,
      "unsupported_token_type",
    ],
    [
      "ID token",
      async () => ({ client_id: "public", token: (await signIn(emulator)).id_token ?? "" }),
      400,
      "unsupported_token_type",
    ],
    ["unknown client", async () => ({ client_id: "nobody", token: "x" }), 401, "invalid_client"],
    ["wrong secret", async () => ({ client_id: "web", client_secret: "wrong", token: "x" }), 401, "invalid_client"],
  ];
  test.each(rows)("%s", async (_name, form, status, error) => {
    const response = await post(emulator.revokeUrl, await form());
    expect([response.status, await response.json()]).toEqual([status, { error }]);
  });

  test("an unknown token is answered as a known one", async () => {
    expect((await post(emulator.revokeUrl, { client_id: "public", token: "x" })).status).toBe(200);
  });
});

describe("logout", () => {
  const logout = (parameters: Record<string, string>, cookie = "") =>
    get(`${emulator.logoutUrl}?${new URLSearchParams(parameters)}`, { cookie });
  const bye = "http://localhost:3000/bye";

  test("with logout_uri ends the session, goes there and revokes nothing", async () => {
    const { refresh_token: token } = await signIn(emulator);
    const cookie = cookiesOf(await submitForm(emulator));
    const response = await logout(
      { client_id: "public", logout_uri: bye, redirect_uri: callback, response_type: "code" },
      cookie,
    );
    expect([response.status, location(response)]).toEqual([302, bye]);
    expect(response.headers.getSetCookie()[0]).toMatch(/^cognito=; Path=\/; Max-Age=0;/);
    expect(location(await get(authorizeUrl(emulator), { cookie }))).toContain("/login?");
    expect((await refresh(emulator, token)).status).toBe(200);
  });

  test("with redirect_uri ends the session and goes to /login with the same parameters", async () => {
    const cookie = cookiesOf(await submitForm(emulator));
    const parameters = {
      client_id: "public",
      redirect_uri: callback,
      response_type: "code",
      state: "s-2",
      scope: "openid",
    };
    const response = await logout(parameters, cookie);
    expect(location(response)).toBe(`${emulator.url}/login?${new URLSearchParams(parameters)}`);
    expect(location(await get(authorizeUrl(emulator), { cookie }))).toContain("/login?");
    expect((await get(location(response))).status).toBe(200);
  });

  const rows: [string, Record<string, string>, string][] = [
    [
      "unregistered logout_uri",
      { client_id: "public", logout_uri: `${bye}/` },
      "error=redirect_mismatch&client_id=public",
    ],
    [
      "unregistered redirect_uri",
      { client_id: "public", redirect_uri: bye, response_type: "code" },
      "error=redirect_mismatch&client_id=public",
    ],
    ["unknown client", { client_id: "nobody", logout_uri: bye }, "error=invalid_request&client_id=nobody"],
    ["nothing", {}, "error=invalid_request"],
    ["no response_type", { client_id: "public", redirect_uri: callback }, "error=invalid_request&client_id=public"],
    [
      "OpenID Connect's own parameter",
      { client_id: "web", post_logout_redirect_uri: bye },
      "error=redirect_mismatch&client_id=web",
    ],
  ];
  test.each(rows)("%s goes to the error page and keeps the session", async (_name, parameters, query) => {
    const cookie = cookiesOf(await submitForm(emulator));
    const response = await logout(parameters, cookie);
    expect([response.status, location(response)]).toEqual([302, `${emulator.url}/error?${query}`]);
    expect(location(await get(authorizeUrl(emulator), { cookie }))).toContain("?code=");
  });
});
