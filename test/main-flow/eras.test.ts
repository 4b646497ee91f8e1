import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { postToken, tokenAnswer } from "../support/oauth-client.ts";

/** A server of the 2025 revisions alone, with sessions, as SDK 1.x makes it. */
function sessionServer(): RequestListener {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const id = req.headers["mcp-session-id"];
    const known = transports.get(String(id));
    if (known) return known.handleRequest(req, res);
    if (id !== undefined) return void res.writeHead(404).end();
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void transports.set(id, transport),
      onsessionclosed: (id) => void transports.delete(id),
    });
    const server = new McpServerV1({ name: "sessions", version: "1" });
    server.registerTool("hello", {}, () => ({ content: [{ type: "text", text: "hello" }] }));
    // Its types refuse themselves under exactOptionalPropertyTypes.
    await server.connect(transport as Transport);
    await transport.handleRequest(req, res);
  };
  return (req, res) => void answer(req, res).catch(() => res.destroy());
}

/** A server of 2026-07-28 alone. */
function statelessServer(): RequestListener {
  const handler = createMcpHandler(
    () => {
      const server = new McpServer({ name: "stateless", version: "1" });
      server.registerTool("hello", {}, () => ({ content: [{ type: "text", text: "hello" }] }));
      return server;
    },
    { legacy: "reject" },
  );
  const answer = toNodeHandler(handler);
  return (req, res) => void answer(Object.assign(req, { method: req.method ?? "", url: req.url ?? "/" }), res);
}

const upstreams: Server[] = [];
async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  upstreams.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}/mcp`;
}

let env: TestEnvironment;
const tokens = new Map<string, string>();
beforeAll(async () => {
  const [sessions, stateless] = [await listen(sessionServer()), await listen(statelessServer())];
  env = await startEnvironment({
    change: ({ policyTests: _, ...settings }) => ({
      ...settings,
      scopes: { "mcp/read": { allow: [{ servers: ["*"], tools: ["*"], methods: ["all"] }] } },
      groups: {},
      servers: [
        { name: "sessions", url: sessions },
        { name: "stateless", url: stateless },
        ...(settings.servers ?? []),
      ],
    }),
  });
  for (const server of ["sessions", "stateless", "notes"]) {
    const { clientId: client_id, clientSecret: client_secret } = env.machine;
    const form = { grant_type: "client_credentials", client_id, client_secret, resource: urlOf(server) };
    tokens.set(server, (await tokenAnswer(await postToken(env.url, form))).access_token);
  }
}, 60_000);
afterAll(async () => {
  await env.close();
  for (const server of upstreams) server.close().closeAllConnections();
});

const urlOf = (server: string): string => `${env.url}/${server}/mcp`;
const stateless = (server: string, method: string, params: Readonly<Record<string, unknown>> = {}) =>
  fetch(statelessRequest(urlOf(server), tokens.get(server), method, params));
const post = (server: string, message: object, headers: Readonly<Record<string, string>> = {}) =>
  fetch(urlOf(server), {
    method: "POST",
    body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    headers: {
      authorization: `Bearer ${tokens.get(server)}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
  });
const initialize = (protocolVersion: string) => ({
  id: 1,
  method: "initialize",
  params: { protocolVersion, capabilities: {}, clientInfo: { name: "test", version: "1" } },
});
/** The message of an answer in either framing. */
const messageOf = async (response: Response): Promise<Record<string, unknown>> => {
  const text = await response.text();
  return JSON.parse(/^data: (\{.*)$/m.exec(text)?.[1] ?? text);
};

describe.each(["sessions", "notes"])("a server with sessions (%s)", (server) => {
  test.each(["2025-03-26", "2025-06-18", "2025-11-25"])(
    "in %s: a session from its beginning to its end",
    async (version) => {
      const opened = await post(server, initialize(version));
      expect(opened.status).toBe(200);
      expect(await messageOf(opened)).toMatchObject({ id: 1, result: { protocolVersion: version } });
      const session = {
        "mcp-session-id": opened.headers.get("mcp-session-id") ?? "",
        // The first revision knows no such header.
        ...(version === "2025-03-26" ? {} : { "mcp-protocol-version": version }),
      };
      expect((await post(server, { method: "notifications/initialized" }, session)).status).toBe(202);
      const list = await post(server, { id: 2, method: "tools/list" }, session);
      expect(await messageOf(list)).toMatchObject({ id: 2, result: { tools: expect.any(Array) } });
      const bearer = { authorization: `Bearer ${tokens.get(server)}` };
      const news = await fetch(urlOf(server), { headers: { ...bearer, ...session, accept: "text/event-stream" } });
      expect([news.status, news.headers.get("content-type")]).toEqual([
        200,
        expect.stringContaining("text/event-stream"),
      ]);
      await news.body?.cancel();
      const batch = JSON.stringify([{ jsonrpc: "2.0", id: 3, method: "ping" }]);
      const refused = await fetch(urlOf(server), {
        method: "POST",
        body: batch,
        headers: {
          ...bearer,
          ...session,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
        },
      });
      expect(refused.status).toBe(400);
      expect((await fetch(urlOf(server), { method: "DELETE", headers: { ...bearer, ...session } })).ok).toBe(true);
      expect((await post(server, { id: 4, method: "tools/list" }, session)).status).toBe(404);
    },
  );
});

describe.each(["stateless", "notes"])("a server of 2026-07-28 (%s)", (server) => {
  test("is discovered, listed and called, each request by itself", async () => {
    const discovered = await messageOf(await stateless(server, "server/discover"));
    expect(discovered).toMatchObject({ result: { supportedVersions: expect.arrayContaining(["2026-07-28"]) } });
    const list = await messageOf(await stateless(server, "tools/list"));
    expect(list).toMatchObject({ result: { tools: expect.any(Array), cacheScope: "private" } });
    const listening = await stateless(server, "subscriptions/listen", { notifications: { toolsListChanged: true } });
    expect([listening.status, listening.headers.get("x-accel-buffering")]).toEqual([200, "no"]);
    await listening.body?.cancel();
  });

  test("its header says which revision a request is of, or it goes nowhere", async () => {
    const request = statelessRequest(urlOf(server), tokens.get(server), "tools/list");
    request.headers.delete("mcp-protocol-version");
    const refused = await fetch(request);
    expect(refused.status).toBe(400);
    expect(await messageOf(refused)).toMatchObject({ id: 5, error: { code: -32020 } });
  });
});

describe("where the client's era and the server's differ nothing is translated, and an error says so", () => {
  test("a request of 2026-07-28 at a server with sessions alone: the server's own words", async () => {
    for (const [method, params] of [
      ["server/discover", {}],
      ["tools/call", { name: "hello", arguments: {} }],
    ] as const) {
      const refused = await stateless("sessions", method, params);
      expect([method, refused.status]).toEqual([method, 400]);
      expect(await messageOf(refused)).toMatchObject({
        error: { code: expect.any(Number), message: expect.stringMatching(/version|initialized|session/i) },
      });
    }
  });

  test("initialize at a server of 2026-07-28 alone: the server's own words, with what it supports", async () => {
    for (const version of ["2025-03-26", "2025-11-25"]) {
      const refused = await post("stateless", initialize(version));
      expect(refused.status).toBe(400);
      expect(await messageOf(refused)).toMatchObject({ error: { code: -32022, data: { supported: ["2026-07-28"] } } });
    }
  });

  test("so that a client which knows both finds its way by itself", async () => {
    for (const server of ["sessions", "stateless", "notes"]) {
      const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
      const requestInit = { headers: { authorization: `Bearer ${tokens.get(server)}` } };
      await client.connect(new StreamableHTTPClientTransport(new URL(urlOf(server)), { requestInit }));
      expect((await client.listTools()).tools.length).toBeGreaterThan(0);
      await client.close();
    }
  });
});
