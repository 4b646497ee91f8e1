import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createWalker } from "../support/browser-walk.ts";
import { describeInChromium, startChromium } from "../support/chromium.ts";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { begin } from "./client-site.ts";
import { complaintsIn } from "./steps.ts";

const folder = fileURLToPath(new URL("../../artifacts/screenshots/", import.meta.url));

/** Runs in the page: texts whose contrast with what is behind them is below 4.5 to 1 (WCAG 2.2, 1.4.3). */
const lowContrast = `(() => {
  const parse = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (rgb) => rgb.slice(0, 3)
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] !== 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let count = 0;
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim();
    const element = texts.currentNode.parentElement;
    if (text === "" || !element.checkVisibility()) continue;
    count += 1;
    const levels = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
    const ratio = (Math.max(...levels) + 0.05) / (Math.min(...levels) + 0.05);
    if (ratio < 4.5) found.push(text + ": " + ratio.toFixed(2));
  }
  if (count === 0) found.push("no text at all");
  return found;
})()`;

describeInChromium("every page as a browser shows it", () => {
  let env: TestEnvironment;
  let browser: Browser;
  const views: [name: string, open: (page: Page) => Promise<unknown>][] = [];

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    [env, browser] = await Promise.all([startEnvironment(), startChromium()]);
    const web = await begin(env.url, "https://claude.ai/api/mcp/auth_callback", "Claude");
    const loopback = await begin(env.url, "http://localhost:3334/oauth/callback", "Claude Code (clock)");
    const cursor = await begin(env.url, "cursor://anysphere.cursor-mcp/oauth/callback", "Cursor");
    const long = await begin(
      env.url,
      `https://${"very-long-".repeat(5)}name.sub.domain.example.org/callback`,
      "Rinderkennzeichnungsfleischetikettierungsüberwachungsaufgabenübertragung",
    );
    const walker = createWalker();
    const login = await walker.submit(await walker.get(web.url), { decision: "approve" });
    const otherRedirect = `${env.url}/authorize?client_id=${web.client.clientId}&redirect_uri=https://other.example/cb`;
    views.push(
      ["consent-web", (page) => page.goto(web.url)],
      ["consent-loopback", (page) => page.goto(loopback.url)],
      ["consent-custom-scheme", (page) => page.goto(cursor.url)],
      ["consent-long-names", (page) => page.goto(long.url)],
      ["error-unknown-client", (page) => page.goto(`${env.url}/authorize?client_id=gone`)],
      ["error-wrong-redirect", (page) => page.goto(otherRedirect)],
      [
        "error-over",
        async (page) => {
          await page.goto(`${env.url}/auth/callback?code=x&state=${"x".repeat(43)}`);
          await page.click("summary");
        },
      ],
      ["login", (page) => page.goto(login.url)],
      [
        "login-wrong-password",
        async (page) => {
          await page.fill("#username", "alice@example.com");
          await page.fill("#password", "wrong");
          await page.click("button[type=submit]");
          await page.waitForSelector("#error");
        },
      ],
      ["login-error", (page) => page.goto(`${env.cognito.url}/oauth2/authorize?client_id=none`)],
    );
  });
  afterAll(async () => {
    await browser?.close();
    await env?.close();
  });

  test.each([
    { screen: "desktop", scheme: "light", viewport: { width: 1280, height: 900 } },
    { screen: "desktop", scheme: "dark", viewport: { width: 1280, height: 900 } },
    { screen: "mobile", scheme: "light", viewport: { width: 320, height: 640 } },
    { screen: "mobile", scheme: "dark", viewport: { width: 320, height: 640 } },
  ] as const)(
    "$screen, $scheme: fits, can be read, and the browser has nothing to complain about",
    async ({ screen, scheme, viewport }) => {
      const context = await browser.newContext({ viewport, colorScheme: scheme });
      const complaints = complaintsIn(context);
      const page = await context.newPage();
      for (const [name, open] of views) {
        await open(page);
        await page.screenshot({ path: `${folder}${name}-${screen}-${scheme}.png`, fullPage: true });
        expect(await page.evaluate("document.documentElement.scrollWidth"), name).toBeLessThanOrEqual(viewport.width);
        expect(await page.evaluate(lowContrast), name).toEqual([]);
        const ground: unknown = await page.evaluate("getComputedStyle(document.body).backgroundColor");
        const brightness = Number(/\d+/.exec(String(ground))?.[0]);
        if (scheme === "light") expect(brightness, name).toBeGreaterThan(200);
        else expect(brightness, name).toBeLessThan(50);
      }
      await context.close();
      expect(complaints).toEqual([]);
    },
  );
});
