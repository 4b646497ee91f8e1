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

const shapes = [
  { screen: "desktop", scheme: "light", viewport: { width: 1280, height: 900 } },
  { screen: "desktop", scheme: "dark", viewport: { width: 1280, height: 900 } },
  { screen: "mobile", scheme: "dark", viewport: { width: 320, height: 640 } },
  { screen: "mobile", scheme: "light", viewport: { width: 320, height: 640 } },
] as const;

describeInChromium("every page as a browser shows it", () => {
  let env: TestEnvironment;
  let browser: Browser;
  let page: Page;
  let complaints: readonly string[];
  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    [env, browser] = await Promise.all([startEnvironment(), startChromium()]);
    const context = await browser.newContext();
    complaints = complaintsIn(context);
    page = await context.newPage();
  });
  afterAll(async () => {
    await browser?.close();
    await env?.close();
  });

  const consentOf = async (redirectUri: string, name: string) => (await begin(env.url, redirectUri, name)).url;
  const loginPage = async () => {
    const walker = createWalker();
    const consent = await walker.get(await consentOf("https://claude.ai/api/mcp/auth_callback", "Claude"));
    return (await walker.submit(consent, { decision: "approve" })).url;
  };
  const otherRedirect = async () => {
    const { client } = await begin(env.url, "https://claude.ai/api/mcp/auth_callback");
    return `${env.url}/authorize?client_id=${client.clientId}&redirect_uri=https://other.example/cb`;
  };
  const longHost = `https://${"very-long-".repeat(5)}name.sub.domain.example.org/callback`;
  const longName = "Rinderkennzeichnungsfleischetikettierungsüberwachungsaufgabenübertragung";
  const openDetails = async () => {
    await page.click("summary");
    await page.waitForSelector("details p");
  };
  const giveWrongPassword = async () => {
    await page.fill("#username", "alice@example.com");
    await page.fill("#password", "wrong");
    await page.click("button[type=submit]");
    await page.waitForSelector("#error");
  };

  test.each<[name: string, address: () => string | Promise<string>, act?: () => Promise<void>]>([
    ["consent-web", () => consentOf("https://claude.ai/api/mcp/auth_callback", "Claude")],
    ["consent-loopback", () => consentOf("http://localhost:3334/oauth/callback", "Claude Code (clock)")],
    ["consent-custom-scheme", () => consentOf("cursor://anysphere.cursor-mcp/oauth/callback", "Cursor")],
    ["consent-long-names", () => consentOf(longHost, longName)],
    ["error-unknown-client", () => `${env.url}/authorize?client_id=gone`],
    ["error-wrong-redirect", otherRedirect],
    ["error-over", () => `${env.url}/auth/callback?code=x&state=${"x".repeat(43)}`, openDetails],
    ["login", loginPage],
    ["login-wrong-password", loginPage, giveWrongPassword],
    ["login-error", () => `${env.cognito.url}/oauth2/authorize?client_id=none`],
  ])("%s: fits, can be read, light and dark, and gives the browser nothing to complain about", async (...view) => {
    const [name, address, act] = view;
    await page.goto(await address());
    await act?.();
    for (const { screen, scheme, viewport } of shapes) {
      const shape = `${screen} ${scheme}`;
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme: scheme });
      await page.screenshot({ path: `${folder}${name}-${screen}-${scheme}.png`, fullPage: true });
      expect(await page.evaluate("document.documentElement.scrollWidth"), shape).toBeLessThanOrEqual(viewport.width);
      expect(await page.evaluate(lowContrast), shape).toEqual([]);
      const ground = String(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
      const brightness = Number(/\d+/.exec(ground)?.[0]);
      if (scheme === "light") expect(brightness, shape).toBeGreaterThan(200);
      else expect(brightness, shape).toBeLessThan(50);
    }
    expect(complaints).toEqual([]);
  });
});
