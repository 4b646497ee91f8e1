import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import {
  authorizeUrl,
  pkce,
  postToken,
  redeem,
  refresh,
  register,
  type TestClient,
  type TokenAnswer,
  tokenAnswer,
} from "../support/oauth-client.ts";

let env: TestEnvironment;
beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(() => env.close());

const session = async (client: TestClient): Promise<TokenAnswer> => {
  const pair = pkce();
  const location = new URL(await signIn(authorizeUrl(env.url, client, pair), demoUser(env, "alice")));
  const secret = client.clientSecret === undefined ? {} : { client_secret: client.clientSecret };
  return tokenAnswer(await redeem(env.url, client, location.searchParams.get("code") ?? "", pair, secret));
};

const revoke = (form: Readonly<Record<string, string>>, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${env.url}/revoke`, { method: "POST", body: new URLSearchParams(form), headers });

const ping = async (token: string): Promise<number> => {
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
  };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  const response = await fetch(`${env.url}/clock/mcp`, { method: "POST", body, headers });
  await response.body?.cancel();
  return response.status;
};

describe("POST /revoke (RFC 7009)", () => {
  test.each(["refresh_token", "access_token"] as const)(
    "attacks §3: a public client revokes its %s, and the whole grant ends",
    async (kind) => {
      const client = await register(env.url);
      const tokens = await session(client);
      expect(await ping(tokens.access_token)).toBe(200);
      const before = env.cognito.requests.filter(({ path }) => path === "/oauth2/revoke").length;
      const response = await revoke({ token: tokens[kind], client_id: client.clientId });
      expect([response.status, await response.text()]).toEqual([200, ""]);
      expect(await ping(tokens.access_token)).toBe(401);
      expect(await tokenAnswer(await refresh(env.url, client, tokens.refresh_token))).toMatchObject({
        error: "invalid_grant",
      });
      await expect
        .poll(() => env.cognito.requests.filter(({ path }) => path === "/oauth2/revoke").length)
        .toBe(before + 1);
      expect((await revoke({ token: tokens[kind], client_id: client.clientId })).status).toBe(200);
    },
  );

  test("a confidential client needs its secret, by Basic or in the body", async () => {
    const client = await register(env.url, { token_endpoint_auth_method: "client_secret_basic" });
    const tokens = await session(client);
    const { clientId, clientSecret = "" } = client;
    const without = await revoke({ token: tokens.refresh_token, client_id: clientId });
    expect([without.status, (await tokenAnswer(without)).error]).toEqual([401, "invalid_client"]);
    expect(await ping(tokens.access_token)).toBe(200);
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString("base64");
    expect((await revoke({ token: tokens.refresh_token }, { authorization: `Basic ${basic}` })).status).toBe(200);
    expect(await ping(tokens.access_token)).toBe(401);
  });

  test("attacks §4 CF 0.8.0: another client's token is left alone", async () => {
    const mine = await session(await register(env.url));
    const other = await register(env.url);
    for (const token of [mine.refresh_token, mine.access_token]) {
      const response = await revoke({ token, client_id: other.clientId });
      expect([response.status, (await tokenAnswer(response)).error]).toEqual([400, "invalid_grant"]);
    }
    expect(await ping(mine.access_token)).toBe(200);
  });

  test("a rotated token still names its grant, and a machine revokes its own", async () => {
    const client = await register(env.url);
    const tokens = await session(client);
    const next = await tokenAnswer(await refresh(env.url, client, tokens.refresh_token));
    expect((await revoke({ token: tokens.refresh_token, client_id: client.clientId })).status).toBe(200);
    expect(await ping(next.access_token)).toBe(401);

    const credentials = { client_id: env.machine.clientId, client_secret: env.machine.clientSecret };
    const resource = `${env.url}/clock/mcp`;
    const machine = await tokenAnswer(
      await postToken(env.url, { grant_type: "client_credentials", resource, ...credentials }),
    );
    expect(await ping(machine.access_token)).toBe(200);
    const wrong = await revoke({ token: machine.access_token, ...credentials, client_secret: "wrong" });
    expect(wrong.status).toBe(401);
    expect((await revoke({ token: machine.access_token, ...credentials })).status).toBe(200);
    expect(await ping(machine.access_token)).toBe(401);
  });

  test.each([
    ["nonsense", "nonsense"],
    [
      "a code in the form of ours with a wrong tag",
      `${"a".repeat(43)}.1.${"b".repeat(8)}.${"c".repeat(43)}.${"d".repeat(22)}`,
    ],
    ["a JWT of somebody else", "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IngifQ.e30.AA"],
  ])("%s: 200, since there is nothing to end", async (_what, token) => {
    const { clientId } = await register(env.url);
    expect((await revoke({ token, client_id: clientId })).status).toBe(200);
  });

  test("without a token or a client: the field is named", async () => {
    const { clientId } = await register(env.url);
    const missing = await (await revoke({ client_id: clientId })).json();
    expect(missing).toMatchObject({ error: "invalid_request", error_description: expect.stringContaining("token") });
    const unknown = await revoke({ token: "x", client_id: "nobody" });
    expect([unknown.status, (await tokenAnswer(unknown)).error]).toEqual([401, "invalid_client"]);
  });

  test("is advertised where it is served", async () => {
    const metadata: unknown = await (await fetch(`${env.url}/.well-known/oauth-authorization-server`)).json();
    expect(metadata).toMatchObject({
      revocation_endpoint: `${env.url}/revoke`,
      revocation_endpoint_auth_methods_supported: expect.arrayContaining(["none"]),
    });
  });
});
