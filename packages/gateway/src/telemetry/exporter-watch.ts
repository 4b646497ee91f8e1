import type { ExportResult } from "@opentelemetry/core";
import type { Clock, Logger } from "sallyport";

/** What is wrong with the collector is said once in so many milliseconds. */
const complaintEvery = 60_000;

interface Exporter<Items> {
  export(items: Items, done: (result: ExportResult) => void): void;
}

/** Tells the operator when nothing gets through. Neither headers nor anything that the collector said is repeated. */
export function exporterWatch(clock: Pick<Clock, "monotonic">, logger: Logger) {
  return <Items, E extends Exporter<Items>>(what: string, exporter: E & Exporter<Items>): E => {
    let complainedAt = Number.NEGATIVE_INFINITY;
    const send = exporter.export.bind(exporter);
    exporter.export = (items, done) =>
      send(items, (result) => {
        // 0: success.
        if (result.code !== 0 && clock.monotonic() - complainedAt >= complaintEvery) {
          complainedAt = clock.monotonic();
          logger.warn("telemetry cannot be sent", { what, error: codeOf(result.error) });
        }
        done(result);
      });
    return exporter;
  };
}

function codeOf(error: Error | undefined): string {
  if (error === undefined) return "unknown";
  return "code" in error && (typeof error.code === "string" || typeof error.code === "number")
    ? String(error.code)
    : error.name;
}
