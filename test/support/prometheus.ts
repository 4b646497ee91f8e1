/** One series of a scrape. */
export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A family of a scrape. */
export interface ScrapedFamily {
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly series: readonly Series[];
}

const name = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const labelPair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;
const number = /^(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]Inf|NaN)$/;
const suffixes = { counter: [""], gauge: [""], histogram: ["_bucket", "_sum", "_count"] };

/**
 * Reads the Prometheus text format as strictly as it can be read: each family once, HELP before TYPE before its series,
 * all of them together, no series twice, and histograms whose buckets rise up to `+Inf`, which is their count.
 * @throws Error for anything else
 */
export function parsePrometheus(text: string): ReadonlyMap<string, ScrapedFamily> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, { help: string; type: ScrapedFamily["type"]; series: Series[] }>();
  const seen = new Set<string>();
  let help: { readonly of: string; readonly text: string } | undefined;
  let current: string | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const wrong = (why: string): Error => new Error(`${why}: ${line}`);
    const [, what, of, rest] = new RegExp(`^# (HELP|TYPE) (${name}) (.*)$`).exec(line) ?? [];
    if (of !== undefined && rest !== undefined) {
      if (families.has(of)) throw wrong("a family comes twice");
      if (what === "HELP") help = { of, text: rest };
      else {
        if (help?.of !== of) throw wrong("TYPE without HELP");
        if (rest !== "counter" && rest !== "gauge" && rest !== "histogram") throw wrong("an unknown type");
        families.set(of, { help: help.text, type: rest, series: [] });
        current = of;
      }
      continue;
    }
    const [, series, labels = "", value] = new RegExp(`^(${name})(?:\\{(.+)\\})? (\\S+)$`).exec(line) ?? [];
    if (series === undefined || value === undefined) throw wrong("no sample");
    const family = current === undefined ? undefined : families.get(current);
    if (!family || !suffixes[family.type].some((suffix) => series === `${current}${suffix}`)) {
      throw wrong("a series outside its family");
    }
    if (!number.test(value)) throw wrong("no number");
    const parsed = parseLabels(labels, wrong);
    const key = `${series} ${JSON.stringify(Object.entries(parsed).toSorted())}`;
    if (seen.has(key)) throw wrong("a series comes twice");
    seen.add(key);
    const figure = value.endsWith("Inf") ? Number.POSITIVE_INFINITY : Number(value);
    if (family.type !== "gauge" && !(figure >= 0)) throw wrong("below zero");
    family.series.push({ name: series, labels: parsed, value: figure });
  }
  for (const [of, family] of families) {
    if (family.series.length === 0) throw new Error(`${of} has no series`);
    if (family.type === "histogram") checkHistogram(of, family.series);
  }
  return families;
}

function parseLabels(text: string, wrong: (why: string) => Error): Record<string, string> {
  const labels: Record<string, string> = {};
  labelPair.lastIndex = 0;
  while (labelPair.lastIndex < text.length) {
    const [, label, value, end] = labelPair.exec(text) ?? [];
    if (label === undefined || value === undefined) throw wrong("a malformed label");
    if (Object.hasOwn(labels, label)) throw wrong("a label comes twice");
    if (end === "" && labelPair.lastIndex < text.length) throw wrong("a malformed label");
    labels[label] = value.replace(/\\(.)/g, (_, one: string) => (one === "n" ? "\n" : one));
  }
  return labels;
}

function checkHistogram(of: string, series: readonly Series[]): void {
  const groups = Map.groupBy(series, ({ labels: { le: _, ...rest } }) =>
    JSON.stringify(Object.entries(rest).toSorted()),
  );
  for (const group of groups.values()) {
    const buckets = group.filter((one) => one.name === `${of}_bucket`);
    const bounds = buckets.map(({ labels }) => (labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.le)));
    const rising = (numbers: readonly number[]) =>
      numbers.every((one, at) => at === 0 || one >= (numbers[at - 1] ?? 0));
    const count = group.find((one) => one.name === `${of}_count`)?.value;
    if (!rising(bounds) || !rising(buckets.map(({ value }) => value))) throw new Error(`${of}: buckets do not rise`);
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY || buckets.at(-1)?.value !== count)
      throw new Error(`${of}: no +Inf`);
    if (group.filter((one) => one.name === `${of}_sum`).length !== 1) throw new Error(`${of}: no sum`);
  }
}

/** The sum of a family's series (of a histogram: their counts) that have these label values. */
export function total(
  families: ReadonlyMap<string, ScrapedFamily>,
  of: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const family = families.get(of);
  const series = family?.series.filter((one) => family.type !== "histogram" || one.name === `${of}_count`) ?? [];
  const matching = series.filter((one) =>
    Object.entries(labels).every(([label, value]) => one.labels[label] === value),
  );
  return matching.reduce((sum, { value }) => sum + value, 0);
}
