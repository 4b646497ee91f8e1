import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, postToken, redeem, refresh, register, tokenAnswer } from "../support/oauth-client.ts";

/** A pool whose resource server is `mcp-server`, and settings that name its scopes without it, but for some slips. */
const startShort = (): Promise<TestEnvironment> =>
  startEnvironment({
    pool: (pool) => ({
      ...pool,
      resourceServers: ["mcp-server", "other"].map((identifier) => ({
        identifier,
        scopes: ["read", "write", "admin"].map((name) => ({ name })),
      })),
      clients: [
        ...(pool.clients ?? []).map((client) =>
          client.id === "demomachine" ? { ...client, scopes: ["mcp-server/read"] } : client,
        ),
        { id: "elsewhere", secret: otherSecret, allowedOAuthFlows: ["client_credentials"], scopes: ["other/read"] },
      ],
    }),
    change: (settings) => ({
      ...settings,
      cognito: { ...settings.cognito, resourceServer: "mcp-server" },
      scopes: {
        read: { description: "Read" },
        write: { includes: ["mcp-server/read"] },
        admin: { includes: ["write"] },
      },
      groups: { "mcp-admins": ["admin"], "mcp-developers": ["mcp-server/write"], "mcp-readers": ["mcp-server/read"] },
      machines: { demomachine: { scopes: ["read"] }, elsewhere: { scopes: ["mcp-server/read"] } },
      servers: (settings.servers ?? []).map((server) => ({ ...server, requiredScopes: ["mcp-server/read"] })),
    }),
  });

const otherSecret = "the-secret-of-the-other-machine";
let env: TestEnvironment;
beforeAll(async () => {
  env = await startShort();
});
afterAll(() => env.close());

const call = (token?: string): Promise<Response> =>
  fetch(`${env.url}/clock/mcp`, {
    method: "POST",
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
    }),
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  });

const scopeOf = (token: string): unknown =>
  Object(JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())).scope;

async function userTokens(name: string, scope: string) {
  const client = await register(env.url);
  const pair = pkce();
  const location = new URL(await signIn(authorizeUrl(env.url, client, pair, { scope }), demoUser(env, name)));
  const response = await redeem(env.url, client, location.searchParams.get("code") ?? "", pair);
  return { client, tokens: await tokenAnswer(response) };
}

describe("what goes out has the configured names", () => {
  test("challenge and metadata", async () => {
    expect((await call()).headers.get("www-authenticate")).toContain('scope="read write admin"');
    const paths = ["oauth-authorization-server", "oauth-protected-resource/clock/mcp"];
    for (const path of paths) {
      const body: unknown = await (await fetch(`${env.url}/.well-known/${path}`)).json();
      expect(body).toMatchObject({ scopes_supported: expect.arrayContaining(["read", "write", "admin"]) });
      expect(JSON.stringify(body)).not.toContain("mcp-server/");
    }
  });

  test("a registration that names scopes in full", async () => {
    const response = await fetch(`${env.url}/register`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ redirect_uris: ["http://127.0.0.1:9/cb"], scope: "openid mcp-server/read read" }),
    });
    expect(await response.json()).toMatchObject({ scope: "openid read" });
  });
});

describe("a user", () => {
  test.each(["mcp-server/read", "read", "openid read mcp-server/read"])("asks for %s and gets read", async (scope) => {
    const { tokens } = await userTokens("alice", scope);
    expect(tokens.scope).toBe("read");
    expect(scopeOf(tokens.access_token)).toBe("read");
    expect((await call(tokens.access_token)).status).toBe(200);
  });

  test("who may not have what was asked for gets what it includes, and the answer says so", async () => {
    const { tokens } = await userTokens("bob", "mcp-server/admin");
    expect(tokens.scope).toBe("read");
    expect(scopeOf(tokens.access_token)).toBe("read");
  });

  test("narrows at a refresh by the full name", async () => {
    const { client, tokens } = await userTokens("alice", "mcp-server/write");
    expect(tokens.scope).toBe("read write");
    const narrowed = await tokenAnswer(
      await refresh(env.url, client, tokens.refresh_token, { scope: "mcp-server/read" }),
    );
    expect(narrowed.scope).toBe("read");
    const wider = await refresh(env.url, client, narrowed.refresh_token, { scope: "mcp-server/admin" });
    expect([wider.status, await wider.json()]).toMatchObject([400, { error: "invalid_scope" }]);
  });

  test("does not get a scope by another resource server's name for it", async () => {
    const client = await register(env.url);
    const asked = await fetch(authorizeUrl(env.url, client, pkce(), { scope: "other/read" }), { redirect: "manual" });
    expect(new URL(asked.headers.get("location") ?? "").searchParams.get("error")).toBe("invalid_scope");
  });
});

describe("a machine", () => {
  const exchange = (id: string, secret: string, scope?: string) =>
    postToken(env.url, {
      grant_type: "client_credentials",
      client_id: id,
      client_secret: secret,
      resource: `${env.url}/clock/mcp`,
      ...(scope === undefined ? {} : { scope }),
    });
  const fromCognito = async (id: string, secret: string): Promise<string> => {
    const form = { grant_type: "client_credentials", client_id: id, client_secret: secret };
    const response = await fetch(env.cognito.tokenUrl, { method: "POST", body: new URLSearchParams(form) });
    return (await tokenAnswer(response)).access_token;
  };

  test.each([undefined, "read", "mcp-server/read"])("asks for %s and gets read", async (scope) => {
    const { clientId, clientSecret } = env.machine;
    const tokens = await tokenAnswer(await exchange(clientId, clientSecret, scope));
    expect(tokens.scope).toBe("read");
    expect(scopeOf(tokens.access_token)).toBe("read");
    expect((await call(tokens.access_token)).status).toBe(200);
  });

  test("comes with Cognito's own token, which has full names", async () => {
    const token = await fromCognito(env.machine.clientId, env.machine.clientSecret);
    expect(scopeOf(token)).toBe("mcp-server/read");
    expect((await call(token)).status).toBe(200);
  });

  test("whose scope is another resource server's gets in by neither way", async () => {
    const token = await fromCognito("elsewhere", otherSecret);
    expect(scopeOf(token)).toBe("other/read");
    expect((await call(token)).status).toBe(401);
    expect(env.audit.at(-1)).toMatchObject({ reason: "token_scope_unmapped" });
    const refused = await exchange("elsewhere", otherSecret);
    expect(refused.status).toBe(401);
  });
});
