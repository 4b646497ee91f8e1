import { hash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { attempt, hostedClient } from "../consent/attempt.ts";
import { createWalker, type Walker } from "../support/browser-walk.ts";
import { authorizeUrl, pkce, register, type TestClient } from "../support/oauth-client.ts";
import { cookieHeader, found, onEachStore, sealedRequest } from "./arena.ts";
import { answer, openTab } from "./consent-tab.ts";
import { meetBeforeWriting } from "./watched-store.ts";

/** The value of the cookie that tells who signed in with a browser. */
const userCookie = (walker: Walker): string =>
  found(
    [...walker.cookies].find(([key]) => key.startsWith("localhost sallyport-user-"))?.[1],
    "this browser has no user cookie",
  );

const crossSite: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ["Origin", { origin: "https://evil.example" }],
  ["Origin null", { origin: "null" }],
  ["Sec-Fetch-Site", { "sec-fetch-site": "cross-site" }],
  ["Sec-Fetch-Site same-site", { "sec-fetch-site": "same-site" }],
];

const cookieName = "sallyport-user-0mzzzzzzz-AAAAAAAAAAA";

onEachStore("attacks §5.4 remembered consent", (arena) => {
  /** A browser in which a user has approved a client. */
  const approved = async (user: "alice" | "bob" = "alice"): Promise<{ client: TestClient; walker: Walker }> => {
    const client = await hostedClient(arena().env.url);
    const { walker, asked } = await attempt(arena().env, { client, user });
    expect(asked).toBe(true);
    return { client, walker };
  };

  /** `GET /authorize` with exactly these headers: does it show the page? */
  const ask = async (
    client: TestClient,
    headers: Record<string, string>,
    params: Record<string, string | undefined> = {},
  ): Promise<"page" | "skipped"> => {
    const { env, outcome } = arena();
    const url = authorizeUrl(env.url, client, pkce(), params);
    const { status, location, body } = await outcome(() =>
      fetch(url, { redirect: "manual", headers: { accept: "text/html", ...headers } }),
    );
    if (status === 302 && location?.startsWith(`${env.cognito.url}/oauth2/authorize?`)) return "skipped";
    expect([status, body.includes('name="decision"')]).toEqual([200, true]);
    return "page";
  };

  describe("the cookie", () => {
    test("stolen: the thief's own sign-in at Cognito is asked, and gets no code without", async () => {
      const { env } = arena();
      const { client, walker } = await approved();
      const thief = createWalker([[`localhost ${cookieName}`, userCookie(walker)]]);
      const seen = arena().store.calls.length;
      const theft = await attempt(env, { client, walker: thief, user: "bob" });
      expect([theft.asked, theft.answer, theft.askedAfter?.status]).toEqual([false, undefined, 200]);
      const written = arena()
        .store.calls.slice(seen)
        .filter(({ operation }) => operation !== "get");
      expect(written.map(({ key }) => key.split(":")[0])).toEqual(["transaction", "transaction"]);
    });

    test("of alice, with bob signed in at Cognito: he is asked", async () => {
      const { env } = arena();
      const { client, walker } = await approved();
      const { walker: bobs } = await attempt(env, { client: await register(env.url), user: "bob" });
      const atCognito = [...bobs.cookies].filter(([key]) => !key.startsWith("localhost sallyport-user-"));
      const bob = createWalker([...atCognito, [`localhost ${cookieName}`, userCookie(walker)]]);
      const page = await bob.get(authorizeUrl(env.url, client, pkce()));
      expect([page.status, page.body.includes('name="decision"')]).toEqual([200, true]);
      expect(page.body).toContain("bob@example.com");
    });

    test.each([
      ["empty", () => ""],
      ["in clear", () => Buffer.from('{"sub":"5a11e000-0000-4000-8000-000000000001"}').toString("base64url")],
      ["changed", (cookie: string) => `${cookie.slice(0, 60)}${cookie[60] === "A" ? "B" : "A"}${cookie.slice(61)}`],
      ["cut", (cookie: string) => cookie.slice(0, -4)],
      ["under another key", (cookie: string) => `AAAAAAAA${cookie.slice(8)}`],
    ])("forged, %s: counts for nothing", async (_name, bend) => {
      const { client, walker } = await approved();
      const cookie = userCookie(walker);
      expect(await ask(client, { cookie: `${cookieName}=${cookie}` })).toBe("skipped");
      expect(await ask(client, { cookie: `${cookieName}=${bend(cookie)}` })).toBe("page");
    });

    test("a handle sealed for another purpose counts for nothing, nor does this one elsewhere", async () => {
      const { env, outcome } = arena();
      const { client, walker } = await approved();
      const tab = await openTab(arena());
      const list = await walker.get(`${env.url}/consent`);
      const ofList = found(/name="remembered" value="([^"]+)"/.exec(list.body)?.[1], "no list");
      for (const handle of [sealedRequest(tab.page), ofList]) {
        expect(await ask(client, { cookie: `${cookieName}=${handle}` })).toBe("page");
      }
      const asForm = await answer(arena(), tab, cookieHeader(tab.walker), { fields: { request: userCookie(walker) } });
      expect(asForm).toMatchObject({ status: 400, reasons: ["consent_form_invalid"] });
      const asList = await outcome(() => forget({ remembered: userCookie(walker), forget: "all" }, walker));
      expect(asList).toMatchObject({ status: 400, reasons: ["consent_form_invalid"] });
    });

    test("opens nothing else: no token, no sign-in of its own", async () => {
      const { env, mcp, outcome } = arena();
      const { walker } = await approved();
      const cookie = `${cookieName}=${userCookie(walker)}`;
      expect((await mcp(undefined, "/clock/mcp", { cookie })).status).toBe(401);
      const callback = `${env.url}/auth/callback?code=x&state=${"A".repeat(43)}`;
      const called = await outcome(() => fetch(callback, { headers: { cookie, accept: "text/html" } }));
      expect(called).toMatchObject({ status: 400, reasons: ["transaction_unknown"] });
    });

    test("after 30 days it is over, whatever the browser kept", async () => {
      const { client, walker } = await approved();
      const cookie = `${cookieName}=${userCookie(walker)}`;
      const { env } = arena();
      const logout = async () => (await fetch(`${env.url}/logout`, { headers: { cookie } })).text();
      expect(await logout()).toContain("Sign out?");
      env.clock.advance(30 * 86_400_000);
      expect(await ask(client, { cookie })).toBe("page");
      expect(await logout()).toContain("You are signed out");
    });

    test("on http loopback it is HttpOnly and Lax, and lives 30 days", async () => {
      const { env } = arena();
      const tab = await openTab(arena(), { client: await hostedClient(env.url) });
      const callback = await arena().atCognito(tab.walker, await arena().approve(tab.walker, tab.page));
      const headers = { cookie: cookieHeader(tab.walker) };
      const done = await fetch(callback, { redirect: "manual", headers });
      expect(done.headers.getSetCookie()).toEqual([
        expect.stringMatching(/^sallyport-user-[\w-]+=[\w.-]{80,}; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Lax$/),
      ]);
    });
  });

  describe("what is remembered", () => {
    test.each([
      ["another redirect of the same client", { redirect_uri: "https://app.example/other" }],
      ["a redirect that differs in a slash", { redirect_uri: "https://app.example/callback/" }],
      ["another resource", { resource: "/notes/mcp" }],
      ["more scopes", { scope: "mcp/admin" }],
      ["no scope, which means all of them", { scope: undefined }],
    ])("does not cover %s", async (_name, params) => {
      const { env } = arena();
      const redirects = ["https://app.example/callback", "https://app.example/other", "https://app.example/callback/"];
      const registered = await register(env.url, { redirect_uris: redirects });
      const client = { ...registered, redirectUri: "https://app.example/callback" };
      const { walker } = await attempt(env, { client, params: { scope: "mcp/write" } });
      const headers = { cookie: cookieHeader(walker) };
      expect(await ask(client, headers, { scope: "mcp/write" })).toBe("skipped");
      const given = "resource" in params ? { resource: env.url + params.resource } : params;
      expect(await ask(client, headers, { scope: "mcp/write", ...given })).toBe("page");
    });

    test.each(["iframe", "frame", "embed", "object", "image", "script", "empty"])(
      "is not used for an answer that goes into a page of somebody's: Sec-Fetch-Dest %s",
      async (destination) => {
        const { client, walker } = await approved();
        const headers = { cookie: cookieHeader(walker), "sec-fetch-site": "cross-site" };
        expect(await ask(client, { ...headers, "sec-fetch-dest": destination })).toBe("page");
        // A link on another site is how sign-ins begin.
        expect(await ask(client, { ...headers, "sec-fetch-dest": "document" })).toBe("skipped");
      },
    );

    test("an outage of the store is a reason to ask, and none to skip or to turn away", async () => {
      const { client, walker } = await approved();
      const headers = { cookie: cookieHeader(walker) };
      const { store } = arena();
      for (const kind of ["remembered-consents:", "epoch:"]) {
        arena().env.clock.advance(2000);
        store.fault = (_operation, key) => (key.startsWith(kind) ? "before" : undefined);
        expect(await ask(client, headers)).toBe("page");
        store.fault = undefined;
      }
      arena().env.clock.advance(2000);
      expect(await ask(client, headers)).toBe("skipped");
    });

    test("is read from the store by nobody: neither user nor client nor redirect stands there", async () => {
      const { client, walker } = await approved();
      expect(await ask(client, { cookie: cookieHeader(walker) })).toBe("skipped");
      const keys = arena().store.calls.flatMap(({ key }) => (key.startsWith("remembered-consents:") ? [key] : []));
      for (const key of keys) expect(key).toMatch(/^remembered-consents:[\w-]{43}$/);
      // Subs can be guessed, so their plain hash would tell whose record it is.
      const sub = found(arena().env.audit.findLast(({ action }) => action === "consent.remembered")?.user, "no user");
      const guessed = hash("sha256", `sallyport:remembered-consents\0${sub}`, "base64url");
      expect(keys).not.toContain(`remembered-consents:${guessed}`);
      const stored = await Promise.all([...new Set(keys)].map((key) => arena().store.get(key)));
      for (const entry of stored) expect(entry?.value ?? "").not.toMatch(/5a11e000|app\.example|mcp\//);
    });

    test("twenty approvals of one user at the same moment are all kept", async () => {
      const { env, store } = arena();
      await approved("bob");
      // Each has read what stood before, and only then does the first one write.
      store.pause = meetBeforeWriting("remembered-consents", 20);
      const attempts = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const client = await hostedClient(env.url);
          return { client, ...(await attempt(env, { client, user: "bob" })) };
        }),
      );
      store.pause = undefined;
      for (const { client, walker } of attempts) {
        expect(await ask(client, { cookie: cookieHeader(walker) })).toBe("skipped");
      }
    });
  });

  describe("narrowing the scopes", () => {
    test.each([
      ["an index that is not there", { "scope.3": "1", "scope.99": "1", "scope.0": "1" }],
      ["a scope by its name", { "scope.mcp/admin": "1", scope: "mcp/admin", scopes: "mcp/admin", "scope.0": "1" }],
      ["an index in another spelling", { "scope.02": "1", "scope.+2": "1", "scope.2 ": "1", "scope.0": "1" }],
      ["a value of its own", { "scope.0": "mcp/admin" }],
    ])("%s widens nothing", async (_name, fields) => {
      const { env } = arena();
      const client = await register(env.url);
      const seen = env.audit.length;
      await attempt(env, { client, fields, params: { scope: "mcp/read mcp/write" } });
      const events = env.audit.slice(seen);
      expect(events.find(({ action }) => action === "signin.completed")?.scope).toBe("mcp/read");
    });

    test("a repeated box is refused, as every repeated parameter is", async () => {
      const tab = await openTab(arena());
      const body = `request=${sealedRequest(tab.page)}&decision=approve&scope.0=1&scope.0=1`;
      const outcome = await arena().outcome(() =>
        fetch(`${arena().env.url}/consent?boxes=1`, {
          method: "POST",
          redirect: "manual",
          body,
          headers: {
            cookie: cookieHeader(tab.walker),
            "content-type": "application/x-www-form-urlencoded",
            accept: "text/html",
          },
        }),
      );
      expect(outcome).toMatchObject({ status: 400, location: undefined, reasons: ["repeated_parameter"] });
    });
  });

  const forget = (fields: Record<string, string>, walker: Walker, headers: Record<string, string> = {}) =>
    fetch(`${arena().env.url}/consent`, {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams(fields),
      headers: { cookie: cookieHeader(walker), accept: "text/html", origin: arena().env.url, ...headers },
    });

  describe("forgetting", () => {
    const listOf = async (walker: Walker): Promise<string> => {
      const { body } = await walker.get(`${arena().env.url}/consent`);
      return found(/name="remembered" value="([^"]+)"/.exec(body)?.[1], "no list");
    };

    test.each(crossSite)("sent by another site (%s): refused, and nothing is forgotten", async (_name, headers) => {
      const { client, walker } = await approved();
      const remembered = await listOf(walker);
      const outcome = await arena().outcome(() => forget({ remembered, forget: "all" }, walker, headers));
      expect(outcome).toMatchObject({ status: 403, location: undefined, reasons: ["cross_site_post"] });
      expect(await ask(client, { cookie: cookieHeader(walker) })).toBe("skipped");
    });

    test("with somebody else's list: refused", async () => {
      const alice = await approved("alice");
      const bob = await approved("bob");
      const remembered = await listOf(alice.walker);
      for (const walker of [bob.walker, createWalker()]) {
        const outcome = await arena().outcome(() => forget({ remembered, forget: "all" }, walker));
        expect(outcome).toMatchObject({ status: 403, location: undefined, reasons: ["consent_wrong_browser"] });
      }
      expect(await ask(alice.client, { cookie: cookieHeader(alice.walker) })).toBe("skipped");
    });

    test("with a list that is older than 15 minutes, or by GET: refused", async () => {
      const { env, outcome } = arena();
      const { client, walker } = await approved();
      const remembered = await listOf(walker);
      const query = new URLSearchParams({ remembered, forget: "all" });
      const headers = { cookie: cookieHeader(walker) };
      expect((await outcome(() => fetch(`${env.url}/consent?${query}`, { headers }))).status).toBe(405);
      env.clock.advance(900_001);
      const late = await outcome(() => forget({ remembered, forget: "all" }, walker));
      expect(late).toMatchObject({ status: 400, reasons: ["consent_form_expired"] });
      expect(await ask(client, headers)).toBe("skipped");
    });
  });

  describe("/logout", () => {
    const post = (walker: Walker, headers: Record<string, string>, query = "", body = "") =>
      arena().outcome(() =>
        fetch(`${arena().env.url}/logout${query}`, {
          method: "POST",
          redirect: "manual",
          body,
          headers: {
            cookie: cookieHeader(walker),
            accept: "text/html",
            "content-type": "application/x-www-form-urlencoded",
            ...headers,
          },
        }),
      );

    test.each(crossSite)("sent by another site (%s): refused, and the session stays", async (_name, headers) => {
      const { walker } = await approved();
      const outcome = await post(walker, headers);
      expect(outcome).toMatchObject({ status: 403, location: undefined, reasons: ["cross_site_post"] });
      expect(outcome.headers.getSetCookie()).toEqual([]);
    });

    test.each(
      ["logout_uri", "redirect_uri", "post_logout_redirect_uri"].flatMap((name) =>
        ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/logout", "https://localhost/logout"].map(
          (target) => [name, target] as const,
        ),
      ),
    )("attacks §2 R9: %s=%s is refused and passed on to nobody", async (name, target) => {
      const { env, outcome } = arena();
      const query = `?${name}=${encodeURIComponent(target)}`;
      const refused = { status: 400, location: undefined, reasons: ["logout_target_not_allowed"] };
      const headers = { accept: "text/html" };
      const shown = await outcome(() => fetch(`${env.url}/logout${query}`, { redirect: "manual", headers }));
      expect(shown).toMatchObject(refused);
      if (target.length > 10) expect(shown.body).not.toContain(target);
      expect(await post(createWalker(), { origin: env.url }, query)).toMatchObject(refused);
      expect(await post(createWalker(), { origin: env.url }, "", query.slice(1))).toMatchObject(refused);
    });

    test("attacks §2 R9: the address of the broken gateway is not there", async () => {
      const { env } = arena();
      const url = `${env.url}/oauth2/logout/cognito?redirect_uri=https://evil.example`;
      expect((await fetch(url, { redirect: "manual" })).status).toBe(404);
    });

    test("no page of it may be framed", async () => {
      const { walker } = await approved();
      const page = await walker.get(`${arena().env.url}/logout`);
      expect(page.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
      expect(page.headers.get("x-frame-options")).toBe("DENY");
    });
  });
});
