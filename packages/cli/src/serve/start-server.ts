import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import {
  createGateway,
  createTelemetry,
  type GatewayConfig,
  type LiveOptions,
  type TelemetryOptions,
} from "@sallyport/gateway";
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
import { version } from "../process/version.ts";
import { certificateHosts, readKeyPair } from "./certificate.ts";
import { type CertificateWatch, watchCertificate } from "./certificate-watch.ts";
import { createHealth } from "./health.ts";
import { createListener } from "./listener.ts";
import { serverResources, serversWithScopes } from "./server-resources.ts";

/** A running gateway. */
export interface RunningServer {
  /** Port it really listens on. */
  readonly port: number;
  /** Reads the certificate and its key now if they have changed, and not at the next look. Never rejects. */
  lookAtCertificate(): Promise<void>;
  /** The metrics of this process in the Prometheus text format. */
  metricsText(): Promise<string>;
  /** Port of the listener for metrics alone, if there is one. */
  readonly metricsPort: number | undefined;
  /**
   * Takes over other settings at once and as a whole, without an interruption; what is open is judged anew. Settings of
   * the listener, of workers and of telemetry are not looked at.
   * @throws ConfigError or TypeError, and nothing has changed
   */
  reconfigure(config: CoreConfig & GatewayConfig): void;
  /**
   * Takes no more requests, lets what is open end in an orderly way, breaks off what is left, then closes store and
   * audit. Safe to call twice.
   * @param deadline milliseconds that open requests have; default 3000. Counts at the first call.
   */
  close(deadline?: number): Promise<void>;
}

/** What may be handed in instead of the machine's own. */
export interface ServerRuntime extends SallyportRuntime {
  /** Where this process is one of several that share their metrics. */
  readonly metrics: Pick<TelemetryOptions, "metricsSource" | "ownsListener">;
}

/** Readers of a kill switch that come together share a read for so long, milliseconds: streams are judged that much earlier. */
const switchAge = 1000;

/** How long a collector has for the last traces and metrics, however long requests took, in milliseconds. */
const lastExport = { least: 500, most: 2000 };

/** How often a closing server looks whether its requests are over, in milliseconds. */
const closingPoll = 20;

/**
 * Composes the authorization server and the gateway over one configuration and listens. The store, the given one too,
 * and the audit sink are closed with it, also when it cannot start.
 * Rejects with the system's error (`EADDRINUSE`, `EACCES`) if it cannot listen, StoreUnavailable if the store cannot be
 * opened, ConfigError for settings that only the library can judge, CommandFailure for a certificate that cannot be
 * used.
 * @param config with whole paths in `tls`
 */
export async function startServer(
  config: CoreConfig & GatewayConfig,
  runtime: Partial<ServerRuntime> = {},
): Promise<RunningServer> {
  const clock = runtime.clock ?? systemClock;
  const random = runtime.random ?? systemRandom;
  const logger = runtime.logger ?? silentLogger;
  const trail = runtime.audit ?? noAudit;
  const closeGiven = async (): Promise<void> => {
    await runtime.store?.close();
    await trail.close();
  };
  const { trustedProxies } = config;
  const told = { ...runtime.metrics, clock, random, logger, trustedProxies, version: version() };
  const telemetry = await orElse(closeGiven, () => createTelemetry({ ...told, config: config.telemetry }));
  const { observer } = telemetry;
  const audit = telemetry.audited(trail);
  const closeParts = async (): Promise<void> => {
    await closeGiven();
    await telemetry.close();
  };

  const { tls } = config;
  const pair = tls && (await orElse(closeParts, () => readKeyPair(tls)));
  const withServers = (settings: CoreConfig & GatewayConfig): CoreConfig => ({
    ...settings,
    resources: [...settings.resources, ...serverResources(settings)],
  });
  const auth = await orElse(closeParts, () =>
    createSallyport(withServers(config), {
      ...runtime,
      clock,
      random,
      logger,
      audit,
      ...(observer === undefined ? {} : { observer }),
    }),
  );
  telemetry.watchReadiness(() => auth.readiness());

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
    async () => {
      await auth.close();
      await telemetry.close();
    },
    async () => {
      const gateway = createGateway({
        ...liveOptions(config),
        baseUrl: config.baseUrl,
        verifier: auth.verifier,
        identityAssertions: auth.identityAssertions,
        counts: auth.counts,
        clock,
        random,
        logger,
        audit,
        telemetry,
        sessionKeys: deriveRootKeys(config.secret).all.map((key) => key.session),
        grantCheckInterval: Math.max(0, config.tokens.grantCheckInterval - switchAge),
        next,
      });

      const listener = createListener({
        connections: config.connections,
        tls: pair,
        behindProxy: config.trustedProxies.length > 0,
        handle: gateway.handle,
        clock,
        logger,
      });
      telemetry.watchListener(listener.state);
      const { server } = listener;
      const port = await listener.listen(config.listen.host, config.listen.port);
      let certificate: CertificateWatch | undefined;
      if (tls !== undefined && pair !== undefined) {
        const hosts = certificateHosts(config);
        certificate = watchCertificate({ files: tls, pair, hosts, clock, logger, use: listener.changeCertificate });
      }

      const close = async (deadline: number): Promise<void> => {
        const end = clock.monotonic() + deadline;
        health.stop();
        certificate?.stop();
        const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
        // A connection that is in use now gets one more answer, which tells the client to go on elsewhere.
        server.maxRequestsPerSocket = 1;
        await gateway.close(deadline);
        // Sign-in and token requests may finish too; connections that are open but ask nothing are not waited for.
        while (listener.openRequests() > 0 && clock.monotonic() < end) await clock.sleep(closingPoll);
        listener.closeAllConnections();
        await stopped;
        await auth.close();
        // The last requests are among what it sends.
        const left = end - clock.monotonic();
        await telemetry.close(Math.min(lastExport.most, Math.max(lastExport.least, left)));
      };
      let closing: Promise<void> | undefined;
      return {
        port,
        metricsText: telemetry.metricsText,
        metricsPort: telemetry.metricsPort,
        reconfigure(next) {
          // Both are computed before either holds.
          const apply = gateway.prepare(liveOptions(next));
          auth.reconfigure(withServers(next));
          apply();
        },
        lookAtCertificate: async () => certificate?.look(),
        close: (deadline = 3000) => {
          closing ??= close(deadline);
          return closing;
        },
      };
    },
  );
}

const liveOptions = (config: CoreConfig & GatewayConfig): LiveOptions => ({
  servers: serversWithScopes(config),
  scopes: config.scopes,
  deny: config.deny,
  quotas: config.quotas,
  allowedOrigins: config.allowedOrigins,
  maxRequestBody: config.maxRequestBody,
  maxOpenRequests: config.maxOpenRequests,
  eventStreamKeepAlive: config.eventStreamKeepAlive,
});

/** Does something; where that fails, cleans up before passing the failure on. */
async function orElse<T>(cleanUp: () => Promise<void>, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    await cleanUp();
    throw error;
  }
}
