import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type AuditSink,
  type CallObserver,
  type Clock,
  ConfigError,
  clientAddress,
  type Logger,
  matchesHash,
  type Random,
  trustedNetworks,
} from "sallyport";
import type { TelemetryConfig } from "../config/telemetry.ts";
import type { PolicyConfig } from "../policy/compile.ts";
import type { Visit } from "../proxy/visit.ts";
import { type AccessLog, createAccessLog } from "./access-log.ts";
import { auditGauges } from "./audit-gauges.ts";
import { endpointWatch } from "./endpoint-watch.ts";
import { createToolLabels, noToolLabels } from "./labels.ts";
import { type LineSink, lineSink, openLineFile } from "./line-file.ts";
import { type ListenerState, listenerGauges } from "./listener-gauges.ts";
import type { Family } from "./metric.ts";
import { createMetricSet } from "./metric-set.ts";
import { isMetricsPath, metricsEndpoint } from "./metrics-endpoint.ts";
import { listenForMetrics, type MetricsListener } from "./metrics-listener.ts";
import type { Otlp } from "./otlp.ts";
import { ownGauges } from "./own-gauges.ts";
import { processGauges } from "./process-gauges.ts";
import { prometheusText } from "./prometheus-text.ts";
import { RequestWatch } from "./request-watch.ts";
import { type ServerState, serverGauges } from "./server-gauges.ts";

/** What a process tells of itself: metrics, traces and the access log, as far as the settings want them. */
export interface Telemetry {
  /** Is told of calls of the store, of Cognito and the like; undefined where nobody asks. */
  readonly observer: CallObserver | undefined;
  /** The same sink, whose events are counted too. */
  audited(sink: AuditSink): AuditSink;
  /** Servers and rules as they now are: their names may be values of labels. */
  configured(policy: Pick<PolicyConfig, "servers" | "scopes" | "deny">): void;
  /** Where to look how the servers are, whenever somebody asks. */
  watchServers(states: () => Iterable<ServerState>): void;
  /** Where to look how many connections there are. */
  watchListener(state: () => ListenerState): void;
  /** Where to ask whether this process is ready: what is wrong, nothing where it is. */
  watchReadiness(readiness: () => Promise<readonly string[]>): void;
  /** A server's list has passed by. */
  listed(server: string, tools: readonly string[]): void;
  /** Follows a request to an MCP endpoint; undefined where nobody wants to know. */
  request(visit: Visit): RequestWatch | undefined;
  /** Follows any other request. */
  follow(req: IncomingMessage, res: ServerResponse): void;
  /** Answers a request if it is for `/metrics` and that is served here, and says whether it did. */
  serveMetrics(req: IncomingMessage, res: ServerResponse): boolean;
  /** Whether W3C baggage goes on to the servers. */
  readonly baggage: boolean;
  /** The metrics of this process in the Prometheus text format. */
  metricsText(): Promise<string>;
  /** Port of the listener for metrics alone, if there is one. */
  readonly metricsPort: number | undefined;
  /**
   * Sends and writes what is left.
   * @param deadline milliseconds that a collector has for it; default 1000
   */
  close(deadline?: number): Promise<void>;
}

/** What telemetry is made of. */
export interface TelemetryOptions {
  readonly config: TelemetryConfig;
  readonly trustedProxies: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Of this program. */
  readonly version: string;
  /** What `/metrics` answers, where it is more than this process: `mergeMetrics` of several. */
  readonly metricsSource?: () => Promise<string>;
  /** Whether this process listens where `metrics_listen` says. Default: yes. */
  readonly ownsListener?: boolean;
}

/** Rejects with ConfigError where a file cannot be opened or an address not be listened on. */
export async function createTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { config, clock, logger } = options;
  const { otlp: otlpConfig } = config;
  const counts = config.metrics !== "off" || config.metricsListen !== undefined || otlpConfig?.metrics === true;
  const metrics = createMetricSet();
  const tools = config.toolLabels ? createToolLabels() : noToolLabels;
  const processMetrics = counts ? processGauges(clock) : undefined;
  let servers: () => Iterable<ServerState> = () => [];
  let connections: () => ListenerState | undefined = () => undefined;
  let readiness: (() => Promise<readonly string[]>) | undefined;
  let ready = 1;
  let trail: AuditSink | undefined;
  const closers: (() => Promise<void>)[] = [];

  const lines = await openLines(config.accessLog, logger);
  if (lines !== undefined) closers.push(() => lines.close());
  const proxies = trustedNetworks(options.trustedProxies);
  const addressOf = ({ socket, headers }: IncomingMessage): string | undefined => {
    const forwarded = headers["x-forwarded-for"];
    const get = (): string | null => (Array.isArray(forwarded) ? forwarded.join(",") : (forwarded ?? null));
    return clientAddress(socket.remoteAddress, { get }, proxies);
  };
  const accessLog: AccessLog | undefined =
    lines && createAccessLog({ write: lines.write, clock, random: options.random, addressOf });

  const own = ownGauges({
    version: options.version,
    ready: () => (readiness === undefined ? undefined : ready),
    lostLines: () => lines?.dropped,
  });
  const gauges = [
    ...serverGauges(() => servers()),
    ...listenerGauges(() => connections()),
    ...auditGauges(() => trail),
  ];
  const families = (): readonly Family[] => [
    ...own,
    ...metrics.families,
    ...gauges,
    ...(processMetrics?.families ?? []),
  ];
  const askReady = async (): Promise<void> => {
    if (readiness !== undefined) ready = (await readiness()).length === 0 ? 1 : 0;
  };
  const metricsText = async (): Promise<string> => {
    await askReady();
    return prometheusText(families());
  };

  const read = options.metricsSource ?? metricsText;
  const mayRead = config.metrics === "token" ? matchesHash(config.metricsTokenHashes) : undefined;
  const onMain = config.metrics === "off" ? undefined : metricsEndpoint(read, mayRead);
  let listener: MetricsListener | undefined;
  if (config.metricsListen !== undefined && options.ownsListener !== false) {
    try {
      listener = await listenForMetrics(config.metricsListen, metricsEndpoint(read, undefined));
    } catch (error) {
      processMetrics?.stop();
      await Promise.all(closers.map((close) => close()));
      throw problem("telemetry.metrics_listen", `cannot be listened on: ${codeOf(error)}; choose another address`);
    }
  }

  let otlp: Otlp | undefined;
  if (otlpConfig !== undefined && (otlpConfig.traces || otlpConfig.metrics)) {
    const { startOtlp } = await import("./otlp.ts");
    const collect = async (): Promise<readonly Family[]> => {
      await askReady();
      return families();
    };
    otlp = await startOtlp({ config: otlpConfig, families: collect, clock, logger, version: options.version });
  }
  const tracing = otlp?.tracing;

  const watchDeps = { clock, metrics, tools, tracing, accessLog };
  const watches = counts || tracing !== undefined || accessLog !== undefined;

  return {
    observer: counts ? metrics.calls : undefined,
    audited(sink) {
      trail = sink;
      if (!counts) return sink;
      return {
        write(event) {
          metrics.event(event);
          sink.write(event);
        },
        close: () => sink.close(),
      };
    },
    configured: (policy) => tools.named(policy),
    watchServers(states) {
      servers = states;
    },
    watchListener(state) {
      connections = state;
    },
    watchReadiness(ask) {
      readiness = ask;
    },
    listed(server, names) {
      for (const name of names) tools.listed(server, name);
    },
    request: (visit) => (watches ? new RequestWatch(watchDeps, visit) : undefined),
    follow: watches ? endpointWatch(watchDeps) : () => {},
    serveMetrics(req, res) {
      if (onMain === undefined || !isMetricsPath(req.url ?? "")) return false;
      void onMain(req, res);
      return true;
    },
    baggage: config.baggage,
    metricsText,
    get metricsPort() {
      return listener?.port;
    },
    async close(deadline = 1000) {
      processMetrics?.stop();
      listener?.close();
      await Promise.all([otlp?.close(deadline), ...closers.map((close) => close())]);
    },
  };
}

const problem = (setting: string, message: string): ConfigError =>
  new ConfigError([{ setting, source: "configuration", message }]);

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown";

async function openLines(target: string, logger: Logger): Promise<LineSink | undefined> {
  const onLoss = (why: string): void => logger.warn("lines of the access log are lost", { why });
  if (target === "off") return undefined;
  if (target === "stderr") return lineSink(process.stderr, onLoss, false);
  try {
    return await openLineFile(target, onLoss);
  } catch (error) {
    throw problem("telemetry.access_log", `cannot be written to: ${codeOf(error)}`);
  }
}
