import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createWalker } from "../support/browser-walk.ts";
import { describeInChromium, startChromium } from "../support/chromium.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { type Attempt, again, begin } from "./client-site.ts";
import { complaintsIn, logIn } from "./steps.ts";

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

/** Runs in the page: what a screen reader calls the focused control, as far as this page names them. */
const nameOfFocused = `(() => {
  const focused = document.activeElement;
  return focused.getAttribute("aria-label") ?? (focused.labels?.[0] ?? focused).innerText;
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
  let hosted: Attempt | undefined;
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

  /** Signs in with a hosted app, whose pages are made up here. */
  const signInHosted = async (name: string, prompt?: string) => {
    await page.route("https://app.example/**", (route) => route.fulfill({ body: "app", contentType: "text/html" }));
    const attempt = hosted
      ? again(env.url, hosted.client)
      : await begin(env.url, "https://app.example/cb", "Hosted app");
    hosted ??= attempt;
    await page.goto(prompt === undefined ? attempt.url : `${attempt.url}&prompt=${prompt}`);
    if (prompt === undefined) await page.click("button[value=approve]");
    await page.waitForSelector("input[name=password]");
    await logIn(page, demoUser(env, name));
  };
  const arrived = () => page.waitForURL((url) => url.hostname === "app.example");
  const clearAll = async () => {
    for (const box of await page.locator("fieldset input").all()) await box.uncheck();
    await page.click("button[value=approve]");
    await page.waitForSelector("[role=alert]");
  };
  const forgetCookies = async () => {
    await page.context().clearCookies({ name: /^sallyport-/ });
    await page.click("button[value=approve]");
    await page.waitForSelector("h1:has-text('did not keep')");
  };

  test.each<[name: string, address: () => string | Promise<string>, act?: () => Promise<void>]>([
    ["consent-web", () => consentOf("https://claude.ai/api/mcp/auth_callback", "Claude")],
    ["consent-loopback", () => consentOf("http://localhost:3334/oauth/callback", "Claude Code (clock)")],
    ["consent-custom-scheme", () => consentOf("cursor://anysphere.cursor-mcp/oauth/callback", "Cursor")],
    ["consent-long-names", () => consentOf(longHost, longName)],
    ["consent-nothing-ticked", () => consentOf("https://claude.ai/api/mcp/auth_callback", "Claude"), clearAll],
    ["signed-out", () => `${env.url}/logout`],
    ["remembered-none", () => `${env.url}/consent`],
    [
      "remembered",
      () => "about:blank",
      async () => {
        await signInHosted("alice");
        await arrived();
        await page.goto(`${env.url}/consent`);
        await page.waitForSelector("button[value=all]");
      },
    ],
    ["sign-out", () => `${env.url}/logout`],
    [
      "consent-other-user",
      () => "about:blank",
      async () => {
        await signInHosted("bob", "login");
        await page.waitForSelector("button[name=decision]");
      },
    ],
    ["error-no-cookie", () => consentOf("https://claude.ai/api/mcp/auth_callback", "Claude"), forgetCookies],
    ["error-sign-out-target", () => `${env.url}/logout?logout_uri=https://evil.example`],
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

  test("a branded page: its own logo, colours that can be read, links that open beside it", async () => {
    const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    const branding = {
      name: "Acme",
      logo: `data:image/png;base64,${dot}`,
      accentColor: "#ffcc00",
      termsUrl: "https://acme.example/terms",
      privacyUrl: "https://acme.example/privacy",
    };
    const branded = await startEnvironment({ change: (settings) => ({ ...settings, branding }) });
    await page.goto((await begin(branded.url, "https://claude.ai/api/mcp/auth_callback", "Claude")).url);
    expect(await page.title()).toBe("Allow access? · Acme");
    expect(await page.evaluate("document.querySelector('.brand img').naturalWidth")).toBe(1);
    expect(await page.getByRole("link").evaluateAll((links) => links.map((link) => link.textContent))).toEqual([
      "See what is remembered",
      "Terms of use",
      "Privacy",
    ]);
    for (const { screen, scheme, viewport } of shapes) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme: scheme });
      await page.screenshot({ path: `${folder}consent-branded-${screen}-${scheme}.png`, fullPage: true });
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(viewport.width);
      expect(await page.evaluate(lowContrast), `${screen} ${scheme}`).toEqual([]);
    }
    expect(complaints).toEqual([]);
    await branded.close();
  });

  test("with CSS off everything stands in an order that can be read, and nothing runs together", async () => {
    await page.setViewportSize({ width: 320, height: 640 });
    await page.goto(await consentOf("http://localhost:3334/oauth/callback", "Claude Code"));
    await page.evaluate("document.querySelector('style').remove()");
    const text = String(await page.evaluate("document.body.innerText")).replace(/\s+/g, " ");
    const parts = [
      "Claude Code asks for access to",
      "Unverified name The app chose this name itself",
      "access goes to an app on this computer, at localhost:3334",
      "This app runs on your computer.",
      "This app has been known here for less than a day.",
      "It will be able to",
      "Look at what the servers offer and read from them mcp/read Comes with “Change things",
      "Everything, deleting included mcp/admin",
      `Server ${env.url}/clock/mcp`,
      "Use another account Signs you out first",
      "If you did not start this, choose Deny.",
    ];
    const places = parts.map((part) => text.indexOf(part));
    expect(places, text).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(320);
  });

  test("the keyboard meets every control in the order of the page, each with a name of its own", async () => {
    await page.goto(await consentOf("https://claude.ai/api/mcp/auth_callback", "Claude"));
    const met: string[] = [];
    for (let press = 0; press < 7; press += 1) {
      await page.keyboard.press("Tab");
      met.push(String(await page.evaluate(nameOfFocused)));
    }
    expect(met).toEqual([
      expect.stringMatching(/^Look at what the servers offer/),
      expect.stringMatching(/^Change things/),
      expect.stringMatching(/^Everything, deleting included/),
      expect.stringMatching(/^Use another account/),
      "Deny",
      "Approve",
      "See what is remembered",
    ]);
  });
});
