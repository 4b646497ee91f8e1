import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { createGateway, type GatewayConfig, resourcesFor } from "@sallyport/gateway";
import {
  type CoreConfig,
  createSallyport,
  deriveRootKeys,
  noAudit,
  type SallyportRuntime,
  silentLogger,
  systemClock,
  systemRandom,
} from "sallyport";

/** A running gateway. */
export interface RunningServer {
  /** Port it really listens on. */
  readonly port: number;
  /** Takes no more requests, ends what is open in an orderly way, then closes the store. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Composes the authorization server and the gateway over one configuration and listens.
 * Rejects with the system's error (`EADDRINUSE`, `EACCES`) if it cannot listen.
 */
export async function startServer(
  config: CoreConfig & GatewayConfig,
  runtime: Partial<SallyportRuntime> = {},
): Promise<RunningServer> {
  const clock = runtime.clock ?? systemClock;
  const random = runtime.random ?? systemRandom;
  const logger = runtime.logger ?? silentLogger;
  const audit = runtime.audit ?? noAudit;
  const resources = [...config.resources, ...resourcesFor(config)];
  const auth = await createSallyport({ ...config, resources }, { ...runtime, clock, random, logger, audit });

  let ready = true;
  const pages = getRequestListener(
    (request, env) => {
      const socket = "incoming" in env ? env.incoming.socket : undefined;
      return auth.fetch(request, { address: addressOf(socket?.remoteAddress) });
    },
    // Which URL a request meant is decided by the configuration; this is only the parser's base.
    { hostname: new URL(config.baseUrl).host, overrideGlobalObjects: false },
  );
  const next = (req: IncomingMessage, res: ServerResponse): void => {
    if (req.url === "/healthz") return answer(res, 200, "ok");
    if (req.url === "/readyz") return answer(res, ready ? 200 : 503, ready ? "ready" : "stopping");
    pages(req, res).catch((error: unknown) => {
      logger.error("a request could not be answered", { error: error instanceof Error ? error.message : "unknown" });
      res.destroy();
    });
  };
  const gateway = createGateway({
    servers: config.servers,
    baseUrl: config.baseUrl,
    verifier: auth.verifier,
    allowedOrigins: config.allowedOrigins,
    clock,
    random,
    logger,
    audit,
    sessionKeys: deriveRootKeys(config.secret).all.map((key) => key.session),
    maxRequestBody: config.maxRequestBody,
    maxOpenRequests: config.maxOpenRequests,
    grantCheckInterval: config.tokens.grantCheckInterval,
    next,
  });

  const server = createServer((req, res) => gateway.handle(req, res));
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(config.listen.port, config.listen.host, resolve);
    });
  } catch (error) {
    await auth.close();
    throw error;
  }
  const address = server.address();
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    ready = false;
    const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    await gateway.close();
    server.closeAllConnections();
    await stopped;
    await auth.close();
  };
  return {
    port: typeof address === "object" && address ? address.port : config.listen.port,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

function answer(res: ServerResponse, status: number, text: string): void {
  res.writeHead(status, { "Content-Type": "text/plain", "Cache-Control": "no-store" }).end(`${text}\n`);
}

/** One IPv6 customer has at least a /64: limits count it as one address. */
function addressOf(address: string | undefined): string {
  if (address === undefined) return "unknown";
  if (!address.includes(":") || address.startsWith("::ffff:")) return address.replace("::ffff:", "");
  const [head = "", tail = ""] = address.split("::");
  const groups = head.split(":").filter((group) => group !== "");
  const after = tail.split(":").filter((group) => group !== "");
  const zeros = address.includes("::") ? Array<string>(Math.max(0, 8 - groups.length - after.length)).fill("0") : [];
  return [...groups, ...zeros, ...after].slice(0, 4).join(":");
}
