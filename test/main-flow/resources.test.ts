import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { part } from "../attacks/access-tokens.ts";
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

const minute = 60_000;
const elsewhere = { client_id: "elsewhere", client_secret: "elsewhere-secret" };
const secretHashes = [`sha256:${createHash("sha256").update(elsewhere.client_secret).digest("base64url")}`];

let env: TestEnvironment;
beforeAll(async () => {
  env = await startEnvironment({
    change: (settings) => ({
      ...settings,
      servers: (settings.servers ?? []).map((server) =>
        server.name === "clock" ? { ...server, accessTtl: "2m" } : server,
      ),
      // A resource that another machine serves, which asks /introspect.
      resources: [{ path: "/tools", name: "Tools elsewhere", scopes: ["mcp/read"], accessTtl: "30m" }],
      resourceServers: { elsewhere: { secretHashes, resources: ["/tools"] } },
    }),
  });
});
afterAll(() => env.close());

async function session(path: string, client: TestClient): Promise<TokenAnswer> {
  const pair = pkce();
  const url = authorizeUrl(env.url, client, pair, { resource: `${env.url}${path}` });
  const location = new URL(await signIn(url, demoUser(env, "alice")));
  return tokenAnswer(await redeem(env.url, client, location.searchParams.get("code") ?? "", pair));
}
const machineToken = (path: string): Promise<TokenAnswer> => {
  const { clientId: client_id, clientSecret: client_secret } = env.machine;
  const resource = `${env.url}${path}`;
  const form = { grant_type: "client_credentials", client_id, client_secret, resource };
  return postToken(env.url, form).then(tokenAnswer);
};
const isActive = async (token: string): Promise<boolean> => {
  const body = new URLSearchParams({ token, ...elsewhere });
  const answer = await fetch(`${env.url}/introspect`, { method: "POST", body });
  return (await answer.text()).startsWith('{"active":true,');
};

const all = "mcp/read mcp/write mcp/admin";

describe("several resources under one issuer, each with its scopes, lifetime and audience", () => {
  test.each([
    ["/clock/mcp", 120, all],
    ["/notes/mcp", 600, all],
    ["/tools", 1800, "mcp/read"],
  ])("%s: %i s, %s; after a refresh too", async (path, expires_in, scope) => {
    const client = await register(env.url);
    const tokens = await session(path, client);
    const renewed = await tokenAnswer(await refresh(env.url, client, tokens.refresh_token));
    for (const answer of [tokens, renewed]) {
      expect(answer).toMatchObject({ expires_in, scope });
      const { aud, exp, iat } = part(answer.access_token, 1);
      expect({ aud, life: Number(exp) - Number(iat) }).toEqual({ aud: `${env.url}${path}`, life: expires_in });
    }
    const metadata = await fetch(`${env.url}/.well-known/oauth-protected-resource${path}`);
    expect(await metadata.json()).toMatchObject({
      resource: `${env.url}${path}`,
      authorization_servers: [env.url],
      scopes_supported: scope.split(" "),
    });
  });

  test("letter case of scheme and host, one slash at the end and a query make no difference, at any step", async () => {
    const client = await register(env.url);
    const pair = pkce();
    const loud = `${env.url.toUpperCase()}/clock/mcp`;
    const url = authorizeUrl(env.url, client, pair, { resource: `${loud}/?tab=1` });
    const location = new URL(await signIn(url, demoUser(env, "bob")));
    const code = location.searchParams.get("code") ?? "";
    const tokens = await tokenAnswer(await redeem(env.url, client, code, pair, { resource: `${loud}?tab=2` }));
    const renewed = await refresh(env.url, client, tokens.refresh_token, { resource: `${env.url}/clock/mcp/` });
    for (const { access_token } of [tokens, await tokenAnswer(renewed)]) {
      expect(part(access_token, 1).aud).toBe(`${env.url}/clock/mcp`);
    }
  });

  test("a long-lived token counts to its end, a machine's as well: its grant is kept for as long", async () => {
    const { access_token: users } = await session("/tools", await register(env.url));
    const machine = await machineToken("/tools");
    expect(machine.expires_in).toBe(1800);
    expect((await machineToken("/clock/mcp")).expires_in).toBe(120);
    env.clock.advance(29 * minute);
    expect([await isActive(users), await isActive(machine.access_token)]).toEqual([true, true]);
    env.clock.advance(minute);
    expect([await isActive(users), await isActive(machine.access_token)]).toEqual([false, false]);
  });
});
