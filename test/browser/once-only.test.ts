import type { Browser, BrowserContext, Page } from "playwright-core";
import type { Store } from "sallyport";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { describeInChromium, startChromium } from "../support/chromium.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { again, begin, type ClientSite, startClientSite } from "./client-site.ts";
import { arrival, complaintsIn, decide, logIn, signInsOf, useCode } from "./steps.ts";

describeInChromium("a form is answered once, whatever people and browsers do with it", () => {
  let env: TestEnvironment;
  let browser: Browser;
  let site: ClientSite;
  let context: BrowserContext;
  let page: Page;
  let complaints: readonly string[];

  /** So many writes to the store wait for each other, so that what led to them was decided at the same time. */
  let together = 1;
  let waiting: (() => void)[] = [];
  const meet = (store: Store): Store =>
    new Proxy(store, {
      get(target, name) {
        if (name !== "put") return Reflect.get(target, name);
        const put: Store["put"] = async (...args) => {
          await new Promise<void>((resolve) => {
            waiting.push(resolve);
            if (waiting.length < together) return;
            for (const go of waiting) go();
            waiting = [];
          });
          return target.put(...args);
        };
        return put;
      },
    });

  beforeAll(async () => {
    const starts = [startEnvironment({ wrapStore: meet }), startChromium(), startClientSite()] as const;
    [env, browser, site] = await Promise.all(starts);
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

  /** Posts the form of the page that is open, as a second press of the button would; answers where it leads. */
  const post = async (decision: "approve" | "deny"): Promise<{ status: number; location: string | undefined }> => {
    const request = await page.inputValue("input[name=request]");
    const answer = await context.request.post(`${env.url}/consent`, {
      form: { request, decision },
      headers: { origin: env.url },
      maxRedirects: 0,
    });
    return { status: answer.status(), location: answer.headers().location };
  };

  test("back from Cognito's sign-in to the consent page, and approved once more", async () => {
    const attempt = await begin(env.url, site.callback);
    await page.goto(attempt.url);
    await decide(page, "approve");
    await page.waitForSelector("input[name=password]");
    await page.goBack();
    expect(await page.textContent("h1")).toContain("asks for access");
    await decide(page, "approve");
    await logIn(page, demoUser(env, "alice"));
    await useCode(env, attempt, await arrival(page, attempt));
    expect(signInsOf(env, attempt)).toBe(1);
  });

  test("a page that the browser kept is approved again: the same transaction, not another one", async () => {
    const attempt = await begin(env.url, site.callback);
    await page.goto(attempt.url);
    const [first, second] = [await post("approve"), await post("approve")];
    expect(first.status).toBe(302);
    expect(second).toEqual(first);
    await page.goto(second.location ?? "");
    await logIn(page, demoUser(env, "alice"));
    await useCode(env, attempt, await arrival(page, attempt));
  });

  test("two approvals at the same time begin one sign-in", async () => {
    const attempt = await begin(env.url, site.callback);
    await page.goto(attempt.url);
    together = 3;
    const answers = await Promise.all([post("approve"), post("approve"), post("approve")]).finally(() => {
      together = 1;
    });
    expect(new Set(answers.map(({ location }) => location)).size).toBe(1);
    await page.goto(answers[0]?.location ?? "");
    await logIn(page, demoUser(env, "alice"));
    await useCode(env, attempt, await arrival(page, attempt));
    expect(signInsOf(env, attempt)).toBe(1);
  });

  test("a double click on Approve ends at the client with one grant", async () => {
    const attempt = await begin(env.url, site.callback);
    await page.goto(attempt.url);
    await page.dblclick("button[value=approve]");
    await page.waitForSelector("input[name=password]");
    await logIn(page, demoUser(env, "alice"));
    await useCode(env, attempt, await arrival(page, attempt));
    expect(signInsOf(env, attempt)).toBe(1);
    const approvals = env.audit.filter(
      (event) => event.action === "consent.approved" && event.client === attempt.client.clientId,
    );
    expect(approvals).toHaveLength(1);
  });

  test("a denial after an approval ends the sign-in that was begun", async () => {
    const attempt = await begin(env.url, site.callback);
    await page.goto(attempt.url);
    const begun = await post("approve");
    await post("deny");
    await page.goto(begun.location ?? "");
    await logIn(page, demoUser(env, "alice"));
    await page.waitForURL(`${env.url}/auth/callback?**`);
    expect(await page.textContent("h1")).toBe("This sign-in is over");
    expect(signInsOf(env, attempt)).toBe(0);
  });

  test("a reload of the client's page after the sign-in brings no second code", async () => {
    const attempt = await begin(env.url, site.callback);
    await page.goto(attempt.url);
    await decide(page, "approve");
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.url().startsWith(`${env.url}/auth/callback`)),
      logIn(page, demoUser(env, "alice")),
    ]);
    await arrival(page, attempt);
    await page.goto(answer.url());
    expect(await page.textContent("h1")).toBe("This sign-in is over");
    expect(signInsOf(env, attempt)).toBe(1);
  });

  test.each([
    ["in the order in which they were opened", [0, 1]],
    ["the other way round", [1, 0]],
  ])("two tabs sign in side by side, completed %s", async (_name, order) => {
    const attempt = await begin(env.url, site.callback);
    const tabs = [
      { page, attempt },
      { page: await context.newPage(), attempt: again(env.url, attempt.client) },
    ];
    for (const tab of tabs) await tab.page.goto(tab.attempt.url);
    for (const tab of tabs) {
      await tab.page.bringToFront();
      await decide(tab.page, "approve");
    }
    for (const tab of tabs) await tab.page.waitForSelector("input[name=password]");
    for (const index of order) {
      const tab = tabs[index];
      if (!tab) throw new Error("no such tab");
      await tab.page.bringToFront();
      await logIn(tab.page, demoUser(env, "alice"));
      await useCode(env, tab.attempt, await arrival(tab.page, tab.attempt));
    }
    expect(signInsOf(env, attempt)).toBe(2);
    await tabs[1]?.page.close();
  });

  test("nine tabs: the newest eight can be completed, the ninth is told to begin again", async () => {
    const first = await begin(env.url, site.callback);
    const attempts = [first, ...Array.from({ length: 8 }, () => again(env.url, first.client))];
    const begun: string[] = [];
    for (const attempt of attempts) {
      await page.goto(attempt.url);
      begun.push((await post("approve")).location ?? "");
    }
    await page.goto(begun[8] ?? "");
    await logIn(page, demoUser(env, "alice"));
    await arrival(page, attempts[8] ?? first);
    const [second, oldest] = [attempts[1], begun[0]];
    if (!second || !oldest) throw new Error("no such attempt");
    await page.goto(begun[1] ?? "");
    await arrival(page, second);
    await page.goto(oldest);
    expect(await page.textContent("h1")).toBe("This sign-in belongs to another browser");
  });
});
