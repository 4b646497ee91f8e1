import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWalker, type Walker } from "../support/browser-walk.ts";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, refresh, register, tokenAnswer } from "../support/oauth-client.ts";
import { attempt, hostedClient, tokensOf } from "./attempt.ts";

let env: TestEnvironment;
beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(() => env.close());

const cookiesOf = (walker: Walker, name: string): string[] =>
  [...walker.cookies].flatMap(([key, value]) => (key.startsWith(`localhost ${name}`) ? [value] : []));

describe("/logout", () => {
  test("asks, ends the session here and at Cognito, and says so in the end", async () => {
    const client = await hostedClient(env.url);
    const { walker } = await attempt(env, { client });
    expect((await attempt(env, { client, walker })).signedIn).toBe(false);
    expect(cookiesOf(walker, "cognito")).toHaveLength(1);

    const question = await walker.get(`${env.url}/logout`);
    expect(question.body).toContain("<h1>Sign out?</h1>");
    const hops: string[] = [];
    const seen = env.audit.length;
    const end = await walker.submit(question, {}, (location) => {
      hops.push(location);
      return false;
    });
    expect(hops).toEqual([
      `${env.cognito.url}/logout?${new URLSearchParams({ client_id: "sallyportdemo", logout_uri: `${env.url}/logout` })}`,
      `${env.url}/logout`,
    ]);
    expect([end.status, end.url]).toEqual([200, `${env.url}/logout`]);
    expect(end.body).toContain("<h1>You are signed out</h1>");
    expect(env.audit.slice(seen)).toMatchObject([
      { action: "session.ended", user: expect.stringMatching(/^5a11e000-/) },
    ]);
    expect(cookiesOf(walker, "sallyport-")).toEqual([]);

    const after = await attempt(env, { client, walker });
    expect([after.asked, after.signedIn]).toEqual([true, true]);
  });

  test("after a sign-in that is never remembered it asks as well", async () => {
    const { walker } = await attempt(env, { client: await register(env.url) });
    expect((await walker.get(`${env.url}/logout`)).body).toContain("<h1>Sign out?</h1>");
  });

  test("a browser that nobody signed in with is signed out already", async () => {
    const page = await createWalker().get(`${env.url}/logout`);
    expect([page.status, page.body.includes("<form")]).toEqual([200, false]);
  });

  test("a visit alone ends nothing, nor does HEAD", async () => {
    const client = await hostedClient(env.url);
    const { walker } = await attempt(env, { client });
    await walker.get(`${env.url}/logout`);
    await fetch(`${env.url}/logout`, { method: "HEAD" });
    expect((await attempt(env, { client, walker })).asked).toBe(false);
  });

  test("apps that are connected stay connected", async () => {
    const client = await hostedClient(env.url);
    const signedIn = await attempt(env, { client });
    const tokens = await tokenAnswer(await tokensOf(signedIn, env.url, client));
    await signedIn.walker.submit(await signedIn.walker.get(`${env.url}/logout`), {});
    expect((await refresh(env.url, client, tokens.refresh_token)).status).toBe(200);
  });

  test.each([undefined, "/logout"])("the configured target may be named: %s", async (path) => {
    const query = path === undefined ? "" : `?logout_uri=${encodeURIComponent(env.url + path)}`;
    expect((await fetch(`${env.url}/logout${query}`)).status).toBe(200);
  });
});

describe("use another account", () => {
  test("goes to Cognito's sign-in page with the same request, whoever is signed in there", async () => {
    const client = await register(env.url);
    const { walker } = await attempt(env, { client });
    const seen = env.cognito.requests.length;
    const other = await attempt(env, {
      client,
      walker,
      user: "bob",
      params: { login_hint: "alice@example.com" },
      fields: { another_account: "1" },
    });
    const paths = env.cognito.requests.slice(seen).map(({ path }) => path);
    expect(paths.slice(0, 3)).toEqual(["/logout", "/oauth2/authorize", "/login"]);
    expect(other.pages[1]?.body).not.toContain("alice@example.com");
    expect((await tokenAnswer(await tokensOf(other, env.url, client))).scope).toBe("mcp/read");
  });
});

describe("between Cognito's /logout and the sign-in", () => {
  test("two tabs go on one after the other, each with its own request; then there is nothing left to go on with", async () => {
    const walker = createWalker();
    const toLogout = (location: string) => location.startsWith(`${env.cognito.url}/logout`);
    const begin = async () => {
      const client = await register(env.url);
      const page = await walker.get(authorizeUrl(env.url, client, pkce()));
      await walker.submit(page, { decision: "approve", another_account: "1" }, toLogout);
    };
    await begin();
    await begin();
    const atCognito = (location: string) => location.startsWith(`${env.cognito.url}/oauth2/authorize`);
    const [one, two] = [
      await walker.get(`${env.url}/logout`, atCognito),
      await walker.get(`${env.url}/logout`, atCognito),
    ];
    const states = [one, two].map(({ location }) => new URL(location ?? "").searchParams.get("state"));
    expect(new Set(states).size).toBe(2);
    expect((await walker.get(`${env.url}/logout`)).location).toBeUndefined();
  });

  test("a continuation that was not made here leads nowhere", async () => {
    const time = env.clock.now().toString(36).padStart(9, "0");
    const forged = `sallyport-again-${time}-AAAAAAAAAAA=abcdefgh.${"A".repeat(80)}`;
    const answer = await fetch(`${env.url}/logout`, { redirect: "manual", headers: { cookie: forged } });
    expect([answer.status, answer.headers.get("location")]).toEqual([200, null]);
  });

  test("one that is older than ten minutes neither", async () => {
    const walker = createWalker();
    const client = await register(env.url);
    const page = await walker.get(authorizeUrl(env.url, client, pkce()));
    await walker.submit(page, { decision: "approve", another_account: "1" }, (l) =>
      l.startsWith(`${env.cognito.url}/logout`),
    );
    env.clock.advance(600_001);
    expect((await walker.get(`${env.url}/logout`)).location).toBeUndefined();
  });
});

describe("with remembering switched off, and another sign-out URL", () => {
  let off: TestEnvironment;
  const bye = "https://www.example.com/bye/";
  beforeAll(async () => {
    off = await startEnvironment({
      change: (settings) => ({
        ...settings,
        consent: { remember: "0s" },
        cognito: { ...settings.cognito, logoutUri: bye },
      }),
      pool: (pool) => ({
        ...pool,
        clients: pool.clients.map((client) => ("callbackUrls" in client ? { ...client, logoutUrls: [bye] } : client)),
      }),
    });
  });
  afterAll(() => off.close());

  test("every sign-in is asked for, the page promises nothing, and signing out leads there exactly", async () => {
    const client = await hostedClient(off.url);
    const first = await attempt(off, { client });
    expect(first.pages[0]?.body).not.toContain("not asked about the same");
    expect((await attempt(off, { client, walker: first.walker })).asked).toBe(true);
    const question = await first.walker.get(`${off.url}/logout`);
    const end = await first.walker.submit(question, {}, (location) => location.startsWith("https://www.example.com/"));
    expect(end.location).toBe(bye);
    // From there nobody comes back to go on: managed login is asked to sign in anew instead.
    const page = await first.walker.get(authorizeUrl(off.url, client, pkce()));
    const on = await first.walker.submit(page, { decision: "approve", another_account: "1" }, (l) =>
      l.startsWith(off.cognito.url),
    );
    expect(new URL(on.location ?? "").pathname).toBe("/oauth2/authorize");
    expect(new URL(on.location ?? "").searchParams.get("prompt")).toBe("login");
  });
});
