import { describe, expect, test } from "vitest";
import { createWalker } from "../support/browser-walk.ts";
import { redeem } from "../support/oauth-client.ts";
import { cookieHeader, expectRedirectedError, found, onEachStore } from "./arena.ts";
import { answer, codeOf, openTab, visit } from "./consent-tab.ts";

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
      for (const [cookie, reason] of [
        ["", "consent_cookie_missing"],
        [cookieHeader(victim.walker), "consent_wrong_browser"],
      ] as const) {
        const outcome = await answer(arena(), attacker, cookie);
        expect(outcome).toMatchObject({ status: 403, location: undefined, reasons: [reason] });
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
});
