import type { Family } from "./metric.ts";

/** Media type of the Prometheus text format. */
export const prometheusType = "text/plain; version=0.0.4; charset=utf-8";

/** Families in the Prometheus text format, version 0.0.4. A family without series is left out. */
export function prometheusText(families: readonly Family[]): string {
  const lines: string[] = [];
  for (const family of families) {
    const samples = samplesOf(family);
    if (samples.length === 0) continue;
    lines.push(`# HELP ${family.name} ${escaped(family.help)}`, `# TYPE ${family.name} ${family.kind}`, ...samples);
  }
  return `${lines.join("\n")}\n`;
}

function samplesOf(family: Family): string[] {
  const { name, labelNames } = family;
  const samples: string[] = [];
  if (family.kind !== "histogram") {
    for (const { labels, value } of family.series()) samples.push(`${name}${labelled(labelNames, labels)} ${value}`);
    return samples;
  }
  const withBound = [...labelNames, "le"];
  for (const { labels, counts, sum } of family.series()) {
    let count = 0;
    for (const [bucket, inBucket] of counts.entries()) {
      count += inBucket;
      const bound = String(family.bounds[bucket] ?? "+Inf");
      samples.push(`${name}_bucket${labelled(withBound, [...labels, bound])} ${count}`);
    }
    const own = labelled(labelNames, labels);
    samples.push(`${name}_sum${own} ${sum}`, `${name}_count${own} ${count}`);
  }
  return samples;
}

/** An empty value is the same as none. */
function labelled(names: readonly string[], values: readonly string[]): string {
  const pairs = names.flatMap((name, index) => {
    const value = values[index] ?? "";
    return value === "" ? [] : [`${name}="${escaped(value).replaceAll('"', '\\"')}"`];
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
