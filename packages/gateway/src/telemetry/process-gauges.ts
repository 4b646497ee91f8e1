import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { Clock } from "sallyport";
import type { Gauge } from "./metric.ts";

/** The event loop's delay is what it was over so long at least, in milliseconds, however many read it. */
const window = 10_000;
/** How often it is measured, milliseconds. */
const resolution = 20;

const gauge = (name: string, help: string, value: () => number, kind: Gauge["kind"] = "gauge"): Gauge => ({
  kind,
  name,
  help,
  labelNames: [],
  series: () => [{ labels: [], value: value() }],
});

/** What the process itself costs. `stop` ends the measuring. */
export function processGauges(clock: Pick<Clock, "now" | "monotonic">): {
  readonly families: readonly Gauge[];
  stop(): void;
} {
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  const started = clock.now() / 1000 - process.uptime();
  let since = clock.monotonic();
  let quantiles: readonly { readonly labels: readonly string[]; readonly value: number }[] | undefined;

  const readDelay = () => {
    if (quantiles !== undefined && clock.monotonic() - since < window) return quantiles;
    since = clock.monotonic();
    quantiles = [50, 99, 100].map((percent) => ({
      labels: [String(percent / 100)],
      // What is measured is the time between two timers.
      value: Math.max(0, delay.count === 0 ? 0 : delay.percentile(percent) / 1e9 - resolution / 1000),
    }));
    delay.reset();
    return quantiles;
  };

  return {
    families: [
      gauge("process_start_time_seconds", "When the process started, seconds since the Unix epoch.", () => started),
      gauge("process_resident_memory_bytes", "Memory that the process holds.", () => process.memoryUsage.rss()),
      gauge(
        "process_cpu_seconds_total",
        "Processor time that the process has used.",
        () => {
          const { user, system } = process.cpuUsage();
          return (user + system) / 1e6;
        },
        "counter",
      ),
      gauge("nodejs_heap_used_bytes", "Memory of live and dead objects.", () => process.memoryUsage().heapUsed),
      gauge(
        "nodejs_eventloop_active_seconds_total",
        "Time that the event loop was at work.",
        () => performance.eventLoopUtilization().active / 1000,
        "counter",
      ),
      {
        kind: "gauge",
        name: "nodejs_eventloop_delay_seconds",
        help: "How late the event loop's timers were since this was last measured.",
        labelNames: ["quantile"],
        series: readDelay,
      },
    ],
    stop: () => void delay.disable(),
  };
}
