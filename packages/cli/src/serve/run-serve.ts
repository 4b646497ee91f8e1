import { type AuditSink, createLogger, formatProblem } from "sallyport";
import { openAuditFile } from "../audit/audit-file.ts";
import { auditToStream } from "../audit/audit-stream.ts";
import { secretRule } from "../config/gateway-rules.ts";
import { configFailure, type GatewaySettings, loadGatewayConfig } from "../config/load-gateway-config.ts";
import { listenFailure } from "../process/listen-failure.ts";
import { writeError, writeLine } from "../process/output.ts";
import { listenForStop } from "../process/stop-signals.ts";
import { type RunningServer, startServer } from "./start-server.ts";

/** How long open requests have once the command is to end, and how long all of that end may take, in milliseconds. */
const deadlines = { requests: 5000, all: 9000 };

/** Options of `sallyport serve`. */
export interface ServeOptions {
  readonly config?: string;
  /** A file, or `-` for stdout, where events go without it too. */
  readonly audit?: string;
}

/**
 * `sallyport serve`: the gateway, until it is stopped by a signal. Logs to stderr; stdout has the line `ready <base_url>`
 * and, unless they go to a file, audit events.
 * @returns the exit status
 * @throws CommandFailure for settings that cannot be used, a port that is taken, a store that cannot be opened
 */
export async function runServe(options: ServeOptions): Promise<number> {
  const stop = listenForStop(deadlines.all);
  let server: RunningServer | undefined;
  try {
    const { config, warnings } = await loadGatewayConfig({
      ...(options.config === undefined ? {} : { file: options.config }),
      env: process.env,
      rules: [secretRule],
    });
    const logger = createLogger({ level: config.logLevel, format: config.logFormat, write: writeError });
    for (const warning of warnings) logger.warn(formatProblem(warning));
    const audit = await openAudit(options.audit, logger.error);
    server = await start(config, { logger, audit }, options.config);
    logger.info("listening", { host: config.listen.host, port: server.port, servers: config.servers.length });
    if (!stop.signal.aborted) writeLine(`ready ${config.baseUrl}`);
    await stop.stopped;
    logger.info("stopping");
    return 0;
  } finally {
    await server?.close(deadlines.requests);
    stop.done();
  }
}

async function openAudit(target: string | undefined, warn: (message: string) => void): Promise<AuditSink> {
  if (target === undefined || target === "-") return auditToStream(process.stdout);
  return openAuditFile({ path: target, warn });
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

const isListenError = (error: unknown): boolean =>
  error instanceof Error && "syscall" in error && (error.syscall === "listen" || error.syscall === "getaddrinfo");
