import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const telemetry = fileURLToPath(new URL("../../src/telemetry/telemetry.ts", import.meta.url));

/** Tells each package of OpenTelemetry that is loaded, while telemetry of these settings starts and ends. */
const program = (settings: object): string => `
  import { registerHooks } from "node:module";
  const seen = new Set();
  registerHooks({ resolve(name, context, next) {
    if (name.startsWith("@opentelemetry/")) seen.add(name);
    return next(name, context);
  } });
  const { createTelemetry } = await import(${JSON.stringify(telemetry)});
  const { gatewaySection } = await import(${JSON.stringify(telemetry.replace("telemetry/telemetry", "index"))});
  const { silentLogger, systemClock, systemRandom } = await import("sallyport");
  const config = gatewaySection.parse({ telemetry: ${JSON.stringify(settings)} }).telemetry;
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const made = await createTelemetry({ ...deps, config, trustedProxies: [], version: "1" });
  await made.metricsText();
  await made.close(0);
  console.log(JSON.stringify([...seen]));
  process.exit();
`;

async function loadedWith(settings: object): Promise<readonly string[]> {
  const cwd = fileURLToPath(new URL("../../", import.meta.url));
  const options = ["--conditions=sallyport-source", "--input-type=module", "--eval", program(settings)];
  const child = spawn(process.execPath, options, { cwd, stdio: ["ignore", "pipe", "inherit"] });
  const [printed] = await Promise.all([text(child.stdout), once(child, "exit")]);
  const names: string[] = JSON.parse(printed);
  return names;
}

test("OpenTelemetry's packages are loaded for a collector only", async () => {
  const [metrics, collector] = await Promise.all([
    loadedWith({ metrics: "public", accessLog: "stderr" }),
    loadedWith({ otlp: { endpoint: "http://127.0.0.1:1" } }),
  ]);
  expect(metrics).toEqual([]);
  expect(collector).toContain("@opentelemetry/sdk-trace");
});
