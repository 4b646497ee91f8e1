import cluster from "node:cluster";
import { createLogger, formatProblem, type Loaded, type ReadFile, systemClock } from "sallyport";
import { openAudit } from "../audit/open-audit.ts";
import { secretRule } from "../config/gateway-rules.ts";
import { configFailure, type GatewaySettings, loadGatewayConfig } from "../config/load-gateway-config.ts";
import { listenFailure } from "../process/listen-failure.ts";
import { writeError, writeLine } from "../process/output.ts";
import { listenForStop } from "../process/stop-signals.ts";
import { certificateWarnings, keyPairFiles } from "./certificate.ts";
import { createFilesRead } from "./files-read.ts";
import { followSettings, type SettingsReload } from "./reload-settings.ts";
import { runWorkers, shareOf, workerCount } from "./run-workers.ts";
import { type RunningServer, startServer } from "./start-server.ts";
import { metricsOfAll, runAsWorker, tellReady } from "./worker.ts";

/** How long open requests have once the command is to end, and how long all of that end may take, in milliseconds. */
const deadlines = { requests: 5000, all: 9000 };

/** Options of `sallyport serve`. */
export interface ServeOptions {
  readonly config?: string;
  /** A file, or `-` for stdout, where events go without it too. */
  readonly audit?: string;
  /** Processes behind one address; default: the setting. */
  readonly workers?: GatewaySettings["workers"];
}

/**
 * `sallyport serve`: the gateway, until it is stopped by a signal. Logs to stderr; stdout has the line `ready <base_url>`
 * and, unless they go to a file, audit events. With several workers each runs this again in a process of its own.
 * @returns the exit status
 * @throws CommandFailure for settings that cannot be used, a port that is taken, a store that cannot be opened
 */
export const runServe = (options: ServeOptions): Promise<number> =>
  cluster.isWorker ? runAsWorker(() => serve(options)) : serve(options);

async function serve(options: ServeOptions): Promise<number> {
  const stop = listenForStop(deadlines.all, ["SIGINT", "SIGTERM"]);
  // From the first moment on: it must not end a process that is only starting.
  let hangUp = (): void => {};
  process.on("SIGHUP", () => hangUp());
  let server: RunningServer | undefined;
  let settings: SettingsReload | undefined;
  try {
    const read = createFilesRead();
    const loaded = await loadServeConfig(options, read.readFile);
    const { config, warnings } = loaded;
    const logger = createLogger({ level: config.logLevel, format: config.logFormat, write: writeError });
    const workers = workerCount(config.workers);
    if (cluster.isPrimary) {
      for (const warning of warnings) logger.warn(formatProblem(warning));
      for (const warning of await certificateWarnings(config)) logger.warn(warning);
    }
    const { host } = config.listen;
    const servers = config.servers.length;
    if (cluster.isPrimary && workers > 1) {
      const onReady = (): void => {
        logger.info("listening", { host, port: config.listen.port, servers, workers });
        writeLine(`ready ${config.baseUrl}`);
      };
      await runWorkers({ count: workers, clock: systemClock, logger, stop: stop.signal, onReady });
      return 0;
    }
    const audit = await openAudit(options.audit ?? "-", { secret: config.secret, logger });
    const own = { ...config, connections: shareOf(config.connections, cluster.isWorker ? workers : 1) };
    const metrics = cluster.isWorker ? { metricsSource: metricsOfAll } : {};
    server = await start(own, { logger, audit, metrics }, options.config);
    const running = server;
    if (options.config !== undefined) {
      settings = followSettings({
        loaded,
        read,
        load: (readFile) => loadServeConfig(options, readFile),
        use: (next) => running.reconfigure(next),
        clock: systemClock,
        logger,
        audit,
      });
    }
    hangUp = () => {
      void running.lookAtCertificate();
      if (settings) void settings.reload();
      else logger.info("there is no file of settings that could be read again; see --config");
    };
    if (cluster.isWorker) await tellReady(server.metricsText);
    else {
      logger.info("listening", { host, port: server.port, servers });
      if (!stop.signal.aborted) writeLine(`ready ${config.baseUrl}`);
    }
    await stop.stopped;
    logger.info("stopping");
    return 0;
  } finally {
    await settings?.stop();
    await server?.close(deadlines.requests);
    stop.done();
  }
}

/** The settings with whole paths in `tls`. */
async function loadServeConfig(options: ServeOptions, readFile: ReadFile): Promise<Loaded<GatewaySettings>> {
  const { config: file, workers } = options;
  const loaded = await loadGatewayConfig({
    ...(file === undefined ? {} : { file }),
    ...(workers === undefined ? {} : { overrides: { workers } }),
    env: process.env,
    rules: [secretRule],
    readFile,
  });
  const { config } = loaded;
  return config.tls === undefined ? loaded : { ...loaded, config: { ...config, tls: keyPairFiles(config.tls, file) } };
}

async function start(
  config: GatewaySettings,
  runtime: Parameters<typeof startServer>[1],
  file: string | undefined,
): Promise<RunningServer> {
  try {
    return await startServer(config, runtime);
  } catch (error) {
    const { host, port } = config.listen;
    if (isListenError(error)) throw listenFailure(error, host, port, "choose another with listen or SALLYPORT_LISTEN");
    throw configFailure(error, file);
  }
}

/** What the system was asked to do when an address cannot be had; `bind` in a worker. */
const listenCalls: ReadonlySet<unknown> = new Set(["listen", "getaddrinfo", "bind"]);

const isListenError = (error: unknown): boolean =>
  error instanceof Error && "syscall" in error && listenCalls.has(error.syscall);
