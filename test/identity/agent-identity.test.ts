import { Client, ClientCredentialsProvider, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadGatewayConfig } from "../../packages/cli/src/config/load-gateway-config.ts";
import { codeUnder } from "../docs/markdown.ts";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { postToken, tokenAnswer } from "../support/oauth-client.ts";

/** The pool of the agent identity mode: one resource server with `read` and `execute`, app clients that hold them. */
const agent = { id: "5exampleagent", secret: "agent-secret-of-these-tests" };
const reader = { id: "reader", secret: "reader-secret-of-these-tests" };
const [read, execute] = ["mcp-servers-unrestricted/read", "mcp-servers-unrestricted/execute"] as const;

let env: TestEnvironment;
beforeAll(async () => {
  // As the guide has it.
  const text = codeUnder("docs/guide/machines.md", "## Agents with Cognito tokens", "toml");
  const secrets = {
    COGNITO_CLIENT_SECRET: "x".repeat(40),
    SALLYPORT_SECRET: "qZ3v9LtX0cVb7NmKjHgFdSaPoIuYtReWq1w2e3r4t5y",
  };
  const { scopes, groups, machines } = (await loadGatewayConfig({ text, env: secrets })).config;
  env = await startEnvironment({
    pool: (pool) => ({
      ...pool,
      resourceServers: [
        {
          identifier: "mcp-servers-unrestricted",
          name: "MCP servers",
          scopes: [{ name: "read" }, { name: "execute" }],
        },
      ],
      clients: [
        ...(pool.clients ?? []).filter(({ allowedOAuthFlows }) => !allowedOAuthFlows?.includes("client_credentials")),
        { ...agent, allowedOAuthFlows: ["client_credentials"], scopes: [read, execute] },
        { ...reader, allowedOAuthFlows: ["client_credentials"], scopes: [read] },
      ],
    }),
    change: ({ policyTests: _, ...settings }) => ({
      ...settings,
      scopes,
      groups,
      machines: { ...machines, [reader.id]: { scopes: [read] } },
      servers: settings.servers?.map((server) => ({ ...server, requiredScopes: [] })) ?? [],
    }),
  });
}, 60_000);
afterAll(() => env.close());

const resourceOf = (server: string): string => `${env.url}/${server}/mcp`;

/** As the agent does it: a token from Cognito's own endpoint, shown to the gateway as it is. */
async function fromCognito({ id, secret }: typeof agent, scope?: string): Promise<string> {
  const form = { grant_type: "client_credentials", client_id: id, client_secret: secret, ...(scope ? { scope } : {}) };
  const response = await fetch(env.cognito.tokenUrl, { method: "POST", body: new URLSearchParams(form) });
  return (await tokenAnswer(response)).access_token;
}

/** The same by exchange here: the app client's id and secret, a token for one resource back. */
async function exchanged({ id, secret }: typeof agent, server: string, scope?: string) {
  const form = { grant_type: "client_credentials", client_id: id, client_secret: secret, resource: resourceOf(server) };
  return tokenAnswer(await postToken(env.url, scope === undefined ? form : { ...form, scope }));
}

const ask = (token: string, server: string, method: string, params: Readonly<Record<string, unknown>> = {}) =>
  fetch(statelessRequest(resourceOf(server), token, method, params));
const status = async (token: string, server: string, tool: string): Promise<number> =>
  (await ask(token, server, "tools/call", { name: tool, arguments: { text: "x" } })).status;

describe.each([
  ["a token straight from Cognito", (machine: typeof agent, _server: string) => fromCognito(machine)],
  [
    "a token by exchange",
    async (machine: typeof agent, server: string) => (await exchanged(machine, server)).access_token,
  ],
])("%s", (_what, tokenFor) => {
  test("with read and execute: lists and calls", async () => {
    const token = await tokenFor(agent, "notes");
    const list = await ask(token, "notes", "tools/list");
    expect(list.status).toBe(200);
    expect(await list.text()).toContain("add_note");
    expect(await status(token, "notes", "add_note")).toBe(200);
    expect(await status(await tokenFor(agent, "clock"), "clock", "now")).toBe(200);
  });

  test("with read alone: the list is there and empty, and no tool can be called", async () => {
    const token = await tokenFor(reader, "notes");
    const list = await ask(token, "notes", "tools/list");
    expect(list.status).toBe(200);
    expect(await list.text()).not.toContain("add_note");
    const refused = await ask(token, "notes", "tools/call", { name: "add_note", arguments: { text: "x" } });
    expect(refused.status).toBe(403);
    expect(refused.headers.has("www-authenticate")).toBe(false);
    expect(await refused.json()).toMatchObject({ error: { data: { reason: "not_permitted" } } });
  });
});

test("a narrow token is narrow by either way", async () => {
  expect(await status(await fromCognito(agent, read), "notes", "add_note")).toBe(403);
  expect(await status(await fromCognito(agent, execute), "notes", "add_note")).toBe(200);
  const narrow = await exchanged(agent, "notes", read);
  expect(narrow.scope).toBe(read);
  expect(await status(narrow.access_token, "notes", "add_note")).toBe(403);
});

test("Cognito's token is for every server, ours for the one it was asked for", async () => {
  const [cognitos, ours] = [await fromCognito(agent), (await exchanged(agent, "notes")).access_token];
  expect([await status(cognitos, "clock", "now"), await status(cognitos, "notes", "list_notes")]).toEqual([200, 200]);
  expect([await status(ours, "clock", "now"), await status(ours, "notes", "list_notes")]).toEqual([401, 200]);
});

test("the SDK gets its token by itself, and the next one", async () => {
  const { id: clientId, secret: clientSecret } = agent;
  const authProvider = new ClientCredentialsProvider({ clientId, clientSecret, expectedIssuer: env.url });
  const client = new Client({ name: "agent", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(resourceOf("notes")), { authProvider }));
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain("add_note");
  expect((await client.callTool({ name: "list_notes", arguments: {} })).isError).not.toBe(true);
  await client.close();
});
