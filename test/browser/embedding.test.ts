import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { describeInChromium, startChromium } from "../support/chromium.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { begin, type ClientSite, startClientSite } from "./client-site.ts";
import { decide, logIn, useCode } from "./steps.ts";

describeInChromium("pages of other sites around ours", () => {
  let env: TestEnvironment;
  let browser: Browser;
  let site: ClientSite;
  let context: BrowserContext;
  let page: Page;

  beforeAll(async () => {
    [env, browser, site] = await Promise.all([startEnvironment(), startChromium(), startClientSite()]);
    context = await browser.newContext();
    context.setDefaultTimeout(15_000);
    page = await context.newPage();
  });
  beforeEach(async () => {
    await context.clearCookies();
    await page.unrouteAll();
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all([site?.close(), env?.close()]);
  });

  /** The text that a frame on the client's page shows for a URL; of a page that was refused, the browser's own. */
  const framed = async (url: string): Promise<string | null> => {
    await page.goto(site.show("/frame", `<iframe src="${url.replaceAll("&", "&amp;")}"></iframe>`));
    await page.waitForLoadState("load");
    const frame = page.frames().find((candidate) => candidate !== page.mainFrame());
    return frame ? frame.locator("body").textContent() : "no frame";
  };

  test.each([
    ["both headers as they are sent", []],
    ["frame-ancestors alone", ["x-frame-options"]],
    ["X-Frame-Options alone", ["content-security-policy"]],
  ])("a consent page in a frame shows nothing: %s", async (_name, without) => {
    const attempt = await begin(env.url, site.callback);
    await page.route(`${env.url}/authorize?**`, async (route) => {
      const response = await route.fetch();
      const headers = Object.entries(response.headers()).filter(([name]) => !without.includes(name));
      await route.fulfill({ response, headers: Object.fromEntries(headers) });
    });
    expect(await framed(attempt.url)).toContain("localhost refused to connect");
  });

  test("the frame test sees a page that does not refuse: without both headers the form is there", async () => {
    const attempt = await begin(env.url, site.callback);
    await page.route(`${env.url}/authorize?**`, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { "content-type": "text/html" } });
    });
    expect(await framed(attempt.url)).toContain("asks for access");
  });

  test("error pages and Cognito's sign-in page show nothing in a frame either", async () => {
    for (const url of [`${env.url}/authorize?client_id=gone`, `${env.cognito.url}/oauth2/authorize?client_id=none`]) {
      expect(await framed(url)).toContain("localhost refused to connect");
    }
  });

  test("a form that another site sends to /consent is refused", async () => {
    const attempt = await begin(env.url, site.callback);
    await page.goto(attempt.url);
    const request = await page.inputValue("input[name=request]");
    const attack = `<form method="post" action="${env.url}/consent"><input name="request" value="${request}">
<input name="decision" value="approve"><button>Win a prize</button></form>`;
    await page.goto(site.show("/attack", attack));
    await page.click("button");
    await page.waitForURL(`${env.url}/consent`);
    expect(await page.textContent("h1")).toBe("This form was not accepted");
    expect(env.audit.at(-1)).toMatchObject({ action: "consent.refused", reason: "cross_site_post" });
  });

  test("a client that signs in from a popup hears back by postMessage", async () => {
    const attempt = await begin(env.url, site.callback);
    const opener = `<button id="sign-in">Sign in</button><output></output><script>
document.querySelector("button").onclick = () => { window.popup = window.open(${JSON.stringify(attempt.url)}, "", "popup") };
addEventListener("message", (event) => {
  if (event.origin === location.origin) document.querySelector("output").textContent = JSON.stringify(event.data.answer);
});
</script>`;
    await page.goto(site.show("/app", opener));
    const [popup] = await Promise.all([page.waitForEvent("popup"), page.click("#sign-in")]);
    await popup.waitForSelector("button[name=decision]");
    expect(await page.evaluate("window.popup.closed")).toBe(false);
    await decide(popup, "approve");
    await logIn(popup, demoUser(env, "alice"));
    await page.waitForFunction("document.querySelector('output').textContent !== ''");
    const answer: unknown = JSON.parse((await page.textContent("output")) ?? "");
    expect(answer).toMatchObject({ state: attempt.state, iss: env.url });
    await useCode(env, attempt, new URL(popup.url()).searchParams);
    await popup.close();
  });
});
