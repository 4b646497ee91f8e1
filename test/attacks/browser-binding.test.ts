import { describe, expect, test } from "vitest";
import { createWalker, type Page, type Walker } from "../support/browser-walk.ts";
import { authorizeUrl, pkce, redeem, register, type TestClient } from "../support/oauth-client.ts";
import {
  type Arena,
  cookieHeader,
  expectRedirectedError,
  found,
  type Outcome,
  onEachStore,
  sealedRequest,
} from "./arena.ts";

/** A browser with a consent page open. */
interface Tab {
  readonly client: TestClient;
  readonly walker: Walker;
  readonly page: Page;
  readonly pair: ReturnType<typeof pkce>;
}

async function openTab(
  { env }: Arena,
  options: { walker?: Walker; client?: TestClient; params?: Record<string, string> } = {},
): Promise<Tab> {
  const walker = options.walker ?? createWalker();
  const client = options.client ?? (await register(env.url));
  const pair = pkce();
  const page = await walker.get(authorizeUrl(env.url, client, pair, options.params));
  expect(page.status).toBe(200);
  return { client, walker, page, pair };
}

/** Visits an address with exactly these cookies, without following. */
const visit = (arena: Arena, url: string, cookie: string): Promise<Outcome> =>
  arena.outcome(() => fetch(url, { redirect: "manual", headers: { cookie, accept: "text/html" } }));

const answer = (
  arena: Arena,
  tab: Pick<Tab, "page">,
  cookie: string,
  options: { decision?: string; headers?: Record<string, string>; fields?: Record<string, string> } = {},
): Promise<Outcome> =>
  arena.outcome(() =>
    fetch(`${arena.env.url}/consent`, {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams({
        request: sealedRequest(tab.page),
        decision: options.decision ?? "approve",
        ...options.fields,
      }),
      headers: { cookie, accept: "text/html", origin: arena.env.url, ...options.headers },
    }),
  );

const codeOf = ({ location }: Pick<Outcome, "location">): string =>
  found(new URL(found(location, "no redirect")).searchParams.get("code") ?? undefined, `no code: ${location}`);

const txCookies = (outcome: Outcome): readonly string[] =>
  outcome.headers.getSetCookie().filter((line) => line.startsWith("sallyport-tx-"));

onEachStore("attacks §1 browser binding", (arena) => {
  describe("the callback", () => {
    test("without a cookie: no code (attacks §4 FM, GHSA-rww4-4w9c-7733), and nothing is used up", async () => {
      const { approve, atCognito, env, store } = arena();
      const tab = await openTab(arena());
      const callback = await atCognito(tab.walker, await approve(tab.walker, tab.page));
      const seen = store.calls.length;
      for (const cookie of ["", "sallyport-tx-=", "sallyport-tx-000000000-AAAAAAAAAAA", "other=1"]) {
        const outcome = await visit(arena(), callback, cookie);
        expect(outcome).toMatchObject({ status: 403, error: "invalid_request", location: undefined });
        expect(outcome.reasons).toEqual(["transaction_cookie_missing"]);
      }
      expect(store.calls.slice(seen).filter(({ operation }) => operation !== "get")).toEqual([]);
      const code = codeOf(await visit(arena(), callback, cookieHeader(tab.walker)));
      expect((await redeem(env.url, tab.client, code, tab.pair)).status).toBe(200);
    });

    test("with the cookie of another browser's sign-in: no code", async () => {
      const { approve, atCognito } = arena();
      const mine = await openTab(arena());
      const theirs = await openTab(arena());
      const callback = await atCognito(mine.walker, await approve(mine.walker, mine.page));
      await approve(theirs.walker, theirs.page);
      const outcome = await visit(arena(), callback, cookieHeader(theirs.walker));
      expect(outcome).toMatchObject({ status: 403, location: undefined, reasons: ["transaction_cookie_mismatch"] });
      codeOf(await visit(arena(), callback, cookieHeader(mine.walker)));
    });

    test("with the cookie of another tab alone: no code", async () => {
      const { approve, atCognito } = arena();
      const first = await openTab(arena());
      const callback = await atCognito(first.walker, await approve(first.walker, first.page));
      const before = new Set(first.walker.cookies.values());
      const second = await openTab(arena(), { walker: first.walker });
      await approve(second.walker, second.page);
      const ofSecond = cookieHeader(first.walker)
        .split("; ")
        .filter((pair) => !before.has(pair.slice(pair.indexOf("=") + 1)))
        .join("; ");
      expect(ofSecond).toContain("sallyport-tx-");
      const outcome = await visit(arena(), callback, ofSecond);
      expect(outcome).toMatchObject({ status: 403, location: undefined, reasons: ["transaction_cookie_mismatch"] });
    });

    test("two tabs in parallel: each code goes to its own request", async () => {
      const { approve, atCognito, env } = arena();
      const first = await openTab(arena(), { params: { state: "first" } });
      const second = await openTab(arena(), { walker: first.walker, params: { state: "second" } });
      // Both approve, then the later one comes back first.
      const locations = [await approve(first.walker, first.page), await approve(second.walker, second.page)] as const;
      const late = await atCognito(second.walker, locations[1]);
      const early = await atCognito(first.walker, locations[0]);
      const ends = [await visit(arena(), late, cookieHeader(second.walker))];
      ends.unshift(await visit(arena(), early, cookieHeader(first.walker)));
      for (const [index, tab] of [first, second].entries()) {
        const end = found(ends[index], "no end");
        const state = new URL(found(end.location, "no redirect")).searchParams.get("state");
        expect(state).toBe(index === 0 ? "first" : "second");
        const other = index === 0 ? second : first;
        const crossed = await arena().outcome(() => redeem(env.url, other.client, codeOf(end), other.pair));
        expect(crossed).toMatchObject({ status: 400, error: "invalid_grant", reasons: ["code_client_mismatch"] });
        expect((await redeem(env.url, tab.client, codeOf(end), tab.pair)).status).toBe(200);
      }
    });

    test("replayed state: the second visit gets a page", async () => {
      const { approve, atCognito } = arena();
      const { walker, page } = await openTab(arena());
      const callback = await atCognito(walker, await approve(walker, page));
      const cookies = cookieHeader(walker);
      codeOf(await visit(arena(), callback, cookies));
      const again = await visit(arena(), callback, cookies);
      expect(again).toMatchObject({ status: 400, location: undefined, reasons: ["transaction_unknown"] });
    });

    test("ten visits at the same moment: one code", async () => {
      const { approve, atCognito } = arena();
      const { walker, page } = await openTab(arena());
      const callback = await atCognito(walker, await approve(walker, page));
      const headers = { cookie: cookieHeader(walker) };
      const visits = await Promise.all(
        Array.from({ length: 10 }, () => fetch(callback, { redirect: "manual", headers })),
      );
      expect(visits.map(({ status }) => status).sort()).toEqual([302, ...Array(9).fill(400)]);
    });

    test.each([
      ["none", "", "state_malformed"],
      ["a short one", "abc", "state_malformed"],
      ["one with a path in it", "../../grant", "state_malformed"],
      ["one that was never given out", "A".repeat(43), "transaction_unknown"],
    ])("forged state, %s", async (_, state, reason) => {
      const { walker } = await openTab(arena());
      const url = `${arena().env.url}/auth/callback?code=x&state=${encodeURIComponent(state)}`;
      const outcome = await visit(arena(), url, cookieHeader(walker));
      expect(outcome).toMatchObject({ status: 400, location: undefined, reasons: [reason] });
    });

    test("a Cognito code of the attacker's own in the victim's sign-in: refused (upstream PKCE)", async () => {
      const { approve, atCognito } = arena();
      const attacker = await openTab(arena());
      const victim = await openTab(arena());
      const stolen = new URL(await atCognito(attacker.walker, await approve(attacker.walker, attacker.page), "bob"));
      const at = new URL(await approve(victim.walker, victim.page));
      const url = new URL(`${arena().env.url}/auth/callback`);
      url.searchParams.set("state", at.searchParams.get("state") ?? "");
      url.searchParams.set("code", stolen.searchParams.get("code") ?? "");
      const outcome = await visit(arena(), url.href, cookieHeader(victim.walker));
      expectRedirectedError(outcome, { client: victim.client, error: "server_error", issuer: arena().env.url });
      expect(outcome.reasons).toEqual(["provider_refused"]);
    });

    test("a sign-in older than 10 minutes is over", async () => {
      const { approve, env } = arena();
      const { walker, page } = await openTab(arena());
      const state = new URL(await approve(walker, page)).searchParams.get("state");
      env.clock.advance(600_001);
      const outcome = await visit(arena(), `${env.url}/auth/callback?code=x&state=${state}`, cookieHeader(walker));
      expect(outcome).toMatchObject({ status: 400, location: undefined, reasons: ["transaction_unknown"] });
    });
  });

  describe("links made by an attacker", () => {
    test.each([
      ["who signs in", false],
      ["who is signed in at Cognito already", true],
    ])("the attacker consents and sends the Cognito link to a victim %s: no code", async (_, signedIn) => {
      const { approve, atCognito, signIn, store } = arena();
      const attacker = await openTab(arena());
      const link = await approve(attacker.walker, attacker.page);
      const victim = createWalker();
      if (signedIn) await signIn({ walker: victim });
      const callback = await atCognito(victim, link);
      const seen = store.calls.length;
      const outcome = await visit(arena(), callback, cookieHeader(victim));
      expect(outcome).toMatchObject({ status: 403, location: undefined });
      expect(["transaction_cookie_missing", "transaction_cookie_mismatch"]).toContain(outcome.reasons[0]);
      expect(store.calls.slice(seen).filter(({ key }) => key.startsWith("grant:"))).toEqual([]);
    });

    test("the attacker's own consent form, posted by the victim's browser: refused", async () => {
      const attacker = await openTab(arena());
      const victim = await openTab(arena());
      for (const cookie of ["", cookieHeader(victim.walker)]) {
        const outcome = await answer(arena(), attacker, cookie);
        expect(outcome).toMatchObject({ status: 403, location: undefined, reasons: ["consent_wrong_browser"] });
        expect(outcome.headers.getSetCookie()).toEqual([]);
      }
    });

    test("a victim who is signed in at Cognito still gets the consent page first (attacks §4 FM GHSA-c2jp-c369-7pvx)", async () => {
      const { env, signIn } = arena();
      const victim = createWalker();
      await signIn({ walker: victim });
      const requests = env.cognito.requests.length;
      const { page } = await openTab(arena(), { walker: victim });
      expect(page.body).toContain('name="decision"');
      expect(env.cognito.requests).toHaveLength(requests);
    });

    test("the page cookie proves nothing at the callback", async () => {
      const { approve, atCognito } = arena();
      const tab = await openTab(arena());
      const pageCookie = cookieHeader(tab.walker);
      const callback = await atCognito(createWalker(), await approve(tab.walker, tab.page));
      const outcome = await visit(arena(), callback, pageCookie);
      expect(outcome).toMatchObject({ status: 403, location: undefined, reasons: ["transaction_cookie_missing"] });
    });
  });

  describe("cross-site POST", () => {
    test.each([
      ["Origin of another site", { origin: "https://evil.example" }],
      ["Origin null (sandboxed frame)", { origin: "null" }],
      ["Origin of another port of our host", { origin: "http://localhost:1" }],
      ["Origin of a subdomain", { origin: "http://evil.localhost" }],
      ["Origin that begins like ours", (url: string) => ({ origin: `${url}.evil.example` })],
      ["Origin that is ours by https", (url: string) => ({ origin: url.replace("http:", "https:") })],
      ["Sec-Fetch-Site cross-site", { "sec-fetch-site": "cross-site" }],
      ["Sec-Fetch-Site same-site", { "sec-fetch-site": "same-site" }],
      ["Sec-Fetch-Site none", { "sec-fetch-site": "none" }],
      ["Sec-Fetch-Site cross-site and our Origin", (url: string) => ({ origin: url, "sec-fetch-site": "cross-site" })],
    ] satisfies [string, Record<string, string> | ((url: string) => Record<string, string>)][])(
      "%s: refused, and the form stays good",
      async (_, given) => {
        const { env } = arena();
        const tab = await openTab(arena());
        const headers = typeof given === "function" ? given(env.url) : given;
        for (const decision of ["approve", "deny"]) {
          const outcome = await answer(arena(), tab, cookieHeader(tab.walker), { decision, headers });
          expect(outcome).toMatchObject({ status: 403, error: "invalid_request", location: undefined });
          expect(outcome.reasons).toEqual(["cross_site_post"]);
          expect(outcome.headers.getSetCookie()).toEqual([]);
        }
        expect((await answer(arena(), tab, cookieHeader(tab.walker))).status).toBe(302);
      },
    );

    test("a GET never decides", async () => {
      const { env, outcome } = arena();
      const tab = await openTab(arena());
      const query = new URLSearchParams({ request: sealedRequest(tab.page), decision: "approve" });
      const headers = { cookie: cookieHeader(tab.walker) };
      const got = await outcome(() => fetch(`${env.url}/consent?${query}`, { redirect: "manual", headers }));
      expect(got).toMatchObject({ status: 405, location: undefined });
    });

    test.each(["application/json", "text/plain", "multipart/form-data; boundary=x"])(
      "a body of the type %s is not read",
      async (type) => {
        const tab = await openTab(arena());
        const outcome = await answer(arena(), tab, cookieHeader(tab.walker), { headers: { "content-type": type } });
        expect(outcome).toMatchObject({ status: 415, location: undefined, reasons: ["unsupported_media_type"] });
      },
    );
  });

  describe("the form", () => {
    test.each([
      ["none", () => ""],
      [
        "changed in the middle",
        (form: string) => `${form.slice(0, 60)}${form[60] === "A" ? "B" : "A"}${form.slice(61)}`,
      ],
      ["cut", (form: string) => form.slice(0, -4)],
      ["another key", (form: string) => `AAAAAAAA${form.slice(8)}`],
      ["in clear", () => Buffer.from('{"id":"x"}').toString("base64url")],
    ])("not ours: %s", async (_, bend) => {
      const tab = await openTab(arena());
      const fields = { request: bend(sealedRequest(tab.page)) };
      const outcome = await answer(arena(), tab, cookieHeader(tab.walker), { fields });
      expect(outcome).toMatchObject({ status: 400, location: undefined, reasons: ["consent_form_invalid"] });
    });

    test("after 15 minutes it is over", async () => {
      const tab = await openTab(arena());
      const cookies = cookieHeader(tab.walker);
      arena().env.clock.advance(900_001);
      const outcome = await answer(arena(), tab, cookies);
      expect(outcome).toMatchObject({ status: 400, location: undefined, reasons: ["consent_form_expired"] });
    });

    test.each(["", "yes", "approve,deny"])("decision %j: nothing is decided", async (decision) => {
      const tab = await openTab(arena());
      const outcome = await answer(arena(), tab, cookieHeader(tab.walker), { decision });
      expect(outcome).toMatchObject({ status: 400, location: undefined, reasons: ["malformed_request"] });
    });

    test("loaded twice, posted twice: two sign-ins that both end well", async () => {
      const { atCognito, env } = arena();
      const first = await openTab(arena(), { params: { state: "once" } });
      const second = await openTab(arena(), { walker: first.walker, client: first.client, params: { state: "twice" } });
      const cookies = cookieHeader(first.walker);
      const answers = await Promise.all([answer(arena(), first, cookies), answer(arena(), second, cookies)]);
      expect(answers.map(({ status }) => status)).toEqual([302, 302]);
      const states = new Set(answers.map(({ location = "" }) => new URL(location).searchParams.get("state")));
      expect(states.size).toBe(2);
      for (const [index, { pair, client }] of [first, second].entries()) {
        const outcome = found(answers[index], "no answer");
        const [cookie = ""] = found(txCookies(outcome)[0], "no cookie").split(";");
        const callback = await atCognito(createWalker(), found(outcome.location, "no redirect"));
        const code = codeOf(await visit(arena(), callback, cookie));
        expect((await redeem(env.url, client, code, pair)).status).toBe(200);
      }
    });

    test("the first form with the second page's cookie alone: refused", async () => {
      const first = await openTab(arena());
      const second = await openTab(arena());
      const outcome = await answer(arena(), first, cookieHeader(second.walker));
      expect(outcome).toMatchObject({ status: 403, reasons: ["consent_wrong_browser"] });
    });

    test("denied, then approved: the request is dead (attacks §3)", async () => {
      const { env, store } = arena();
      const tab = await openTab(arena());
      const cookies = cookieHeader(tab.walker);
      const denied = await answer(arena(), tab, cookies, { decision: "deny" });
      expectRedirectedError(denied, { client: tab.client, error: "access_denied", issuer: env.url });
      expect(denied.reasons).toEqual(["consent_denied"]);
      const seen = store.calls.length;
      const approved = await answer(arena(), tab, cookies);
      expect(approved).toMatchObject({ status: 400, location: undefined, reasons: ["consent_form_used"] });
      expect(store.calls.slice(seen).some(({ key }) => key.startsWith("transaction:"))).toBe(false);
    });

    test("approved twice: the same sign-in, not a second one", async () => {
      const { store } = arena();
      const tab = await openTab(arena());
      const cookies = cookieHeader(tab.walker);
      const first = await answer(arena(), tab, cookies);
      const seen = store.calls.length;
      const second = await answer(arena(), tab, cookies);
      expect(second).toMatchObject({ status: 302, location: first.location });
      expect(store.calls.slice(seen).filter(({ operation }) => operation === "put")).toEqual([]);
    });

    test("ten approvals at the same moment: one sign-in, one transaction", async () => {
      const { store } = arena();
      const tab = await openTab(arena());
      const cookies = cookieHeader(tab.walker);
      const seen = store.calls.length;
      const answers = await Promise.all(Array.from({ length: 10 }, () => answer(arena(), tab, cookies)));
      expect(new Set(answers.map(({ location }) => location)).size).toBe(1);
      const of = (name: string) =>
        store.calls.slice(seen).filter(({ operation, key }) => operation === name && key.startsWith("transaction:"));
      expect(of("put").length - of("delete").length).toBe(1);
    });

    test("denied after an approval: the sign-in that was begun is dead", async () => {
      const { atCognito, env } = arena();
      const tab = await openTab(arena());
      const cookies = cookieHeader(tab.walker);
      const approved = await answer(arena(), tab, cookies);
      const [cookie = ""] = found(txCookies(approved)[0], "no cookie").split(";");
      const denied = await answer(arena(), tab, cookies, { decision: "deny" });
      expectRedirectedError(denied, { client: tab.client, error: "access_denied", issuer: env.url });
      const callback = await atCognito(createWalker(), found(approved.location, "no redirect"));
      const outcome = await visit(arena(), callback, cookie);
      expect(outcome).toMatchObject({ status: 400, location: undefined, reasons: ["transaction_unknown"] });
    });

    test("a client cannot excuse itself from consent (attacks §4 BA #8632, #4736)", async () => {
      const { env } = arena();
      const metadata = { skip_consent: true, first_party: true, firstParty: true, origin: "registered" };
      const { client, page } = await openTab(arena(), { client: await register(env.url, metadata) });
      expect(page.body).toContain('name="decision"');
      const told = await fetch(`${env.url}/register`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ redirect_uris: [client.redirectUri], ...metadata }),
      });
      const echoed = Object.keys(Object(await told.json()));
      expect(echoed).toContain("redirect_uris");
      expect(echoed.filter((name) => name in metadata)).toEqual([]);
    });
  });

  describe("what a page shows and how", () => {
    const html = '"><img src=x onerror=alert(1)><script>alert(2)</script>';
    const unsafe = /<img|<script|onerror=alert\(1\)>/;

    test("HTML in client_name is text", async () => {
      const { env } = arena();
      const { page } = await openTab(arena(), { client: await register(env.url, { client_name: html }) });
      expect(page.body).not.toMatch(unsafe);
      expect(page.body).toContain("&lt;script&gt;alert(2)&lt;/script&gt;");
    });

    test.each(["client_uri", "logo_uri", "tos_uri", "policy_uri"])(
      "%s that is no https address is refused, another is not shown",
      async (member) => {
        const { env, outcome } = arena();
        for (const uri of ["javascript:alert(1)", `https://x.example/${html}`, "data:text/html,x"]) {
          const refused = await outcome(() =>
            fetch(`${env.url}/register`, {
              method: "POST",
              headers: { "content-type": "application/json" },
              body: JSON.stringify({ redirect_uris: ["https://app.example/cb"], [member]: uri }),
            }),
          );
          expect(refused).toMatchObject({ status: 400, error: "invalid_client_metadata" });
        }
        const client = await register(env.url, { [member]: "https://x.example/picture.png" });
        const { page } = await openTab(arena(), { client });
        expect(page.body).not.toContain("x.example");
      },
    );

    test.each([
      ["scope", "invalid_scope", "scope_unknown"],
      ["resource", "invalid_target", "resource_unknown"],
      ["response_type", "unsupported_response_type", "response_type_unsupported"],
      ["response_mode", "invalid_request", "response_type_unsupported"],
      ["code_challenge", "invalid_request", "pkce_malformed"],
    ])("HTML in %s is not repeated", async (name, error, reason) => {
      const { env, authorize } = arena();
      const client = await register(env.url);
      const outcome = await authorize(client, { [name]: html });
      expectRedirectedError(outcome, { client, error, issuer: env.url });
      expect(outcome.reasons).toEqual([reason]);
      expect(decodeURIComponent(outcome.location ?? "")).not.toMatch(unsafe);
    });

    test.each(["state", "login_hint", "prompt", "nonce", "x"])("HTML in %s is not shown", async (name) => {
      const { page } = await openTab(arena(), { params: { [name]: html } });
      expect(page.body).not.toMatch(unsafe);
    });

    test.each(["client_id", "redirect_uri"])("HTML in %s: the error page does not repeat it", async (name) => {
      const { env, authorize } = arena();
      const outcome = await authorize(await register(env.url), { [name]: html });
      expect(outcome.status).toBe(400);
      expect(outcome.body).not.toMatch(unsafe);
    });

    test("the state comes back byte for byte, and adds no parameter", async () => {
      const state = '&code=stolen#x"><script>';
      const tab = await openTab(arena(), { params: { state } });
      const denied = await answer(arena(), tab, cookieHeader(tab.walker), { decision: "deny" });
      expectRedirectedError(denied, {
        client: tab.client,
        error: "access_denied",
        issuer: arena().env.url,
        state,
      });
    });

    test("no page and no redirect may be framed, kept, or leaks a referrer", async () => {
      const { env } = arena();
      const tab = await openTab(arena());
      const cookies = cookieHeader(tab.walker);
      const outcomes = {
        consent: tab.page.headers,
        error: (await visit(arena(), `${env.url}/authorize?client_id=nobody`, "")).headers,
        callback: (await visit(arena(), `${env.url}/auth/callback?state=x`, "")).headers,
        refused: (await answer(arena(), tab, "")).headers,
        approved: (await answer(arena(), tab, cookies)).headers,
        denied: (await answer(arena(), tab, cookies, { decision: "deny" })).headers,
      };
      for (const [what, headers] of Object.entries(outcomes)) {
        const policy = headers.get("content-security-policy") ?? "";
        expect(policy, what).toContain("frame-ancestors 'none'");
        expect(policy, what).toContain("default-src 'none'");
        expect(policy, what).toContain("base-uri 'none'");
        expect(policy, what).not.toContain("unsafe");
        // attacks §1 CSP: Chromium applies form-action to every redirect that follows the form.
        expect(policy, what).not.toContain("form-action");
        expect(headers.get("x-frame-options"), what).toBe("DENY");
        expect(headers.get("cache-control"), what).toBe("no-store");
        expect(headers.get("x-content-type-options"), what).toBe("nosniff");
        expect(headers.get("referrer-policy"), what).toBe("same-origin");
        expect(headers.has("access-control-allow-origin"), what).toBe(false);
      }
    });

    test("cookies are HttpOnly and Lax", async () => {
      const tab = await openTab(arena());
      const approved = await answer(arena(), tab, cookieHeader(tab.walker));
      for (const line of [...tab.page.headers.getSetCookie(), ...txCookies(approved)]) {
        expect(line).toMatch(/^sallyport-(?:page|tx)-[^;]+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/);
      }
      expect(txCookies(approved)).toHaveLength(1);
    });
  });

  describe("what Cognito says at the callback", () => {
    const upstreamText = "TypeError: cannot read pool sallyportdemo <b>at</b> line 7";

    test.each([
      ["access_denied", "access_denied", "provider_denied"],
      ["server_error", "server_error", "provider_refused"],
      ["<script>alert(1)</script>", "server_error", "provider_refused"],
    ])("error=%s: a redirect in our own words (attacks §3, §4 FM)", async (given, error, reason) => {
      const { approve, env } = arena();
      const tab = await openTab(arena());
      const { searchParams } = new URL(await approve(tab.walker, tab.page));
      const query = new URLSearchParams({
        error: given,
        error_description: upstreamText,
        state: searchParams.get("state") ?? "",
      });
      const outcome = await visit(arena(), `${env.url}/auth/callback?${query}`, cookieHeader(tab.walker));
      expectRedirectedError(outcome, { client: tab.client, error, issuer: env.url });
      expect(outcome.reasons).toEqual([reason]);
      const location = decodeURIComponent(outcome.location ?? "");
      expect(location).not.toMatch(/TypeError|sallyportdemo|<|alert/);
    });

    test("exception texts of a broken Cognito reach nobody (attacks §3)", async () => {
      const { approve, atCognito, env } = arena();
      const tab = await openTab(arena());
      const callback = await atCognito(tab.walker, await approve(tab.walker, tab.page));
      env.cognito.faults.set({
        path: "/oauth2/token",
        status: 400,
        body: { error: "invalid_request", error_description: upstreamText },
      });
      const outcome = await visit(arena(), callback, cookieHeader(tab.walker));
      env.cognito.faults.clear();
      expectRedirectedError(outcome, { client: tab.client, error: "server_error", issuer: env.url });
      expect(outcome.reasons).toEqual(["provider_response_invalid"]);
      expect(decodeURIComponent(outcome.location ?? "")).not.toMatch(/TypeError|sallyportdemo/);
    });

    test("a user without groups is sent back with a reason of ours, and no grant is written", async () => {
      const { approve, atCognito, env, store } = arena();
      const tab = await openTab(arena());
      const callback = await atCognito(tab.walker, await approve(tab.walker, tab.page), "carol");
      const seen = store.calls.length;
      const outcome = await visit(arena(), callback, cookieHeader(tab.walker));
      expectRedirectedError(outcome, { client: tab.client, error: "access_denied", issuer: env.url });
      expect(outcome.reasons).toEqual(["not_entitled"]);
      expect(store.calls.slice(seen).filter(({ key }) => key.startsWith("grant:"))).toEqual([]);
    });
  });
});
