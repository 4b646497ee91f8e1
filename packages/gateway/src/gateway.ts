import { Agent as HttpAgent, type IncomingMessage, type ServerResponse } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { AuditSink, BearerVerifier, Clock, Logger, Random } from "sallyport";
import { type ResourceEntry, resourcesFor } from "./config/resources.ts";
import type { ServerConfig } from "./config/section.ts";
import { compile, type PolicyConfig } from "./policy/compile.ts";
import { createHostCheck } from "./proxy/check-host.ts";
import { createCors } from "./proxy/cors.ts";
import type { Exchange } from "./proxy/exchange.ts";
import { closing as closingFault } from "./proxy/faults.ts";
import { createRequestHandler } from "./proxy/handle-request.ts";
import { createOpenExchanges } from "./proxy/open-exchanges.ts";
import { createRoutes, findRoute } from "./proxy/route.ts";
import { createSessionEnvelopes } from "./proxy/session-envelope.ts";

/** What a gateway is made of. */
export interface GatewayOptions {
  readonly servers: readonly ServerConfig[];
  /** What scopes give at servers; without any rule each server goes by its required scopes alone. */
  readonly scopes: PolicyConfig["scopes"];
  readonly deny: PolicyConfig["deny"];
  /** Public URL, without a trailing slash. */
  readonly baseUrl: string;
  readonly verifier: BearerVerifier;
  /** Web origins whose scripts may call, besides our own; on loopback hosts `:*` stands for any port. */
  readonly allowedOrigins: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly audit: AuditSink;
  /** 32 bytes each; the first seals session ids, all open them. */
  readonly sessionKeys: readonly Uint8Array[];
  /** Bytes. */
  readonly maxRequestBody: number;
  /** Open requests of one user or machine. */
  readonly maxOpenRequests: number;
  /** Milliseconds after which open responses are judged again. */
  readonly grantCheckInterval: number;
  /** Answers everything that is not a server's MCP endpoint. */
  readonly next: (req: IncomingMessage, res: ServerResponse) => void;
}

/** The gateway, to be put before a Node HTTP server. */
export interface Gateway {
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** The protected resources that the library must know. */
  readonly resources: readonly ResourceEntry[];
  /**
   * Takes no more requests, ends streams that only wait for news, and lets the others finish. At the deadline streams end
   * in an orderly way too, calls without an answer are told to try again, and what is left is broken off.
   * @param deadline milliseconds that the others have; default 3000
   */
  close(deadline?: number): Promise<void>;
}

/** Shorter than the 5 s after which common servers close a kept connection, so that none is used as it goes. */
const idleConnection = 4000;

/** How long what is ended at the deadline has to reach its client, in milliseconds. */
const lastWord = 50;

/**
 * @throws TypeError or RangeError for options that cannot work: a wrong origin, a session key of the wrong length
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { servers, clock, baseUrl, verifier } = options;
  const routes = createRoutes(baseUrl, servers);
  const agents = {
    http: new HttpAgent({ keepAlive: true, timeout: idleConnection, maxFreeSockets: 256 }),
    https: new HttpsAgent({ keepAlive: true, timeout: idleConnection, maxFreeSockets: 256 }),
  };
  const open = createOpenExchanges<Exchange>({
    clock,
    interval: options.grantCheckInterval,
    timeouts: servers.map((server) => server.timeout),
  });
  const resourceOf = new Map([...routes.values()].map((route) => [route.name, route.resource]));
  const policy = compile(
    {
      servers: servers.map(({ name, requiredScopes }) => ({
        name,
        resource: resourceOf.get(name) ?? "",
        requiredScopes,
      })),
      scopes: options.scopes,
      deny: options.deny,
    },
    verifier,
  );
  const handleRequest = createRequestHandler({
    ...options,
    agents,
    open,
    policy,
    envelopes: createSessionEnvelopes(options.sessionKeys, options.random),
    cors: createCors(baseUrl, options.allowedOrigins),
    isOwnHost: createHostCheck(baseUrl),
  });
  let closing: Promise<void> | undefined;

  const finish = async (deadline: number): Promise<void> => {
    for (const exchange of open) exchange.close();
    const end = clock.monotonic() + deadline;
    while (open.size > 0 && clock.monotonic() < end) await clock.sleep(50);
    for (const exchange of open) exchange.abort();
    if (open.size > 0 && deadline > 0) await clock.sleep(lastWord);
    for (const exchange of open) exchange.abort();
    open.stop();
    agents.http.destroy();
    agents.https.destroy();
  };

  return {
    resources: resourcesFor({ servers }),
    handle(req, res) {
      const route = findRoute(routes, req.url ?? "");
      if (route === undefined) return options.next(req, res);
      if (closing === undefined) return handleRequest(req, res, route);
      const { status, headers = [], code, text } = closingFault;
      const fixed = ["Content-Type", "application/json", "X-Content-Type-Options", "nosniff"];
      res.writeHead(status, [...fixed, ...headers]);
      res.end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code, message: text } }));
    },
    close(deadline = 3000) {
      closing ??= finish(deadline);
      return closing;
    },
  };
}
