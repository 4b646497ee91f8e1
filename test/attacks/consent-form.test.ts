import { describe, expect, test } from "vitest";
import { createWalker } from "../support/browser-walk.ts";
import { redeem, register } from "../support/oauth-client.ts";
import { cookieHeader, expectRedirectedError, found, onEachStore, sealedRequest } from "./arena.ts";
import { answer, codeOf, openTab, txCookies, visit } from "./consent-tab.ts";
import { meetBeforeWriting } from "./watched-store.ts";

onEachStore("attacks §1 browser binding, the consent form", (arena) => {
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
      store.pause = meetBeforeWriting("consent-mark", 10);
      const answers = await Promise.all(Array.from({ length: 10 }, () => answer(arena(), tab, cookies)));
      store.pause = undefined;
      expect(new Set(answers.map(({ location }) => location)).size).toBe(1);
      const of = (name: string) =>
        store.calls.slice(seen).filter(({ operation, key }) => operation === name && key.startsWith("transaction:"));
      expect(of("put").length - of("delete").length).toBe(1);
    });

    test("denied and approved at the same moment: dead, whoever is first", async () => {
      const { atCognito, store } = arena();
      const tab = await openTab(arena());
      const cookies = cookieHeader(tab.walker);
      store.pause = meetBeforeWriting("consent-mark", 2);
      const [approved, denied] = await Promise.all([
        answer(arena(), tab, cookies),
        answer(arena(), tab, cookies, { decision: "deny" }),
      ]);
      store.pause = undefined;
      expect(denied).toMatchObject({ status: 302, error: "access_denied" });
      if (approved.location === undefined) {
        expect(approved).toMatchObject({ status: 400, error: "invalid_request" });
        return;
      }
      const [cookie = ""] = found(txCookies(approved)[0], "no cookie").split(";");
      const outcome = await visit(arena(), await atCognito(createWalker(), approved.location), cookie);
      expect(outcome).toMatchObject({ status: 400, location: undefined, reasons: ["transaction_unknown"] });
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
});
