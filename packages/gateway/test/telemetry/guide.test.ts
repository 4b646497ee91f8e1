import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { auditGauges } from "../../src/telemetry/audit-gauges.ts";
import { listenerGauges } from "../../src/telemetry/listener-gauges.ts";
import type { Family } from "../../src/telemetry/metric.ts";
import { createMetricSet } from "../../src/telemetry/metric-set.ts";
import { ownGauges } from "../../src/telemetry/own-gauges.ts";
import { processGauges } from "../../src/telemetry/process-gauges.ts";
import { serverGauges } from "../../src/telemetry/server-gauges.ts";
import { manualClock } from "../support/manual-clock.ts";

test("the guide's table has every metric with its type and labels, and no other", async () => {
  const ofProcess = processGauges(manualClock());
  ofProcess.stop();
  const families: readonly Family[] = [
    ...createMetricSet().families,
    ...serverGauges(() => []),
    ...listenerGauges(() => undefined),
    ...auditGauges(() => undefined),
    ...ownGauges({ version: "", ready: () => undefined, lostLines: () => undefined }),
    ...ofProcess.families,
  ];
  const guide = await readFile(new URL("../../../../docs/guide/observability.md", import.meta.url), "utf8");
  const rows = [...guide.matchAll(/^\| +`(\w+)` +\| (counter|gauge|histogram) +\| ([\w, ]*) ?\|/gm)];
  const told = rows.map(([, name, kind, labels = ""]) => [name, kind, labels.trim()].join(" ").trim());
  const real = families.map(({ name, kind, labelNames }) => [name, kind, labelNames.join(", ")].join(" ").trim());
  expect(told.toSorted()).toEqual(real.toSorted());
});
