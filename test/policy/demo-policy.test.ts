import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { authorizeUrl, pkce, postToken, redeem, register, tokenAnswer } from "../support/oauth-client.ts";

const servers = ["clock", "notes", "everything"] as const;
type Server = (typeof servers)[number];
/** Dave is a developer and no administrator; Erin is only in a group that the settings do not know. */
const people = ["alice", "dave", "bob", "machine"] as const;
type Who = (typeof people)[number];

const further = (name: string, group: string, index: number) => ({
  username: `${name}@example.com`,
  password: "Sallyport-demo-1",
  sub: `5a11e000-0000-4000-8000-0000000000${index}`,
  groups: [group],
  attributes: { email: `${name}@example.com`, email_verified: "true" },
});
const newcomers = [further("dave", "mcp-developers", 81), further("erin", "mcp-visitors", 82)];

let env: TestEnvironment;
const tokens = new Map<string, string>();
const tokenOf = (who: Who, server: Server): string => tokens.get(`${who} ${server}`) ?? "";

beforeAll(async () => {
  env = await startEnvironment({
    // So that a token outlives what its owner's groups were when it was issued.
    change: (settings) => ({ ...settings, tokens: { ...settings.tokens, accessTtl: "1h" } }),
    pool: (pool) => ({
      ...pool,
      groups: [...(pool.groups ?? []), { name: "mcp-visitors" }],
      users: [...(pool.users ?? []), ...newcomers],
    }),
  });
  for (const server of servers) {
    for (const who of people) {
      const token = await (who === "machine" ? machineToken(server) : userToken(who, server));
      tokens.set(`${who} ${server}`, token);
    }
  }
}, 60_000);
afterAll(() => env.close());

async function signedIn(name: string, server: Server, scope?: string) {
  const user = newcomers.find(({ username }) => username.startsWith(name)) ?? demoUser(env, name);
  const client = await register(env.url);
  const pair = pkce();
  const url = authorizeUrl(env.url, client, pair, { resource: `${env.url}/${server}/mcp`, scope });
  return { client, pair, location: new URL(await signIn(url, user)) };
}

async function userToken(name: string, server: Server, scope?: string): Promise<string> {
  const { client, pair, location } = await signedIn(name, server, scope);
  return (await tokenAnswer(await redeem(env.url, client, location.searchParams.get("code") ?? "", pair))).access_token;
}

async function machineToken(server: Server): Promise<string> {
  const { clientId: client_id, clientSecret: client_secret } = env.machine;
  const resource = `${env.url}/${server}/mcp`;
  return (
    await tokenAnswer(
      await postToken(env.url, { grant_type: "client_credentials", client_id, client_secret, resource }),
    )
  ).access_token;
}

const send = (token: string | undefined, server: Server, method: string, params: Record<string, unknown> = {}) =>
  fetch(statelessRequest(`${env.url}/${server}/mcp`, token, method, params));

const callTool = (token: string | undefined, server: Server, name: string, args: object = {}) =>
  send(token, server, "tools/call", { name, arguments: args });

describe("calls", () => {
  const table: readonly (readonly [Server, string, object, readonly Who[]])[] = [
    ["clock", "now", {}, ["alice", "dave", "bob", "machine"]],
    ["clock", "sleep", { ms: 1 }, ["alice", "dave"]],
    ["notes", "list_notes", {}, ["alice", "dave", "bob", "machine"]],
    ["notes", "add_note", { text: "x" }, ["alice", "dave"]],
    ["notes", "delete_note", { id: "none" }, ["alice"]],
    ["everything", "test_simple_text", {}, ["alice", "dave"]],
  ];
  test.each(table)("%s/%s", async (server, tool, args, allowed) => {
    for (const who of people) {
      const response = await callTool(tokenOf(who, server), server, tool, args);
      expect([who, response.status]).toEqual([who, allowed.includes(who) ? 200 : 403]);
      if (allowed.includes(who)) continue;
      // None of them is entitled to more: no challenge that would send a client through the browser for nothing.
      expect(response.headers.has("www-authenticate")).toBe(false);
      expect(await response.json()).toMatchObject({ id: 5, error: { data: { reason: "not_permitted" } } });
    }
  });

  test.each(table)("%s/%s in a session", async (server, tool, args, allowed) => {
    for (const who of people) {
      const response = await inSession(tokenOf(who, server), server, "tools/call", { name: tool, arguments: args });
      // Who may not even connect to a server has no session there.
      expect([who, response.status]).toEqual([who, allowed.includes(who) ? 200 : 403]);
      if (allowed.includes(who)) expect(response.headers.get("content-type")).toContain("text/event-stream");
      else expect(response.headers.has("www-authenticate")).toBe(false);
      await response.text();
    }
  });

  test("alice with a narrow token is told the one scope more that the tool needs", async () => {
    const narrow = await userToken("alice", "notes", "mcp/read");
    const challenge = async (tool: string) =>
      /scope="([^"]*)"/.exec((await callTool(narrow, "notes", tool)).headers.get("www-authenticate") ?? "")?.[1];
    expect(await challenge("add_note")).toBe("mcp/read mcp/write");
    expect(await challenge("delete_note")).toBe("mcp/read mcp/admin");
    expect(await challenge("no_such_tool")).toBe("mcp/read mcp/admin");
  });
});

/** A request in a session of 2025-11-25, whose answers are event streams. */
async function inSession(token: string, server: Server, method: string, params: Record<string, unknown> = {}) {
  const post = (message: object, session: Record<string, string> = {}) =>
    fetch(`${env.url}/${server}/mcp`, {
      method: "POST",
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...session,
      },
    });
  const clientInfo = { name: "test", version: "1" };
  const hello = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  const opened = await post({ id: 1, method: "initialize", params: hello });
  await opened.text();
  const id = opened.headers.get("mcp-session-id") ?? "";
  return post({ id: 5, method, params }, { "mcp-protocol-version": "2025-11-25", "mcp-session-id": id });
}

/** The names in a list: as 2026-07-28 has it, and in a session. */
const eras: Readonly<Record<string, (who: Who, server: Server, method: string) => Promise<ListAnswer>>> = {
  "2026-07-28": async (who, server, method) => listAnswer(await send(tokenOf(who, server), server, method)),
  "2025-11-25": async (who, server, method) => listAnswer(await inSession(tokenOf(who, server), server, method)),
};

interface ListAnswer {
  readonly status: number;
  readonly type: string | null;
  readonly names: readonly string[];
  readonly cacheScope: unknown;
}

async function listAnswer(response: Response): Promise<ListAnswer> {
  const text = await response.text();
  const data = /^data: (\{.*)$/m.exec(text)?.[1] ?? text;
  const { result = {} } = JSON.parse(data) as { result?: Record<string, unknown> };
  const entries = Object.values(result).find((value) => Array.isArray(value)) ?? [];
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    names: entries.map((entry: { name: string }) => entry.name),
    cacheScope: result.cacheScope,
  };
}

describe.each(Object.keys(eras))("lists in %s", (era) => {
  const ask = (who: Who, server: Server, method: string) => eras[era]?.(who, server, method);

  test.each<[Server, Readonly<Record<Who, readonly string[]>>]>([
    ["clock", { alice: ["now", "sleep"], dave: ["now", "sleep"], bob: ["now"], machine: ["now"] }],
    [
      "notes",
      {
        alice: ["list_notes", "add_note", "delete_note"],
        dave: ["list_notes", "add_note"],
        bob: ["list_notes"],
        machine: ["list_notes"],
      },
    ],
  ])("%s shows each their own tools", async (server, expected) => {
    for (const who of people) {
      const answer = await ask(who, server, "tools/list");
      expect([who, answer?.names]).toEqual([who, expected[who]]);
      expect(answer?.cacheScope).toBe(era === "2026-07-28" ? "private" : undefined);
      expect(answer?.type).toMatch(era === "2026-07-28" ? /json|event-stream/ : "text/event-stream");
    }
  });

  test("everything is for those who may write", async () => {
    expect((await ask("alice", "everything", "tools/list"))?.names).toContain("test_simple_text");
    expect((await ask("dave", "everything", "prompts/list"))?.names).toContain("test_simple_prompt");
    expect((await ask("bob", "everything", "tools/list"))?.status).toBe(403);
    expect((await ask("bob", "notes", "prompts/list"))?.names).toEqual(["summarize_notes"]);
    expect((await ask("bob", "notes", "resources/templates/list"))?.names).toEqual(["note"]);
  });
});

describe("what let others in elsewhere", () => {
  test.each(["carol", "erin"])("%s, in no group that gives anything, gets no token at all", async (name) => {
    const { location } = await signedIn(name, "notes");
    expect(location.searchParams.get("error")).toBe("access_denied");
  });

  const post = (token: string, body: string | undefined) =>
    fetch(`${env.url}/notes/mcp`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      ...(body === undefined ? {} : { body }),
    });
  const forbidden = {
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "delete_note", arguments: { id: "1" } },
  };
  const harmless = { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "list_notes", arguments: {} } };

  test.each([
    ["a batch with a forbidden call", JSON.stringify([harmless, forbidden]), 400],
    ["a batch of one", JSON.stringify([forbidden]), 400],
    ["no body", undefined, 400],
    ["a body that is no JSON", "{", 400],
    ["the name twice", JSON.stringify(harmless).replace('"name"', '"name":"delete_note","name"'), 400],
    ["the method in other letters", JSON.stringify({ ...forbidden, method: "Tools/Call" }), 403],
    ["a call without a name", JSON.stringify({ ...forbidden, params: {} }), 403],
    ["a long body in pieces", JSON.stringify({ ...forbidden, padding: "x".repeat(200_000) }), 403],
  ])("bob with %s", async (_what, body, status) => {
    expect((await post(tokenOf("bob", "notes"), body)).status).toBe(status);
  });

  test("a token for another server opens none of this one's tools", async () => {
    expect((await callTool(tokenOf("alice", "clock"), "notes", "list_notes")).status).toBe(401);
  });
});

test("carol with a token from when she was in a group: nothing, in lists and calls, in either era", async () => {
  env.cognito.pool.setGroups("carol@example.com", ["mcp-readers"]);
  const token = await userToken("carol", "notes");
  expect((await callTool(token, "notes", "list_notes")).status).toBe(200);
  env.cognito.pool.setGroups("carol@example.com", []);
  env.clock.advance(16 * 60_000);
  const asked = [
    await callTool(token, "notes", "list_notes"),
    await send(token, "notes", "tools/list"),
    await inSession(token, "notes", "tools/list"),
    await inSession(token, "notes", "tools/call", { name: "list_notes", arguments: {} }),
  ];
  for (const answer of asked) expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([403, null]);
});
