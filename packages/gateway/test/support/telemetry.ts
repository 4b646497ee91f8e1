import { silentLogger, systemRandom } from "sallyport";
import { afterEach } from "vitest";
import { createTelemetry, gatewaySection, type Telemetry, type TelemetryOptions } from "../../src/index.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";

const open: Telemetry[] = [];

afterEach(async () => {
  for (const telemetry of open.splice(0)) await telemetry.close(100);
});

/** Telemetry over a clock that stands still; it ends with the test. Metrics are public unless settings say otherwise. */
export async function startTelemetry(
  settings: Readonly<Record<string, unknown>> = {},
  options: Partial<TelemetryOptions> = {},
): Promise<{ readonly telemetry: Telemetry; readonly clock: ManualClock }> {
  const clock = manualClock();
  const telemetry = await createTelemetry({
    config: gatewaySection.parse({ telemetry: { metrics: "public", ...settings } }).telemetry,
    trustedProxies: [],
    clock,
    random: systemRandom,
    logger: silentLogger,
    version: "1.2.3",
    ...options,
  });
  open.push(telemetry);
  return { telemetry, clock };
}
