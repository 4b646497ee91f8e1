import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { createGateway, type GatewayConfig } from "@sallyport/gateway";
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
import { createHealth } from "./health.ts";
import { serverResources, serversWithScopes } from "./server-resources.ts";

/** A running gateway. */
export interface RunningServer {
  /** Port it really listens on. */
  readonly port: number;
  /**
   * Takes no more requests, lets what is open end in an orderly way, breaks off what is left, then closes store and
   * audit. Safe to call twice.
   * @param deadline milliseconds that open requests have; default 3000. Counts at the first call.
   */
  close(deadline?: number): Promise<void>;
}

/** Readers of a kill switch that come together share a read for so long, milliseconds: streams are judged that much earlier. */
const switchAge = 1000;

/** How often a closing server looks whether its requests are over, in milliseconds. */
const closingPoll = 20;

/**
 * Composes the authorization server and the gateway over one configuration and listens. The store, the given one too,
 * and the audit sink are closed with it, also when it cannot start.
 * Rejects with the system's error (`EADDRINUSE`, `EACCES`) if it cannot listen, StoreUnavailable if the store cannot be
 * opened, ConfigError for settings that only the library can judge.
 */
export async function startServer(
  config: CoreConfig & GatewayConfig,
  runtime: Partial<SallyportRuntime> = {},
): Promise<RunningServer> {
  const clock = runtime.clock ?? systemClock;
  const random = runtime.random ?? systemRandom;
  const logger = runtime.logger ?? silentLogger;
  const audit = runtime.audit ?? noAudit;
  const closeParts = async (): Promise<void> => {
    await runtime.store?.close();
    await audit.close();
  };

  const resources = [...config.resources, ...serverResources(config)];
  const auth = await orElse(closeParts, () =>
    createSallyport({ ...config, resources }, { ...runtime, clock, random, logger, audit }),
  );

  const health = createHealth(() => auth.readiness());
  // Once now, so that the log tells an operator what is wrong before a load balancer asks.
  void auth.readiness();
  const pages = getRequestListener(
    (request, env) => {
      const socket = "incoming" in env ? env.incoming.socket : undefined;
      return auth.fetch(request, socket?.remoteAddress === undefined ? {} : { address: socket.remoteAddress });
    },
    // Which URL a request meant is decided by the configuration; this is only the parser's base.
    { hostname: new URL(config.baseUrl).host, overrideGlobalObjects: false },
  );
  const next = (req: IncomingMessage, res: ServerResponse): void => {
    if (health.handle(req, res)) return;
    pages(req, res).catch((error: unknown) => {
      logger.error("a request could not be answered", { error: error instanceof Error ? error.message : "unknown" });
      res.destroy();
    });
  };

  return orElse(
    () => auth.close(),
    async () => {
      const gateway = createGateway({
        servers: serversWithScopes(config),
        scopes: config.scopes,
        deny: config.deny,
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
        grantCheckInterval: Math.max(0, config.tokens.grantCheckInterval - switchAge),
        next,
      });

      let open = 0;
      const server = createServer((req, res) => {
        open += 1;
        res.once("close", () => {
          open -= 1;
        });
        gateway.handle(req, res);
      });
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(config.listen.port, config.listen.host, () => {
          server.off("error", reject);
          resolve();
        });
      });
      server.on("error", (error) => logger.error("the listener failed", { error: error.message }));
      const address = server.address();

      const close = async (deadline: number): Promise<void> => {
        const end = clock.monotonic() + deadline;
        health.stop();
        const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
        // A connection that is in use now gets one more answer, which tells the client to go on elsewhere.
        server.maxRequestsPerSocket = 1;
        await gateway.close(deadline);
        // Sign-in and token requests may finish too; connections that are open but ask nothing are not waited for.
        while (open > 0 && clock.monotonic() < end) await clock.sleep(closingPoll);
        server.closeAllConnections();
        await stopped;
        await auth.close();
      };
      let closing: Promise<void> | undefined;
      return {
        port: typeof address === "object" && address ? address.port : config.listen.port,
        close: (deadline = 3000) => {
          closing ??= close(deadline);
          return closing;
        },
      };
    },
  );
}

/** Does something; where that fails, cleans up before passing the failure on. */
async function orElse<T>(cleanUp: () => Promise<void>, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    await cleanUp();
    throw error;
  }
}
