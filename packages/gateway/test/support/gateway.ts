import type { RequestListener } from "node:http";
import {
  type AuditEvent,
  deriveRootKeys,
  type LogFields,
  type Logger,
  memoryAudit,
  memoryStore,
  sharedCounts,
  systemRandom,
} from "sallyport";
import { afterEach } from "vitest";
import { createGateway, type Gateway, type GatewayOptions, gatewaySection } from "../../src/index.ts";
import { type Answer, type Send, send, serve } from "./http.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";
import { type Holder, type TokenMap, tokenMap } from "./token-map.ts";

/** People and machines of the tests, by token. */
export const holders: Readonly<Record<string, Holder>> = {
  alice: { subject: "sub-alice", scopes: ["mcp/read", "mcp/write"] },
  alice2: { subject: "sub-alice", scopes: ["mcp/read"], clientId: "client-2" },
  bob: { subject: "sub-bob", scopes: ["mcp/read"] },
  "bob-narrow": { subject: "sub-bob", scopes: ["mcp/other"], entitled: ["mcp/other", "mcp/read"] },
  carol: { subject: "sub-carol", scopes: [] },
  robot: { subject: "sub-alice", scopes: ["mcp/read"], kind: "machine", clientId: "client-1" },
};

export interface TestGateway {
  readonly port: number;
  readonly baseUrl: string;
  readonly gateway: Gateway;
  readonly tokens: TokenMap;
  readonly clock: ManualClock;
  readonly events: readonly AuditEvent[];
  readonly logs: { readonly message: string; readonly fields: LogFields | undefined }[];
  /** A request with alice's token, unless headers say otherwise. */
  send(options?: Send): Promise<Answer>;
  /** A JSON-RPC message over POST. */
  post(message: unknown, headers?: Readonly<Record<string, string>>, server?: string): Promise<Answer>;
}

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** An upstream on loopback that ends with the test. */
export async function startUpstream(handler: RequestListener) {
  const server = await serve(handler);
  closers.push(server.close);
  return server;
}

/** Echoes what reached it, as JSON. */
export const echo: RequestListener = (req, res) => {
  const chunks: Buffer[] = [];
  req.on("data", (chunk: Buffer) => chunks.push(chunk));
  req.on("end", () => {
    const body = Buffer.concat(chunks).toString("latin1");
    res.setHeader("Content-Type", "application/json");
    res.end(JSON.stringify({ method: req.method, url: req.url, rawHeaders: req.rawHeaders, body }));
  });
};

/** A gateway with the servers `clock` and `notes` (needs mcp/read) that ends with the test. */
export async function startGateway(
  upstreams: { readonly clock: string; readonly notes?: string; readonly timeout?: string },
  options: Partial<GatewayOptions> = {},
): Promise<TestGateway> {
  let gateway: Gateway | undefined;
  const server = await serve((req, res) => gateway?.handle(req, res));
  const baseUrl = options.baseUrl ?? `http://localhost:${server.port}`;
  const { timeout = "60s" } = upstreams;
  const config = gatewaySection.parse({
    servers: [
      { name: "clock", url: upstreams.clock, timeout },
      { name: "notes", url: upstreams.notes ?? upstreams.clock, timeout, requiredScopes: ["mcp/read"] },
    ],
  });
  const tokens = tokenMap(baseUrl, holders);
  const clock = manualClock();
  const audit = memoryAudit();
  const logs: TestGateway["logs"] = [];
  const log = (message: string, fields?: LogFields): void => void logs.push({ message, fields });
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const made = createGateway({
    servers: config.servers,
    scopes: config.scopes,
    deny: config.deny,
    quotas: config.quotas,
    counts: sharedCounts({
      store: memoryStore({ clock, random: systemRandom }),
      keys: deriveRootKeys(["x".repeat(43)]),
      clock,
    }),
    baseUrl,
    verifier: tokens,
    allowedOrigins: [],
    clock,
    random: systemRandom,
    logger,
    audit,
    sessionKeys: [new Uint8Array(32).fill(1)],
    maxRequestBody: config.maxRequestBody,
    maxOpenRequests: config.maxOpenRequests,
    grantCheckInterval: 15_000,
    // Streams stay as silent as the test has them.
    eventStreamKeepAlive: 0,
    next: (_req, res) => res.writeHead(404, { "X-Handled-By": "next" }).end(),
    ...options,
  });
  gateway = made;
  closers.push(server.close, () => made.close(0));
  const withToken: TestGateway["send"] = ({ headers = {}, ...rest } = {}) =>
    send(server.port, {
      path: "/clock/mcp",
      headers: Array.isArray(headers) ? headers : { Authorization: "Bearer alice", ...headers },
      ...rest,
    });
  return {
    port: server.port,
    baseUrl,
    gateway: made,
    tokens,
    clock,
    events: audit.events,
    logs,
    send: withToken,
    post: (message, headers = {}, name = "clock") =>
      withToken({
        method: "POST",
        path: `/${name}/mcp`,
        headers: { "Content-Type": "application/json", ...headers },
        body: JSON.stringify(message),
      }),
  };
}

/** A tools/call request. */
export const call = (name: string, extra: Readonly<Record<string, unknown>> = {}) => ({
  jsonrpc: "2.0",
  id: 7,
  method: "tools/call",
  params: { name, arguments: {}, ...extra },
});
