import { z } from "zod";
import { type Endpoint, type McpAnswer, McpFault, post, reach } from "./mcp-exchange.ts";

/** What kinds of things a server lists, by the word for one. */
export type ListedKind = "tool" | "prompt" | "resource" | "template";

/** What a server says it has: names of tools and prompts, URIs of resources, URI templates. */
export type ServerLists = Readonly<Record<ListedKind, readonly string[]>>;

const lists = [
  { kind: "tool", capability: "tools", method: "tools/list", member: "tools", key: "name" },
  { kind: "prompt", capability: "prompts", method: "prompts/list", member: "prompts", key: "name" },
  { kind: "resource", capability: "resources", method: "resources/list", member: "resources", key: "uri" },
  {
    kind: "template",
    capability: "resources",
    method: "resources/templates/list",
    member: "resourceTemplates",
    key: "uriTemplate",
  },
] as const;

const stateless = "2026-07-28";
const withSessions = "2025-11-25";
const clientInfo = { name: "sallyport", version: "1" };
const methodNotFound = -32601;
/** A list of more pages than this is no list. */
const mostPages = 1000;

/** A way to ask a server, as its revision wants it. */
interface Asked {
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly ask: (method: string, params: Readonly<Record<string, unknown>>) => Promise<McpAnswer>;
  readonly end: () => Promise<void>;
}

/**
 * Asks a server for everything it lists: as MCP 2026-07-28 has it, else in a session of an earlier revision.
 * @throws McpFault for a server that cannot be asked; the message says why
 */
export async function listsOf(endpoint: Endpoint): Promise<ServerLists> {
  const server = (await withoutSession(endpoint)) ?? (await inSession(endpoint));
  try {
    const found: Record<ListedKind, readonly string[]> = { tool: [], prompt: [], resource: [], template: [] };
    for (const { kind, capability, ...list } of lists) {
      if (Object.hasOwn(server.capabilities, capability)) found[kind] = await whole(server, list);
    }
    return found;
  } finally {
    await server.end();
  }
}

async function whole(
  server: Asked,
  { method, member, key }: { readonly method: string; readonly member: string; readonly key: string },
): Promise<readonly string[]> {
  const names = new Set<string>();
  const cursors = new Set<string>();
  for (let params = {}; cursors.size < mostPages; ) {
    const answer = await server.ask(method, params);
    if (!("result" in answer)) {
      if (answer.errorCode === methodNotFound) return [];
      throw refusal(method, answer);
    }
    const entries = z.array(z.unknown()).safeParse(answer.result[member]);
    if (!entries.success) throw new McpFault(`answers ${method} without ${member}`);
    for (const entry of entries.data) {
      const name = z.object({ [key]: z.string() }).safeParse(entry).data?.[key];
      if (name !== undefined) names.add(name);
    }
    const cursor = answer.result.nextCursor;
    if (typeof cursor !== "string") return [...names];
    if (cursors.has(cursor)) break;
    cursors.add(cursor);
    params = { cursor };
  }
  throw new McpFault(`answers ${method} with page after page without end`);
}

/** @returns `undefined` for a server of an earlier revision */
async function withoutSession(endpoint: Endpoint): Promise<Asked | undefined> {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": stateless,
    "io.modelcontextprotocol/clientInfo": clientInfo,
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const ask: Asked["ask"] = async (method, params) => {
    const headers = { "mcp-protocol-version": stateless, "mcp-method": method };
    return answered(await post(endpoint, { method, params: { ...params, _meta: meta } }, headers));
  };
  // Every server of this revision has it; one of an earlier revision knows no such method.
  const discovered = await ask("server/discover", {});
  const capabilities = "result" in discovered ? discovered.result.capabilities : undefined;
  return isObject(capabilities) ? { capabilities, ask, end: async () => {} } : undefined;
}

async function inSession(endpoint: Endpoint): Promise<Asked> {
  const params = { protocolVersion: withSessions, capabilities: {}, clientInfo };
  const opened = answered(await post(endpoint, { method: "initialize", params }, {}));
  if (!("result" in opened)) throw refusal("initialize", opened);
  const { capabilities, protocolVersion } = opened.result;
  const headers = {
    "mcp-protocol-version": typeof protocolVersion === "string" ? protocolVersion : withSessions,
    ...(opened.sessionId === undefined ? {} : { "mcp-session-id": opened.sessionId }),
  };
  await post(endpoint, { method: "notifications/initialized", isNotification: true }, headers);
  return {
    capabilities: isObject(capabilities) ? capabilities : {},
    ask: async (method, asked) => answered(await post(endpoint, { method, params: asked }, headers)),
    async end() {
      if (opened.sessionId === undefined) return;
      // A server that does not end sessions on request lets them run out.
      const ended = reach(endpoint, { method: "DELETE", headers: { ...endpoint.headers, ...headers } });
      await ended.then((response) => response.body?.cancel()).catch(() => undefined);
    },
  };
}

function refusal(method: string, { errorCode, status }: Exclude<McpAnswer, { readonly result: unknown }>): McpFault {
  if (errorCode !== undefined) return new McpFault(`refuses ${method} (error ${errorCode})`);
  if (status >= 400) return new McpFault(`refuses ${method} (status ${status})`);
  return new McpFault("answers no JSON-RPC; is this the URL of its MCP endpoint?");
}

function answered(answer: McpAnswer | undefined): McpAnswer {
  if (answer === undefined) throw new McpFault("does not answer");
  return answer;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
