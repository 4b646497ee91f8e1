import type { HrTime } from "@opentelemetry/api";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import type { Family } from "./metric.ts";

/** The enumerations of OpenTelemetry's packages, which are loaded only where they are needed. */
export interface MetricKinds {
  readonly api: Pick<typeof import("@opentelemetry/api"), "ValueType">;
  readonly sdk: Pick<typeof import("@opentelemetry/sdk-metrics"), "AggregationTemporality" | "DataPointType">;
}

/** Families as OpenTelemetry has them: the same names and labels, as they stand now. */
export function otlpMetrics(
  families: readonly Family[],
  times: { readonly startTime: HrTime; readonly endTime: HrTime },
  { api, sdk }: MetricKinds,
): MetricData[] {
  return families.flatMap((family): MetricData[] => {
    const described = {
      descriptor: {
        name: family.name,
        description: family.help,
        unit: unitOf(family.name),
        valueType: api.ValueType.DOUBLE,
      },
      aggregationTemporality: sdk.AggregationTemporality.CUMULATIVE,
    };
    if (family.kind === "histogram") {
      const dataPoints = [...family.series()].map(({ labels, counts, sum }) => ({
        ...times,
        attributes: attributesOf(family.labelNames, labels),
        value: {
          buckets: { boundaries: [...family.bounds], counts: [...counts] },
          sum,
          count: counts.reduce((all, one) => all + one, 0),
        },
      }));
      return dataPoints.length === 0 ? [] : [{ ...described, dataPointType: sdk.DataPointType.HISTOGRAM, dataPoints }];
    }
    const dataPoints = [...family.series()].map(({ labels, value }) => ({
      ...times,
      attributes: attributesOf(family.labelNames, labels),
      value,
    }));
    if (dataPoints.length === 0) return [];
    return family.kind === "counter"
      ? [{ ...described, dataPointType: sdk.DataPointType.SUM, isMonotonic: true, dataPoints }]
      : [{ ...described, dataPointType: sdk.DataPointType.GAUGE, dataPoints }];
  });
}

const attributesOf = (names: readonly string[], values: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.flatMap((name, at) => (values[at] ? [[name, values[at]]] : [])));

const unitOf = (name: string): string => (name.includes("_seconds") ? "s" : name.includes("_bytes") ? "By" : "1");
