import { expect, test } from "vitest";
import { parsePrometheus, total } from "../../../../test/support/prometheus.ts";
import { mergeMetrics } from "../../src/index.ts";
import { echo, startGateway, startUpstream } from "../support/gateway.ts";
import { startTelemetry } from "../support/telemetry.ts";

test("each series gets its worker's place, and each family stands once", async () => {
  const upstream = await startUpstream(echo);
  const texts: string[] = [];
  for (const requests of [1, 2]) {
    const { telemetry } = await startTelemetry();
    const gateway = await startGateway({ clock: upstream.url }, { telemetry });
    for (let sent = 0; sent < requests; sent++) await gateway.post({ jsonrpc: "2.0", id: 1, method: "ping" });
    texts.push(await telemetry.metricsText());
  }
  const merged = parsePrometheus(mergeMetrics([...texts, ""]));
  expect([...merged.keys()]).toEqual([...parsePrometheus(texts[0] ?? "").keys()]);
  expect(total(merged, "sallyport_requests_total", { worker: "0" })).toBe(1);
  expect(total(merged, "sallyport_requests_total", { worker: "1" })).toBe(2);
  expect(total(merged, "process_resident_memory_bytes", { worker: "0" })).toBeGreaterThan(0);
  const workers = [...merged.values()].flatMap(({ series }) => series.map(({ labels }) => labels.worker));
  expect(new Set(workers)).toEqual(new Set(["0", "1"]));
});

test("a label value with everything in it stays what it was", () => {
  const line = 'a_total{name="x} 1\\n\\"{y\\\\"} 3';
  const merged = parsePrometheus(mergeMetrics([`# HELP a_total b\n# TYPE a_total counter\n${line}\n`]));
  expect(merged.get("a_total")?.series).toEqual([
    { name: "a_total", labels: { name: 'x} 1\n"{y\\', worker: "0" }, value: 3 },
  ]);
});
