import type { GatewayConfigInput } from "@sallyport/gateway";
import { type CoreConfigInput, type Environment, formatProblem, showConfig } from "sallyport";
import { describe, expect, test } from "vitest";
import { loadGatewayConfig } from "../../src/config/load-gateway-config.ts";
import { CommandFailure } from "../../src/process/failure.ts";

type Telemetry = NonNullable<GatewayConfigInput["telemetry"]>;

const base: CoreConfigInput & GatewayConfigInput = {
  baseUrl: "https://mcp.example.com",
  cognito: { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "4example", clientSecret: null, domain: "example" },
  scopes: { "mcp/read": {} },
  groups: { readers: ["mcp/read"] },
  servers: [{ name: "a", url: "http://127.0.0.1:3001/mcp" }],
};

const load = (telemetry: Telemetry, env: Environment = {}) =>
  loadGatewayConfig({ env, overrides: { ...base, telemetry } });

/** Every problem and warning, as one text. */
async function judge(telemetry: Telemetry, env?: Environment): Promise<string> {
  try {
    const { warnings } = await load(telemetry, env);
    return warnings.map((warning) => `warning ${formatProblem(warning)}`).join("\n");
  } catch (error) {
    if (error instanceof CommandFailure) return error.lines.join("\n");
    throw error;
  }
}

const hash = `sha256:${"x".repeat(43)}`;
const endpoint = "https://otel.example.com";

describe("settings of telemetry", () => {
  test.each<[string, Telemetry]>([
    ["a token", { metrics: "token", metricsTokenHashes: [hash] }],
    ["a collector on loopback with a key", { otlp: { endpoint: "http://127.0.0.1:4318", headers: { "x-key": "k" } } }],
    ["a collector in the network", { otlp: { endpoint: "http://10.0.0.5:4318/prefix/" } }],
    ["everything", { metrics: "public", metricsListen: "127.0.0.1:9464", accessLog: "stderr", toolLabels: false }],
  ])("%s: nothing to say", async (_, telemetry) => {
    expect(await judge(telemetry)).toBe("");
  });

  test.each<[string, Telemetry, RegExp]>([
    ["token without a token", { metrics: "token" }, /telemetry\.metrics\b.*sallyport secret/],
    ["a token itself", { metricsTokenHashes: ["my-token"] }, /metrics_token_hashes\[0\].*not the token itself/],
    ["a token that nothing asks for", { metricsTokenHashes: [hash] }, /^warning.*not used/],
    ["no URL", { otlp: { endpoint: "otel:4318" } }, /telemetry\.otlp\.endpoint.*base URL/],
    ["a path that is added anyway", { otlp: { endpoint: `${endpoint}/v1/traces` } }, /leave out \/v1\/traces/],
    ["a password in the URL", { otlp: { endpoint: "https://me:secret@otel.example.com" } }, /use headers/],
    ["a key in the clear", { otlp: { endpoint: "http://otel.example.com", headers: { k: "v" } } }, /^warning.*https/],
    ["neither of both", { otlp: { endpoint, traces: false, metrics: false } }, /^warning.*leave it out/],
    ["more than everything", { otlp: { endpoint, sampleRatio: 1.5 } }, /telemetry\.otlp\.sample_ratio/],
    ["a header's name with a space", { otlp: { endpoint, headers: { "x key": "v" } } }, /telemetry\.otlp\.headers/],
    ["a header with a line break", { otlp: { endpoint, headers: { k: "a\r\nb" } } }, /printable ASCII/],
    ["a listener without a port", { metricsListen: "127.0.0.1" }, /telemetry\.metrics_listen.*host:port/],
  ])("%s", async (_, telemetry, said) => {
    expect(await judge(telemetry)).toMatch(said);
  });

  test("a collector's key comes from elsewhere, and is never shown", async () => {
    const telemetry = { otlp: { endpoint, headers: { "x-key": "env:OTEL_KEY" } } };
    const loaded = await load(telemetry, { OTEL_KEY: "the-key-itself" });
    expect(loaded.config.telemetry.otlp?.headers).toEqual({ "x-key": "the-key-itself" });
    const shown = showConfig(loaded).filter(({ setting }) => setting.startsWith("telemetry.otlp.headers"));
    expect(shown).toHaveLength(1);
    expect(shown[0]?.value).not.toContain("the-key-itself");
    expect(await judge(telemetry)).toMatch(/OTEL_KEY is not set/);
  });
});
