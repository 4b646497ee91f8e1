import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { HrTime } from "@opentelemetry/api";
import type { Clock, Logger } from "sallyport";
import type { TelemetryConfig } from "../config/telemetry.ts";
import { exporterWatch } from "./exporter-watch.ts";
import type { Family } from "./metric.ts";
import { otlpMetrics } from "./otlp-metrics.ts";
import { otlpTracing } from "./otlp-tracing.ts";
import type { Tracing } from "./tracing.ts";

/** What goes to the collector. */
export interface Otlp {
  readonly tracing: Tracing | undefined;
  /**
   * Sends what is left and ends.
   * @param deadline milliseconds that it has; what has not been taken by then is lost
   */
  close(deadline: number): Promise<void>;
}

/** Spans that wait for the collector; more are dropped. */
const mostWaiting = 2048;

/**
 * Sends traces and metrics to a collector, in batches and on its own time: no request waits for it. OpenTelemetry's
 * packages are loaded here and nowhere else, so that a gateway without a collector does without them.
 * @param options.version of this program
 */
export async function startOtlp(options: {
  readonly config: NonNullable<TelemetryConfig["otlp"]>;
  readonly families: () => Promise<readonly Family[]>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: string;
}): Promise<Otlp> {
  const { config, clock, version } = options;
  const { endpoint, headers, timeout } = config;
  const [api, { resourceFromAttributes }] = await Promise.all([
    import("@opentelemetry/api"),
    import("@opentelemetry/resources"),
  ]);
  const resource = resourceFromAttributes({
    "service.name": "sallyport",
    "service.version": version,
    "service.instance.id": `${process.pid}`,
  });
  const agent = endpoint.startsWith("https:")
    ? new HttpsAgent({ keepAlive: true })
    : new HttpAgent({ keepAlive: true });
  const sender = { headers, timeoutMillis: timeout, concurrencyLimit: 2, httpAgentOptions: () => agent };
  const watched = exporterWatch(clock, options.logger);
  const closers: (() => Promise<void>)[] = [];

  let tracing: Tracing | undefined;
  if (config.traces) {
    const [sdk, { OTLPTraceExporter }] = await Promise.all([
      import("@opentelemetry/sdk-trace"),
      import("@opentelemetry/exporter-trace-otlp-http"),
    ]);
    const exporter = watched("traces", new OTLPTraceExporter({ ...sender, url: `${endpoint}/v1/traces` }));
    const batches = new sdk.BatchSpanProcessor({ exporter, maxQueueSize: mostWaiting, exportTimeoutMillis: timeout });
    const root = new sdk.TraceIdRatioBasedSampler(config.sampleRatio);
    const stranger = config.followCallers ? {} : { remoteParentSampled: root, remoteParentNotSampled: root };
    const provider = new sdk.TracerProvider({
      resource,
      sampler: new sdk.ParentBasedSampler({ root, ...stranger }),
      spanProcessors: [batches],
    });
    tracing = otlpTracing(provider.getTracer("sallyport", version), api, clock);
    closers.push(() => provider.shutdown());
  }
  if (config.metrics) {
    const [sdk, { OTLPMetricExporter }] = await Promise.all([
      import("@opentelemetry/sdk-metrics"),
      import("@opentelemetry/exporter-metrics-otlp-http"),
    ]);
    const startTime = hrTime(clock.now());
    const collect = async () => {
      const metrics = otlpMetrics(await options.families(), { startTime, endTime: hrTime(clock.now()) }, { api, sdk });
      const scopeMetrics = [{ scope: { name: "sallyport", version }, metrics }];
      return { resourceMetrics: { resource, scopeMetrics }, errors: [] };
    };
    const exporter = watched("metrics", new OTLPMetricExporter({ ...sender, url: `${endpoint}/v1/metrics` }));
    const reader = new sdk.PeriodicExportingMetricReader({
      exporter,
      exportIntervalMillis: Math.max(config.interval, timeout),
      exportTimeoutMillis: timeout,
      metricProducers: [{ collect }],
    });
    const provider = new sdk.MeterProvider({ resource, readers: [reader] });
    closers.push(() => provider.shutdown());
  }

  return {
    tracing,
    async close(deadline) {
      const sent = Promise.allSettled(closers.map((close) => close()));
      await Promise.race([sent, clock.sleep(deadline)]);
      agent.destroy();
    },
  };
}

/** A time of the wall clock as OpenTelemetry has it: seconds, nanoseconds. */
const hrTime = (ms: number): HrTime => [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
