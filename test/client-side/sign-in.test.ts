import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Browser, manualBrowser, SignInError, signInProvider } from "sallyport/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { callTool, tokenFolder } from "./session.ts";

let env: TestEnvironment;
let clock: string;

beforeAll(async () => {
  env = await startEnvironment();
  clock = `${env.url}/clock/mcp`;
});

afterAll(() => env.close());

/** A browser in which a demo user does what the pages ask, and which is then led to the program's own page. */
function browserOf(user: string, decision: "approve" | "deny" = "approve") {
  const seen: { readonly urls: URL[]; page: string } = { urls: [], page: "" };
  const browser: Browser = {
    open(url) {
      seen.urls.push(url);
      void (async () => {
        const location = await signIn(url.href, demoUser(env, user), { decision });
        seen.page = await (await fetch(location)).text();
      })();
    },
  };
  return { browser, seen };
}

const provider = (browser: Browser, folder = tokenFolder(), more: { timeout?: number } = {}) =>
  signInProvider({
    serverUrl: clock,
    clientName: "Test program",
    browser,
    folder,
    runtime: { clock: env.clock },
    ...more,
  });

const tokenRequests = () => env.audit.filter(({ action }) => action === "token.refreshed").length;

describe("signing in over loopback", () => {
  it("signs in at the first request, goes on with it, and needs no browser afterwards", async () => {
    const { browser, seen } = browserOf("alice");
    const folder = tokenFolder();
    expect(await callTool(clock, provider(browser, folder), "now")).toMatch(/\d{4}-/);
    const [url] = seen.urls;
    expect(url?.searchParams.get("redirect_uri")).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/);
    expect(url?.searchParams.get("code_challenge_method")).toBe("S256");
    expect(url?.searchParams.get("resource")).toBe(clock);
    await expect.poll(() => seen.page).toContain("You may close this page");

    expect(await callTool(clock, provider(browser, folder), "now")).toMatch(/\d{4}-/);
    expect(seen.urls).toHaveLength(1);
  });

  it("keeps the tokens in a folder of the user's own, in files that nobody else reads", async () => {
    const folder = tokenFolder();
    await provider(browserOf("alice").browser, folder).signIn();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const files = readdirSync(folder);
    expect(files.filter((name) => name.endsWith(".json"))).toHaveLength(1);
    for (const name of files) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    const [name = ""] = files.filter((file) => file.endsWith(".json"));
    const kept: unknown = JSON.parse(readFileSync(join(folder, name), "utf8"));
    expect(kept).toMatchObject({ resource: clock, latest: env.url, issuers: { [env.url]: { indicator: clock } } });
  });

  it("signs in once for requests that need it at the same moment", async () => {
    // Bob gets less than what is asked for, which must not look like a reason to ask again.
    const { browser, seen } = browserOf("bob");
    const bob = provider(browser);
    const answers = await Promise.all([1, 2, 3].map(() => callTool(clock, bob, "now")));
    expect(answers).toEqual(Array(3).fill(expect.stringMatching(/\d{4}-/)));
    expect(seen.urls).toHaveLength(1);
  });

  it("says so when the user refuses", async () => {
    const { browser, seen } = browserOf("alice", "deny");
    await expect(provider(browser).signIn()).rejects.toMatchObject({ name: "SignInError", code: "access_denied" });
    await expect.poll(() => seen.page).toContain("Not signed in");
  });

  it("waits on through answers that are not its own, and believes no answer of another issuer", async () => {
    const answers: number[] = [];
    const browser: Browser = {
      async open(url) {
        const back = url.searchParams.get("redirect_uri") ?? "";
        const state = url.searchParams.get("state") ?? "";
        const answer = async (params: Record<string, string>) =>
          answers.push((await fetch(`${back}?${new URLSearchParams(params)}`)).status);
        await answer({ code: "stolen", state: "guessed", iss: env.url });
        await answer({ error: "access_denied" });
        await answer({ code: "stolen", state, iss: "https://evil.example" });
      },
    };
    await expect(provider(browser).signIn()).rejects.toThrow(/not from http/);
    expect(answers).toEqual([400, 400, 400]);
  });

  it("gives up a user who does not come back", async () => {
    const signingIn = provider({ open: () => env.clock.advance(61_000) }, tokenFolder(), { timeout: 60_000 }).signIn();
    await expect(signingIn).rejects.toBeInstanceOf(SignInError);
  });

  it("takes the address from the user where the browser is on another machine", async () => {
    let shown: URL | undefined;
    const browser = manualBrowser(
      (url) => {
        shown = url;
      },
      () => signIn(shown?.href ?? "", demoUser(env, "alice")),
    );
    const alice = provider(browser);
    await alice.signIn();
    expect(await callTool(clock, alice, "now")).toMatch(/\d{4}-/);
  });

  it("renews in time, without the server refusing anything, and signs in again when the sign-in has ended", async () => {
    const { browser, seen } = browserOf("alice");
    const folder = tokenFolder();
    const alice = provider(browser, folder);
    await alice.signIn();
    const first = await alice.tokens();
    env.clock.advance(595_000);
    const before = tokenRequests();
    const second = await alice.tokens();
    expect(second?.access_token).not.toBe(first?.access_token);
    expect(second?.refresh_token).not.toBe(first?.refresh_token);
    expect(tokenRequests()).toBe(before + 1);
    await alice.signOut();
    expect(await alice.tokens()).toBeUndefined();
    expect(env.audit.at(-1)).toMatchObject({ action: "grant.ended" });
    expect(await callTool(clock, alice, "now")).toMatch(/\d{4}-/);
    expect(seen.urls).toHaveLength(2);
  });

  it("gets along with a grant that was ended elsewhere", async () => {
    const { browser, seen } = browserOf("alice");
    const alice = provider(browser);
    await alice.signIn();
    const { refresh_token = "" } = (await alice.tokens()) ?? {};
    const client = await alice.clientInformation();
    await fetch(`${env.url}/revoke`, {
      method: "POST",
      body: new URLSearchParams({ token: refresh_token, client_id: client?.client_id ?? "" }),
    });
    env.clock.advance(20_000);
    expect(await callTool(clock, alice, "now")).toMatch(/\d{4}-/);
    expect(seen.urls).toHaveLength(2);
  });

  it("does not take an outage for the end of a sign-in", async () => {
    const folder = tokenFolder();
    await provider(browserOf("alice").browser, folder).signIn();
    const down = signInProvider({
      serverUrl: clock,
      clientName: "Test program",
      browser: { open: () => expect.unreachable("a browser") },
      folder,
      runtime: { clock: env.clock, fetch: async () => new Response("", { status: 503 }) },
    });
    const held = await down.tokens();
    env.clock.advance(590_000);
    expect((await down.tokens())?.access_token).toBe(held?.access_token);
    env.clock.advance(20_000);
    await expect(down.tokens()).rejects.toThrow();
    // All is still there when the server is back.
    const { browser, seen } = browserOf("alice");
    expect(await callTool(clock, provider(browser, folder), "now")).toMatch(/\d{4}-/);
    expect(seen.urls).toHaveLength(0);
  });
});
