import { accessSync, constants } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { describe, test } from "vitest";

const executable = process.env.SALLYPORT_TEST_CHROMIUM || "/usr/bin/chromium";

/** Why there is no browser to test with; undefined where there is one. */
function whyMissing(): string | undefined {
  try {
    accessSync(executable, constants.X_OK);
    return undefined;
  } catch {
    return `no Chromium at ${executable}: install it, or name one with SALLYPORT_TEST_CHROMIUM`;
  }
}

/**
 * A `describe` for tests that need a real browser. Without one they are skipped and say so, but under `CI=true` they
 * fail: there a missing browser is a mistake.
 */
export function describeInChromium(name: string, body: () => void): void {
  const missing = whyMissing();
  if (missing === undefined) return void describe(name, body);
  if (process.env.CI === "true") {
    return void test(name, () => {
      throw new Error(missing);
    });
  }
  process.stderr.write(`skipped: ${name} (${missing})\n`);
  describe.skip(name, body);
}

/** Starts Chromium with a profile of its own, which is removed with it. */
export const startChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: executable,
    headless: true,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
