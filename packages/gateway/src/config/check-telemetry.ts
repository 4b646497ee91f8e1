import { isLoopbackHost, type Rule, ruleFor } from "sallyport";
import type { GatewayConfig } from "./section.ts";

const rule = ruleFor<GatewayConfig>();

const metricsTokens = rule("metrics-tokens", ["telemetry"], ({ telemetry }, report) => {
  const { metrics, metricsTokenHashes } = telemetry;
  const hashes = report.name(["telemetry", "metricsTokenHashes"]);
  if (metrics === "token" && metricsTokenHashes.length === 0) {
    report.problem(
      ["telemetry", "metrics"],
      `is token, but there is no token; make one with sallyport secret for ${hashes}`,
    );
  }
  if (metrics !== "token" && metricsTokenHashes.length > 0) {
    report.warn(
      ["telemetry", "metricsTokenHashes"],
      `is not used: ${report.name(["telemetry", "metrics"])} is ${metrics}`,
    );
  }
});

const plainCollector = rule("plain-collector", ["telemetry"], ({ telemetry }, report) => {
  const { otlp } = telemetry;
  if (otlp === undefined || Object.keys(otlp.headers).length === 0) return;
  const { protocol, hostname } = new URL(otlp.endpoint);
  if (protocol === "https:" || isLoopbackHost(hostname)) return;
  report.warn(
    ["telemetry", "otlp", "endpoint"],
    "is plain http, so the headers' secrets are seen by whoever sees the network; use https",
  );
});

const idleCollector = rule("idle-collector", ["telemetry"], ({ telemetry: { otlp } }, report) => {
  if (otlp === undefined || otlp.traces || otlp.metrics) return;
  report.warn(["telemetry", "otlp"], "sends neither traces nor metrics; leave it out");
});

/** What holds between the settings of telemetry. */
export const telemetryRules: readonly Rule[] = [metricsTokens, plainCollector, idleCollector];
