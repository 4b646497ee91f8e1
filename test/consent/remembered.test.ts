import type { Store } from "sallyport";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWalker, type Page, type Walker } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { libraryBeside } from "../support/library.ts";
import { register, tokenAnswer } from "../support/oauth-client.ts";
import { attempt, hostedClient, tokensOf } from "./attempt.ts";

type Switch = Parameters<Awaited<ReturnType<typeof libraryBeside>>["endGrants"]>[0];

const day = 86_400_000;

let env: TestEnvironment;
let store: Store;
beforeAll(async () => {
  env = await startEnvironment({
    change: (settings) => ({ ...settings, consent: { mostRemembered: 3 } }),
    wrapStore: (inner) => {
      store = inner;
      return inner;
    },
  });
});
afterAll(() => env.close());

/** A browser in which alice has approved a client. */
async function approved(redirectUri?: string, params: Record<string, string> = {}) {
  const client = await hostedClient(env.url, redirectUri);
  const { walker, asked, answer } = await attempt(env, { client, params });
  expect([asked, answer?.has("code")]).toEqual([true, true]);
  return { client, walker };
}

const list = (walker: Walker): Promise<Page> => walker.get(`${env.url}/consent`);
const names = (page: Page): string[] => [...page.body.matchAll(/<strong><bdi>([^<]+)/g)].map(([, name]) => name ?? "");
const idsOf = (page: Page): string[] =>
  [...page.body.matchAll(/name="forget" value="([^"]+)"/g)].map(([, id]) => id ?? "");

describe("an approval is remembered", () => {
  test("the second sign-in goes straight to Cognito, and its tokens are as good", async () => {
    const { client, walker } = await approved();
    const seen = env.audit.length;
    const again = await attempt(env, { client, walker });
    expect([again.asked, again.signedIn]).toEqual([false, false]);
    expect((await tokenAnswer(await tokensOf(again, env.url, client))).scope).toBe("mcp/read mcp/write mcp/admin");
    const [skipped] = env.audit.slice(seen);
    expect(skipped).toMatchObject({ action: "consent.skipped", client: client.clientId });
    expect(skipped?.user).toMatch(/^5a11e000-/);
  });

  test("the page says so beforehand, and for how long", async () => {
    const { pages } = await attempt(env, { client: await hostedClient(env.url) });
    expect(pages[0]?.body).toContain("again for 30 days.");
  });

  test("also where less is asked for than was approved", async () => {
    const { client, walker } = await approved();
    const again = await attempt(env, { client, walker, params: { scope: "mcp/read" } });
    expect(again.asked).toBe(false);
    expect((await tokenAnswer(await tokensOf(again, env.url, client))).scope).toBe("mcp/read");
  });

  test.each([
    ["login", true],
    ["select_account", false],
  ])("prompt=%s goes to Cognito as it came", async (prompt, password) => {
    const { client, walker } = await approved();
    const again = await attempt(env, { client, walker, params: { prompt } });
    expect([again.asked, again.signedIn]).toEqual([false, password]);
  });

  test("a sign-in by memory does not lengthen it: after 30 days the user is asked", async () => {
    const { client, walker } = await approved();
    env.clock.advance(29 * day);
    expect((await attempt(env, { client, walker })).asked).toBe(false);
    env.clock.advance(day);
    expect((await attempt(env, { client, walker })).asked).toBe(true);
  });
});

describe("an approval is not remembered", () => {
  test("longer because of a later one for another client", async () => {
    const { client, walker } = await approved();
    env.clock.advance(20 * day);
    const later = await hostedClient(env.url);
    await attempt(env, { client: later, walker });
    env.clock.advance(11 * day);
    expect(names(await list(walker))).toContain(later.name);
    expect(names(await list(walker))).not.toContain(client.name);
    expect((await attempt(env, { client: later, walker })).asked).toBe(false);
    expect((await attempt(env, { client, walker })).asked).toBe(true);
  });

  test.each([
    ["a loopback redirect", "http://127.0.0.1:9/callback"],
    ["https on loopback", "https://localhost:8443/callback"],
    ["a custom scheme", "cursor://anysphere.cursor-mcp/oauth/callback"],
  ])("for %s", async (_name, redirectUri) => {
    const { client, walker } = await approved(redirectUri);
    const again = await attempt(env, { client, walker });
    expect(again.asked).toBe(true);
    expect(again.pages[0]?.body).not.toContain("again for 30 days");
    expect(names(await list(walker))).not.toContain(client.name);
  });

  test("where the client asks for the page, then or now", async () => {
    const { client, walker } = await approved(undefined, { prompt: "consent" });
    expect((await attempt(env, { client, walker })).asked).toBe(true);
    expect((await attempt(env, { client, walker })).asked).toBe(false);
    expect((await attempt(env, { client, walker, params: { prompt: "consent" } })).asked).toBe(true);
  });

  test("for more than was approved, another resource, another redirect, another client", async () => {
    const redirects = ["https://app.example/callback", "https://app.example/other"];
    const registered = await register(env.url, { redirect_uris: redirects });
    const client = { ...registered, redirectUri: redirects[0] ?? "" };
    const { walker } = await attempt(env, { client, params: { scope: "mcp/write" } });
    const asked = async (other: Partial<typeof client>, params: Record<string, string> = {}) =>
      (await attempt(env, { client: { ...client, ...other }, walker, params: { scope: "mcp/write", ...params } }))
        .asked;
    expect(await asked({})).toBe(false);
    // Each of these is approved as it is asked, so that none of the later ones profits from an earlier.
    expect(await asked({}, { resource: `${env.url}/notes/mcp` })).toBe(true);
    expect(await asked({ redirectUri: redirects[1] ?? "" })).toBe(true);
    expect(await asked(await hostedClient(env.url))).toBe(true);
    expect(await asked({}, { scope: "mcp/admin" })).toBe(true);
  });

  test("in another browser of the same user", async () => {
    const { client } = await approved();
    expect((await attempt(env, { client, walker: createWalker() })).asked).toBe(true);
  });

  test("by a denial, or by an approval whose sign-in was not finished", async () => {
    const client = await hostedClient(env.url);
    const walker = createWalker();
    await attempt(env, { client, walker, fields: { decision: "deny" } });
    expect((await attempt(env, { client, walker, user: "carol" })).answer?.get("error")).toBe("access_denied");
    expect((await attempt(env, { client, walker })).asked).toBe(true);
  });

  test("beyond so many: the oldest goes", async () => {
    const walker = createWalker();
    const clients = [];
    for (let index = 0; index < 4; index += 1) {
      const client = await hostedClient(env.url);
      clients.push(client);
      await attempt(env, { client, walker });
      env.clock.advance(1000);
    }
    expect(idsOf(await list(walker))).toHaveLength(3 + 1);
    const asked = [];
    for (const client of clients.toReversed()) asked.push((await attempt(env, { client, walker })).asked);
    expect(asked).toEqual([false, false, false, true]);
  });
});

describe("another user than the remembered one", () => {
  test("is asked after Cognito, before any code; approving needs no second password", async () => {
    const { client, walker } = await approved();
    const seen = env.audit.length;
    const other = await attempt(env, { client, walker, user: "bob", params: { prompt: "login" } });
    expect([other.asked, other.signedIn, other.answer]).toEqual([false, true, undefined]);
    const page = other.askedAfter;
    expect(page?.status).toBe(200);
    expect(page?.body).toContain("You are signed in as <strong>bob@example.com</strong>");
    const actions = env.audit.slice(seen).map(({ action, reason }) => reason ?? action);
    expect(actions).toEqual(["consent.skipped", "consent_other_user"]);
    // Nothing of the sign-in is left at Cognito but the browser's session.
    await expect.poll(() => env.cognito.requests.at(-1)?.path).toBe("/oauth2/revoke");

    if (!page) throw new Error("no consent page");
    const done = await walker.submit(page, { decision: "approve" }, (at) => at.startsWith(client.redirectUri));
    const answer = new URL(done.location ?? "").searchParams;
    const tokens = await tokenAnswer(await tokensOf({ ...other, answer }, env.url, client));
    expect(tokens.scope).toBe("mcp/read");
    // From now on bob's approval is the one that this browser remembers.
    expect((await attempt(env, { client, walker })).asked).toBe(false);
  });

  test("is asked also where they have approved the same elsewhere", async () => {
    const { client, walker } = await approved();
    await attempt(env, { client, user: "bob" });
    const other = await attempt(env, { client, walker, user: "bob", params: { prompt: "login" } });
    expect([other.answer, other.askedAfter?.status]).toEqual([undefined, 200]);
  });

  test("may deny, and the client hears of it", async () => {
    const { client, walker } = await approved();
    const { askedAfter } = await attempt(env, { client, walker, user: "bob", params: { prompt: "login" } });
    if (!askedAfter) throw new Error("no consent page");
    const denied = await walker.submit(askedAfter, { decision: "deny" }, (at) => at.startsWith(client.redirectUri));
    expect(new URL(denied.location ?? "").searchParams.get("error")).toBe("access_denied");
    const again = await attempt(env, { client, walker, user: "bob", params: { prompt: "login" } });
    expect(again.askedAfter).toBeDefined();
  });
});

describe("the list", () => {
  test("shows what is remembered, and each can be forgotten once", async () => {
    const { client, walker } = await approved();
    const before = await list(walker);
    const [first = ""] = idsOf(before);
    expect(before.body).toContain("app.example");
    expect(before.body).toContain("Everything, deleting included");
    const seen = env.audit.length;
    for (const _press of ["first", "second"]) {
      const after = await walker.submit(before, { forget: first });
      expect([after.status, after.url]).toEqual([200, `${env.url}/consent`]);
      expect(idsOf(after)).not.toContain(first);
    }
    expect(env.audit.slice(seen).map(({ action }) => action)).toEqual(["consent.forgotten"]);
    expect((await attempt(env, { client, walker })).asked).toBe(true);
  });

  test("can be forgotten as a whole, in every browser of the user", async () => {
    const { client, walker } = await approved();
    const second = await attempt(env, { client });
    const emptied = await walker.submit(await list(walker), { forget: "all" });
    expect(emptied.body).toContain("Nothing is remembered:");
    expect((await attempt(env, { client, walker: second.walker })).asked).toBe(true);
  });

  test("a forgotten approval does not count for a sign-in that is under way", async () => {
    const { client, walker } = await approved();
    const page = await list(walker);
    const url = new URL(`${env.url}/authorize`);
    const underWay = await walker.get(
      `${url}?${new URLSearchParams({
        response_type: "code",
        client_id: client.clientId,
        redirect_uri: client.redirectUri,
        code_challenge: "a".repeat(43),
        code_challenge_method: "S256",
        resource: `${env.url}/clock/mcp`,
        prompt: "login",
      })}`,
    );
    expect(underWay.body).toContain('name="password"');
    await walker.submit(page, { forget: "all" });
    const { username, password } = demoUser(env, "alice");
    const end = await walker.submit(underWay, { username, password });
    expect([end.status, end.body.includes('name="decision"')]).toEqual([200, true]);
    expect(end.body).not.toContain("You are signed in as");
  });

  test("without a cookie of ours there is nothing, and no form", async () => {
    const page = await list(createWalker());
    expect(page.status).toBe(200);
    expect(page.body).toContain("Nothing is remembered:");
    expect(page.body).not.toContain("<form");
  });
});

describe("it ends", () => {
  test.each([
    ["the user", ({ user }) => ({ user })],
    ["the client", ({ client }) => ({ client })],
    ["everyone", () => ({ all: true })],
  ] satisfies [string, (of: { user: string; client: string }) => Switch][])(
    "by a kill switch for %s",
    async (...row) => {
      const [, scopeOf] = row;
      const { client, walker } = await approved();
      expect(names(await list(walker))).toContain(client.name);
      const user = env.audit.findLast(({ action }) => action === "consent.remembered")?.user ?? "";
      const library = await libraryBeside(env, store);
      await library.endGrants(scopeOf({ user, client: client.clientId }));
      await library.close();
      env.clock.advance(1001);
      expect(names(await list(walker))).not.toContain(client.name);
      // What is approved after it counts again, but not by a cookie from before.
      const after = await attempt(env, { client });
      expect([after.asked, (await attempt(env, { client, walker: after.walker })).asked]).toEqual([true, false]);
      expect((await attempt(env, { client, walker })).asked).toBe(true);
    },
  );

  test("with the client's registration", async () => {
    const { client, walker } = await approved();
    env.clock.advance(61 * day);
    const page = (await attempt(env, { client, walker })).pages[0];
    expect(page?.status).toBe(400);
    expect(page?.body).toContain("This app has to register again");
  });
});

test("a kill switch holds for as long as anything could be remembered", async () => {
  let inner: Store | undefined;
  const long = await startEnvironment({
    change: (settings) => ({ ...settings, consent: { remember: "60d" } }),
    wrapStore: (given) => {
      inner = given;
      return given;
    },
  });
  if (!inner) throw new Error("no store");
  const client = await hostedClient(long.url);
  const { walker } = await attempt(long, { client });
  const library = await libraryBeside(long, inner);
  await library.endGrants({ all: true });
  await library.close();
  // Longer than any grant lives, and than the switch would have to be kept for grants alone.
  long.clock.advance(40 * day);
  expect((await attempt(long, { client, walker })).asked).toBe(true);
  await long.close();
});
