import { describe, expect, test } from "vitest";
import { authorizeUrl, pkce, register } from "../support/oauth-client.ts";
import { cookieHeader, expectRedirectedError, onEachStore } from "./arena.ts";
import { answer, openTab, txCookies, visit } from "./consent-tab.ts";

onEachStore("attacks §1 browser binding and CSP, pages", (arena) => {
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

    test.each([
      ["text/html,application/xhtml+xml,*/*;q=0.8", "text/html"],
      ["application/json", "application/json"],
      ["application/json, text/html", "text/html"],
      ["*/*", "text/html"],
    ])("an unknown client that accepts %s is answered in %s, with the same error", async (accept, type) => {
      const url = authorizeUrl(arena().env.url, { clientId: "nobody", redirectUri: "https://app.example/cb" }, pkce());
      const outcome = await arena().outcome(() => fetch(url, { redirect: "manual", headers: { accept } }));
      expect(outcome).toMatchObject({ status: 400, error: "invalid_client", reasons: ["client_unknown"] });
      expect(outcome.headers.get("content-type")).toMatch(new RegExp(`^${type}\\b`));
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
