import type { Gauge } from "./metric.ts";

/** What else is worth knowing of this process; undefined where there is nothing to know. */
export function ownGauges(now: {
  readonly version: string;
  /** 1 or 0. */
  readonly ready: () => number | undefined;
  readonly lostLines: () => number | undefined;
}): readonly Gauge[] {
  const one = (kind: Gauge["kind"], name: string, help: string, value: () => number | undefined): Gauge => ({
    kind,
    name,
    help,
    labelNames: [],
    series: () => {
      const known = value();
      return known === undefined ? [] : [{ labels: [], value: known }];
    },
  });
  return [
    {
      kind: "gauge",
      name: "sallyport_info",
      help: "The program's version.",
      labelNames: ["version"],
      series: () => [{ labels: [now.version], value: 1 }],
    },
    one("gauge", "sallyport_ready", "Whether /readyz says that this process is ready.", now.ready),
    one(
      "counter",
      "sallyport_access_log_lost_total",
      "Lines of the access log that could not be written.",
      now.lostLines,
    ),
  ];
}
