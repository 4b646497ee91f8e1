import type { Sallyport, Store } from "sallyport";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { libraryBeside } from "../support/library.ts";
import {
  authorizeUrl,
  pkce,
  postToken,
  redeem,
  register,
  type TestClient,
  type TokenAnswer,
  tokenAnswer,
} from "../support/oauth-client.ts";

const boundedClient = { clientId: "reader-only", redirectUri: "http://127.0.0.1:9/callback" };

let env: TestEnvironment;
let library: Sallyport;
beforeAll(async () => {
  let store: Store | undefined;
  env = await startEnvironment({
    wrapStore: (inner) => {
      store = inner;
      return inner;
    },
    change: (settings) => ({
      ...settings,
      scopes: { ...settings.scopes, "mcp/admin": { includes: ["mcp/write"], stepUp: true } },
      servers: (settings.servers ?? []).map((server) => ({ ...server, requiredScopes: required(server.name) })),
      clients: {
        [boundedClient.clientId]: {
          name: "Reader",
          redirectUris: [boundedClient.redirectUri],
          scopes: ["mcp/read"],
        },
      },
    }),
  });
  if (!store) throw new Error("the environment did not take the store");
  library = await libraryBeside(env, store);
});
afterAll(async () => {
  await library.close();
  await env.close();
});

const required = (server: string): string[] =>
  server === "clock" ? ["mcp/read"] : [server === "notes" ? "mcp/write" : "mcp/admin"];

type Server = "clock" | "notes" | "everything";

async function token(
  name: "alice" | "bob",
  server: Server,
  scope: string | undefined,
  client?: TestClient,
): Promise<TokenAnswer> {
  const who = client ?? (await register(env.url));
  const pair = pkce();
  const url = authorizeUrl(env.url, who, pair, { resource: `${env.url}/${server}/mcp`, scope });
  const location = new URL(await signIn(url, demoUser(env, name)));
  return tokenAnswer(await redeem(env.url, who, location.searchParams.get("code") ?? "", pair));
}

/** A call of a tool as MCP 2026-07-28 has it: no session before it. */
const call = (server: Server, tool: string, args: object, accessToken?: string): Request =>
  new Request(`${env.url}/${server}/mcp`, {
    method: "POST",
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 5,
      method: "tools/call",
      params: {
        name: tool,
        arguments: args,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      },
    }),
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": tool,
      ...(accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }),
    },
  });
const addNote = (accessToken?: string): Request => call("notes", "add_note", { text: "stepped up" }, accessToken);

/** The two ways to a protected resource: through the gateway, and through the library in somebody's own server. */
const ways: readonly [string, (request: Request) => Promise<Response>][] = [
  ["the gateway", (request) => fetch(request)],
  ["the library", (request) => library.protect(() => new Response("passed"))(request)],
];

const challenge = (response: Response): Record<string, string> =>
  Object.fromEntries(
    [...(response.headers.get("www-authenticate") ?? "").matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [
      name,
      value,
    ]),
  );

describe.each(ways)("step-up through %s", (_, send) => {
  test("alice with a narrow token: one challenge with all that the next token needs, and with that it works", async () => {
    const client = await register(env.url);
    const narrow = await token("alice", "notes", "mcp/read", client);
    expect(narrow.scope).toBe("mcp/read");
    const refused = await send(addNote(narrow.access_token));
    expect(refused.status).toBe(403);
    expect(challenge(refused)).toMatchObject({
      error: "insufficient_scope",
      scope: "mcp/read mcp/write",
      resource_metadata: `${env.url}/.well-known/oauth-protected-resource/notes/mcp`,
    });
    const wide = await token("alice", "notes", challenge(refused).scope, client);
    expect(wide.scope).toBe("mcp/read mcp/write");
    expect((await send(addNote(wide.access_token))).status).toBe(200);
  });

  test("hierarchy: a scope passes where one that it includes is required, and one sign-in takes all steps", async () => {
    const admin = await token("alice", "notes", "mcp/admin");
    expect((await send(addNote(admin.access_token))).status).toBe(200);
    const narrow = await token("alice", "everything", "mcp/read");
    const refused = await send(call("everything", "test_simple_text", {}, narrow.access_token));
    expect(challenge(refused)).toMatchObject({ error: "insufficient_scope", scope: "mcp/read mcp/admin" });
  });

  test("bob, whose groups do not give it: refused without a challenge", async () => {
    const { access_token } = await token("bob", "notes", "mcp/write mcp/read");
    const refused = await send(addNote(access_token));
    expect(refused.status).toBe(403);
    expect(refused.headers.has("www-authenticate")).toBe(false);
    expect(await refused.json()).toMatchObject({ jsonrpc: "2.0", error: { data: { reason: "not_permitted" } } });
  });

  test("alice at a client that may never have it: no challenge either, as signing in again would not help", async () => {
    const { access_token, scope } = await token("alice", "notes", "mcp/write mcp/read", boundedClient);
    expect(scope).toBe("mcp/read");
    const refused = await send(addNote(access_token));
    expect([refused.status, refused.headers.has("www-authenticate")]).toEqual([403, false]);
  });

  test("the first challenge leaves step-up scopes out; where one is needed the next challenge names it", async () => {
    const first = await send(call("everything", "test_simple_text", {}));
    expect(first.status).toBe(401);
    expect(challenge(first).scope).toBe("mcp/read mcp/write");
    const { access_token, scope } = await token("alice", "everything", challenge(first).scope);
    expect(scope).toBe("mcp/read mcp/write");
    const second = await send(call("everything", "test_simple_text", {}, access_token));
    expect(second.status).toBe(403);
    expect(challenge(second)).toMatchObject({
      error: "insufficient_scope",
      scope: "mcp/read mcp/write mcp/admin",
    });
    const whole = await token("alice", "everything", challenge(second).scope);
    expect((await send(call("everything", "test_simple_text", {}, whole.access_token))).status).toBe(200);
  });

  test("a machine cannot sign in again: refused without a challenge", async () => {
    const { clientId: client_id, clientSecret: client_secret } = env.machine;
    const form = { grant_type: "client_credentials", client_id, client_secret, resource: `${env.url}/notes/mcp` };
    const { access_token } = await tokenAnswer(await postToken(env.url, form));
    const refused = await send(addNote(access_token));
    expect([refused.status, refused.headers.has("www-authenticate")]).toEqual([403, false]);
  });
});
