/**
 * Counts in plain numbers, so that a request pays for a look into a table and an addition. What reads them, a scrape or
 * an export, does all the work.
 */

/** One series of a counter. */
export interface Count {
  readonly labels: readonly string[];
  value: number;
}

/** One series of a histogram. */
export interface Distribution {
  readonly labels: readonly string[];
  /** How many values fell into each bucket, not added up; the last is for what is above every bound. */
  readonly counts: number[];
  sum: number;
}

interface Described {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

export interface Counter extends Described {
  readonly kind: "counter";
  readonly series: () => Iterable<Count>;
  /** The series of these label values, in the order of their names. Callers may keep it. */
  at(labels: readonly string[]): Count;
}

export interface Histogram extends Described {
  readonly kind: "histogram";
  /** Upper bounds, inclusive, rising. */
  readonly bounds: readonly number[];
  readonly series: () => Iterable<Distribution>;
  at(labels: readonly string[]): Distribution;
}

/** What is as it is when somebody looks. */
export interface Gauge extends Described {
  /** `counter`: something else counts it, and it only ever rises. */
  readonly kind: "gauge" | "counter";
  readonly series: () => Iterable<{ readonly labels: readonly string[]; readonly value: number }>;
}

export type Family = Counter | Histogram | Gauge;

/** What stands for label values that would be one too many. */
export const other = "other";

/** The most series of a family, in case its labels have more values than anybody thought of. */
const mostSeries = 20_000;

/** A table of series by label values that cannot grow without end: beyond the most, all share one. */
function seriesTable<Series>(width: number, create: (labels: readonly string[]) => Series, most = mostSeries) {
  const table = new Map<string, Series>();
  let rest: Series | undefined;
  return {
    at(labels: readonly string[]): Series {
      const key = labels.join("\n");
      const known = table.get(key);
      if (known !== undefined) return known;
      if (table.size >= most) {
        rest ??= create(Array.from({ length: width }, () => other));
        return rest;
      }
      const fresh = create([...labels]);
      table.set(key, fresh);
      return fresh;
    },
    *all(): Iterable<Series> {
      yield* table.values();
      if (rest !== undefined) yield rest;
    },
  };
}

export function createCounter(described: Described & { readonly mostSeries?: number }): Counter {
  const { name, help, labelNames } = described;
  const table = seriesTable<Count>(labelNames.length, (labels) => ({ labels, value: 0 }), described.mostSeries);
  return { kind: "counter", name, help, labelNames, at: table.at, series: table.all };
}

export function createHistogram(
  described: Described & { readonly bounds: readonly number[]; readonly mostSeries?: number },
): Histogram {
  const { name, help, labelNames, bounds } = described;
  const empty = (labels: readonly string[]): Distribution => ({
    labels,
    counts: Array.from({ length: bounds.length + 1 }, () => 0),
    sum: 0,
  });
  const table = seriesTable<Distribution>(labelNames.length, empty, described.mostSeries);
  return { kind: "histogram", name, help, labelNames, bounds, at: table.at, series: table.all };
}

/** Adds a value to a histogram's series. */
export function observe(bounds: readonly number[], series: Distribution, value: number): void {
  let bucket = 0;
  while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket++;
  series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
  series.sum += value;
}
