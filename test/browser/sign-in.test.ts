import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { describeInChromium, startChromium } from "../support/chromium.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { again, begin, type ClientSite, startClientSite } from "./client-site.ts";
import { arrival, complaintsIn, decide, logIn, signInsOf, subjectOf, useCode } from "./steps.ts";

describeInChromium("a person signs in with a real browser", () => {
  let env: TestEnvironment;
  let browser: Browser;
  let site: ClientSite;
  let context: BrowserContext;
  let complaints: readonly string[];
  let page: Page;

  beforeAll(async () => {
    [env, browser, site] = await Promise.all([startEnvironment(), startChromium(), startClientSite()]);
    context = await browser.newContext();
    complaints = complaintsIn(context);
    context.setDefaultTimeout(15_000);
    page = await context.newPage();
  });
  beforeEach(() => context.clearCookies());
  afterEach(() => {
    expect(complaints, "no page may make the browser complain").toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all([site?.close(), env?.close()]);
  });

  test("alice mistypes her password, signs in, and her client calls a tool server", async () => {
    const attempt = await begin(env.url, site.callback);
    const shown = await page.goto(attempt.url);
    expect(shown?.status()).toBe(200);
    expect(shown?.request().redirectedFrom()).toBeNull();
    await decide(page, "approve");
    await logIn(page, { ...demoUser(env, "alice"), password: "not-her-password" });
    await page.waitForSelector("[role=alert]");
    expect(await page.textContent("[role=alert]")).toBe("Incorrect username or password.");
    expect(await page.inputValue("input[name=username]")).toBe("alice@example.com");
    expect(await page.inputValue("input[name=password]")).toBe("");
    await page.fill("input[name=password]", demoUser(env, "alice").password);
    await page.click("button[type=submit]");
    const answer = await arrival(page, attempt);
    expect(await page.textContent("#arrived")).toBe("Back at the client");
    expect((await useCode(env, attempt, answer)).scope).toBe("mcp/read mcp/write mcp/admin");
    expect(signInsOf(env, attempt)).toBe(1);
  });

  test("everything works without JavaScript", async () => {
    const plain = await browser.newContext({ javaScriptEnabled: false });
    const tab = await plain.newPage();
    const attempt = await begin(env.url, site.callback);
    await tab.goto(attempt.url);
    await tab.click("button[value=approve]");
    await logIn(tab, demoUser(env, "bob"));
    expect((await useCode(env, attempt, await arrival(tab, attempt))).scope).toBe("mcp/read");
    await plain.close();
  });

  test("everything works with the keyboard alone, and Enter on the page does not approve", async () => {
    const attempt = await begin(env.url, site.callback);
    const focused = () => page.evaluate("document.activeElement.value");

    await page.goto(attempt.url);
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("1");
    await page.keyboard.press("Enter");
    expect((await arrival(page, attempt)).get("error")).toBe("access_denied");

    await page.goto(attempt.url);
    const order = ["scope.0", "scope.1", "scope.2", "another_account", "decision deny", "decision approve"];
    for (const control of order) {
      await page.keyboard.press("Tab");
      expect(await page.evaluate("document.activeElement.name + ' ' + document.activeElement.value")).toContain(
        control,
      );
      expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
    }
    await page.keyboard.press("Enter");
    await page.waitForSelector("input[name=password]");
    await page.keyboard.type("alice@example.com");
    await page.keyboard.press("Tab");
    await page.keyboard.type(demoUser(env, "alice").password);
    await page.keyboard.press("Enter");
    await useCode(env, attempt, await arrival(page, attempt));
  });

  test("a denial goes to the client, and nothing begins at Cognito", async () => {
    const attempt = await begin(env.url, site.callback);
    const before = env.cognito.requests.length;
    await page.goto(attempt.url);
    await decide(page, "deny");
    const answer = await arrival(page, attempt);
    expect(answer.get("error")).toBe("access_denied");
    expect(answer.get("iss")).toBe(env.url);
    expect(answer.has("code")).toBe(false);
    expect(env.cognito.requests.slice(before)).toEqual([]);
  });

  test("carol, who may use nothing, ends at the client with a reason", async () => {
    const attempt = await begin(env.url, site.callback);
    await page.goto(attempt.url);
    await decide(page, "approve");
    await logIn(page, demoUser(env, "carol"));
    const answer = await arrival(page, attempt);
    expect(answer.get("error")).toBe("access_denied");
    expect(answer.get("error_description")).toContain("carol@example.com");
    expect(answer.has("code")).toBe(false);
  });

  test("a live Cognito session signs in at once; 'use another account' shows Cognito's sign-in all the same", async () => {
    const first = await begin(env.url, site.callback);
    await page.goto(first.url);
    await decide(page, "approve");
    await logIn(page, demoUser(env, "alice"));
    const alice = subjectOf(await useCode(env, first, await arrival(page, first)));

    const second = again(env.url, first.client);
    await page.goto(second.url);
    await decide(page, "approve");
    expect(subjectOf(await useCode(env, second, await arrival(page, second)))).toBe(alice);

    const third = again(env.url, first.client);
    await page.goto(third.url);
    await page.click("text=Use another account");
    await decide(page, "approve");
    await page.waitForSelector("input[name=password]");
    expect(new URL(page.url()).origin).toBe(env.cognito.url);
    await logIn(page, demoUser(env, "bob"));
    const bob = await useCode(env, third, await arrival(page, third));
    expect(subjectOf(bob)).not.toBe(alice);
    expect(bob.scope).toBe("mcp/read");
  });

  test("a person leaves a scope out; with every box cleared the page comes again", async () => {
    const attempt = await begin(env.url, site.callback);
    await page.goto(attempt.url);
    for (const box of await page.getByRole("group", { name: "It will be able to" }).getByRole("checkbox").all()) {
      await box.uncheck();
    }
    await page.click("button[value=approve]");
    await page.waitForSelector("[role=alert]");
    expect(await page.textContent("[role=alert]")).toContain("Nothing is ticked");
    expect(env.audit.at(-1)).toMatchObject({ action: "consent.refused", reason: "consent_scopes_empty" });
    await page.getByRole("checkbox", { name: /^Change things/ }).check();
    await decide(page, "approve");
    await logIn(page, demoUser(env, "alice"));
    const answer = await arrival(page, attempt);
    expect((await useCode(env, attempt, answer)).scope).toBe("mcp/read mcp/write");
  });

  test("a person signs out: here, at Cognito, and is told so", async () => {
    const attempt = await begin(env.url, site.callback);
    await page.goto(attempt.url);
    await decide(page, "approve");
    await logIn(page, demoUser(env, "alice"));
    await arrival(page, attempt);
    await page.goto(`${env.url}/logout`);
    await page.click("text=Sign out >> nth=-1");
    await page.waitForURL(`${env.url}/logout`);
    await page.waitForSelector("h1:has-text('You are signed out')");
    expect((await context.cookies(env.url)).filter(({ name }) => name.startsWith("sallyport-"))).toEqual([]);
    await page.goto(again(env.url, attempt.client).url);
    await decide(page, "approve");
    await page.waitForSelector("input[name=password]");
  });

  test("an app with a scheme of its own is answered there", async () => {
    const attempt = await begin(env.url, "cursor://anysphere.cursor-mcp/oauth/callback", "Cursor");
    // A tab of its own: the browser asks there whether it may open the app, and takes no click until it is answered.
    const tab = await context.newPage();
    await tab.goto(attempt.url);
    expect(await tab.textContent(".destination strong")).toBe("cursor:");
    await decide(tab, "approve");
    const [answer] = await Promise.all([
      tab.waitForResponse((response) => response.url().startsWith(`${env.url}/auth/callback`)),
      logIn(tab, demoUser(env, "alice")),
    ]);
    const location = answer.headers().location ?? "";
    expect(location.startsWith("cursor://anysphere.cursor-mcp/oauth/callback?")).toBe(true);
    const query = new URL(location).searchParams;
    expect(query.get("state")).toBe(attempt.state);
    await useCode(env, attempt, query);
    await tab.close();
  });

  test("an unknown client gets a page that tells how to go on, and no redirect", async () => {
    const answer = await page.goto(`${env.url}/authorize?client_id=gone&redirect_uri=${site.callback}&state=s`);
    expect(answer?.status()).toBe(400);
    expect(page.url().startsWith(env.url)).toBe(true);
    expect(await page.textContent("h1")).toBe("This app has to register again");
    expect(await page.textContent(".hints")).toContain("mcp-remote");
  });

  test("a page that was left open for 16 minutes tells so, and approves nothing", async () => {
    const attempt = await begin(env.url, site.callback);
    await page.goto(attempt.url);
    env.clock.advance(16 * 60_000);
    await decide(page, "approve");
    expect(new URL(page.url()).pathname).toBe("/consent");
    expect(await page.textContent("h1")).toBe("This sign-in is over");
    await page.click("summary");
    await page.waitForSelector("text=This page is older than 15 minutes.");
    expect(env.audit.at(-1)).toMatchObject({ action: "consent.refused", reason: "consent_form_expired" });
  });
});
