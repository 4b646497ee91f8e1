import type { ExportResult } from "@opentelemetry/core";
import { createLogger } from "sallyport";
import { expect, test } from "vitest";
import { exporterWatch } from "../../src/telemetry/exporter-watch.ts";
import { manualClock } from "../support/manual-clock.ts";

test("what is wrong with a collector is said once a minute, of each kind, by its code and not in its words", async () => {
  const clock = manualClock();
  const lines: string[] = [];
  const watched = exporterWatch(clock, createLogger({ write: (line) => lines.push(line.slice(25)) }));
  const results: ExportResult[] = [];
  const exporter = (what: string, error: Error) =>
    watched(what, {
      export: (_items: string, done: (result: ExportResult) => void) => done({ code: 1, error }),
    });
  const traces = exporter("traces", Object.assign(new Error("a secret of the collector"), { code: "ECONNREFUSED" }));
  const metrics = exporter("metrics", new TypeError("a secret"));
  const send = (): void => {
    for (const one of [traces, metrics]) one.export("items", (result) => results.push(result));
  };
  send();
  send();
  await clock.advance(59_999);
  send();
  expect(lines).toEqual([
    'warn  telemetry cannot be sent what="traces" error="ECONNREFUSED"',
    'warn  telemetry cannot be sent what="metrics" error="TypeError"',
  ]);
  await clock.advance(1);
  send();
  expect(lines).toHaveLength(4);
  expect(results).toHaveLength(8);
});
