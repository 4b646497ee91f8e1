import type { Gauge } from "./metric.ts";

/** How the main listener is at the moment. */
export interface ListenerState {
  /** Open connections. */
  readonly open: number;
  /** Connections closed at once since the start, by the bound that they were beyond. */
  readonly refused: { readonly max: number; readonly maxPerAddress: number };
}

/** @param state undefined as long as nothing listens */
export const listenerGauges = (state: () => ListenerState | undefined): readonly Gauge[] => [
  {
    kind: "gauge",
    name: "sallyport_connections",
    help: "Open connections of the main listener.",
    labelNames: [],
    series: () => {
      const now = state();
      return now === undefined ? [] : [{ labels: [], value: now.open }];
    },
  },
  {
    kind: "counter",
    name: "sallyport_connections_refused_total",
    help: "Connections closed at once because there were too many, by the bound.",
    labelNames: ["bound"],
    series: () => {
      const now = state();
      if (now === undefined) return [];
      return [
        { labels: ["max"], value: now.refused.max },
        { labels: ["max_per_address"], value: now.refused.maxPerAddress },
      ];
    },
  },
];
