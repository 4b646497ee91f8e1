import { gatewaySection } from "@sallyport/gateway";
import { combine, coreSection, loadConfig, memoryAudit } from "sallyport";
import { describe, expect, test } from "vitest";
import { startServer } from "../../packages/cli/src/serve/start-server.ts";
import { createWalker } from "../support/browser-walk.ts";
import { freePort } from "../support/environment.ts";
import { authorizeUrl, pkce, register, type TestClient } from "../support/oauth-client.ts";
import { type Arena, cookieHeader, expectRedirectedError, found, onEachStore, sealedRequest } from "./arena.ts";

const registered = [
  "https://app.example/cb",
  "https://app.example/deep/cb?tenant=7",
  "http://127.0.0.1/cb",
  "http://localhost:33418/",
  "cursor://anysphere.cursor-retrieval/oauth/callback",
] as const;

/** Presented at /authorize by a client that registered the list above: what it is, and the text. */
const refused: readonly (readonly [what: string, uri: string, reason?: string])[] = [
  ["userinfo before our host", "https://evil@app.example/cb"],
  ["our host as userinfo of another", "https://app.example@evil.example/cb"],
  ["our host and port as userinfo of another", "http://localhost:33418@evil.example/"],
  ["loopback as userinfo (attacks §4 FM)", "http://127.0.0.1:x@evil.example/cb"],
  ["backslash before @", "https://app.example\\@evil.example/cb"],
  ["backslash in the host (attacks §4 FM)", "https://evil.example\\.app.example/cb"],
  ["backslash instead of a slash", "https:\\\\app.example\\cb"],
  ["fragment", "https://app.example/cb#x"],
  ["empty fragment", "https://app.example/cb#"],
  ["encoded dot", "https://app.example/%2e/cb"],
  ["encoded dot dot", "https://app.example/deep/%2e%2e/cb"],
  ["encoded dot dot in capitals", "https://app.example/deep/%2E%2E/cb"],
  ["dot segment", "https://app.example/./cb"],
  ["dot dot segment", "https://app.example/deep/../cb"],
  ["scheme in capitals", "HTTPS://app.example/cb"],
  ["scheme in mixed case", "HtTpS://app.example/cb"],
  ["custom scheme in mixed case", "Cursor://anysphere.cursor-retrieval/oauth/callback"],
  ["white space before", " https://app.example/cb"],
  ["white space behind", "https://app.example/cb "],
  ["tab in the scheme", "ht\ttps://app.example/cb", "malformed_request"],
  ["line break in the path", "https://app.example/c\nb", "malformed_request"],
  ["NUL", "https://app.example/cb\0", "malformed_request"],
  ["invisible space", "https://app.example/cb\u200b"],
  ["javascript:", "javascript:alert(document.domain)//app.example/cb"],
  ["javascript: in mixed case", "JaVaScRiPt:alert(1)"],
  ["javascript: after white space", " javascript:alert(1)"],
  ["data:", "data:text/html,<script>alert(1)</script>"],
  ["blob:", "blob:https://app.example/cb"],
  ["about:", "about:blank"],
  ["file:", "file:///etc/passwd"],
  ["wildcard for the host", "https://*/cb"],
  ["wildcard for a label", "https://*.example/cb"],
  ["wildcard across the slash (attacks §4 FM)", "https://evil.test/.app.example/cb"],
  ["our host as a prefix of another", "https://app.example.evil.test/cb"],
  ["our host as a suffix of another", "https://evilapp.example/cb"],
  ["subdomain of our host (attacks §4 OA)", "https://evil.app.example/cb"],
  ["sibling below one registrable domain (attacks §4 OA)", "https://evil.example/cb"],
  ["trailing slash", "https://app.example/cb/"],
  ["trailing dot of the host", "https://app.example./cb"],
  ["host in capitals", "https://APP.example/cb"],
  ["other path", "https://app.example/other"],
  ["path that begins alike", "https://app.example/cbx"],
  ["empty segment", "https://app.example//cb"],
  ["a query that was not registered", "https://app.example/cb?next=https://evil.example"],
  ["another query than the registered", "https://app.example/deep/cb?tenant=8"],
  ["more query than the registered", "https://app.example/deep/cb?tenant=7&x=1"],
  ["the default port spelled out", "https://app.example:443/cb"],
  ["another port on https", "https://app.example:8443/cb"],
  ["http instead of https", "http://app.example/cb"],
  ["protocol-relative", "//app.example/cb"],
  ["path only", "/cb"],
  ["loopback, another loopback host", "http://localhost/cb"],
  ["loopback, another address of the block", "http://127.0.0.2:5000/cb"],
  ["loopback, IPv6", "http://[::1]:5000/cb"],
  ["loopback, mapped IPv6", "http://[::ffff:127.0.0.1]:5000/cb"],
  ["loopback, decimal address", "http://2130706433:5000/cb"],
  ["loopback, short address", "http://127.1:5000/cb"],
  ["loopback, other path", "http://127.0.0.1:5000/other"],
  ["loopback, trailing slash", "http://127.0.0.1:5000/cb/"],
  ["loopback, https", "https://127.0.0.1:5000/cb"],
  ["loopback, userinfo", "http://user@127.0.0.1:5000/cb"],
  ["loopback, port 0", "http://127.0.0.1:0/cb"],
  ["loopback, port beyond the range", "http://127.0.0.1:99999/cb"],
  ["loopback as a prefix of another host", "http://127.0.0.1.evil.example/cb"],
  ["localhost subdomain", "http://evil.localhost:33418/"],
  ["localhost as a prefix of another host", "http://localhost.evil.example:33418/"],
  ["custom scheme, other host", "cursor://evil/oauth/callback"],
  ["custom scheme, other path", "cursor://anysphere.cursor-retrieval/oauth/other"],
];

const followed: readonly (readonly [what: string, uri: string])[] = [
  ["exactly as registered", "https://app.example/cb"],
  ["exactly as registered, with its query", "https://app.example/deep/cb?tenant=7"],
  ["custom scheme", "cursor://anysphere.cursor-retrieval/oauth/callback"],
  ["loopback, any port where none was registered (attacks §4 FM)", "http://127.0.0.1:51234/cb"],
  ["loopback, another port than the registered (RFC 8252 §7.3)", "http://localhost:1/"],
];

/** At /register: attacks §1, §3 "redirect URIs with userinfo, fragment, ftp:, our own callback", §4 OB and CF. */
const unregistrable: readonly (readonly [what: string, uri: string])[] = [
  ["userinfo", "https://user:pass@app.example/cb"],
  ["userinfo on loopback", "http://localhost:x@evil.example/cb"],
  ["userinfo under an app's own scheme", "com.example.app://user@app/cb"],
  ["fragment", "https://app.example/cb#x"],
  ["backslash", "https://evil.example\\.app.example/cb"],
  ["encoded dot segment", "https://app.example/%2e%2e/cb"],
  ["wildcard label", "https://*.example.com/cb"],
  ["wildcard path", "https://app.example/*"],
  ["ftp:", "ftp://app.example/cb"],
  ["javascript:", "javascript:alert(1)"],
  ["javascript: in mixed case (attacks §4 CF #97)", "JavaScript:alert(1)"],
  ["javascript: after white space (attacks §4 CF #97)", " javascript:alert(1)"],
  ["javascript: with a control character (attacks §4 CF #97)", "java\u0001script:alert(1)"],
  ["data:", "data:text/html,x"],
  ["blob:", "blob:https://app.example/cb"],
  ["about:", "about:blank"],
  ["http off loopback", "http://app.example/cb"],
  ["localhost subdomain", "http://app.localhost/cb"],
  ["IPv4 in IPv6", "https://[::ffff:169.254.169.254]/cb"],
  ["our answer's parameter in the query", "https://app.example/cb?code=1"],
];

onEachStore("attacks §1 redirect_uri", (arena) => {
  let app: TestClient | undefined;
  const client = async (): Promise<TestClient> => {
    app ??= await register(arena().env.url, { redirect_uris: registered });
    return app;
  };

  test.each(refused)("at /authorize, %s: a page and no redirect", async (_, uri, reason) => {
    const outcome = await arena().authorize(await client(), { redirect_uri: uri });
    expect(outcome).toMatchObject({ status: 400, error: "invalid_request", location: undefined });
    expect(outcome.reasons).toEqual([reason ?? "redirect_uri_not_registered"]);
    expect(outcome.headers.get("content-type")).toContain("text/html");
    expect(outcome.headers.getSetCookie()).toEqual([]);
  });

  test.each(followed)("at /authorize, %s: allowed, and errors go there", async (_, uri) => {
    const { authorize, env } = arena();
    expect((await authorize(await client(), { redirect_uri: uri })).status).toBe(200);
    const told = await authorize(await client(), { redirect_uri: uri, response_type: "token" });
    expect(told).toMatchObject({ status: 302, error: "unsupported_response_type" });
    const query = "error=unsupported_response_type&error_description=response_type%20must%20be%20code&state=test-state";
    const iss = encodeURIComponent(env.url);
    expect(told.location).toBe(`${uri}${uri.includes("?") ? "&" : "?"}${query}&iss=${iss}`);
  });

  test.each(unregistrable)("at /register, %s: refused", async (_, uri) => {
    const { env, outcome } = arena();
    const answer = await outcome(() =>
      fetch(`${env.url}/register`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ redirect_uris: ["https://app.example/cb", uri] }),
      }),
    );
    expect(answer).toMatchObject({
      status: 400,
      error: "invalid_redirect_uri",
      reasons: ["redirect_uri_invalid"],
    });
  });

  test.each(["http://localhost", "http://127.0.0.1", "http://[::1]"])(
    "at /register, our own callback as %s: refused (attacks §3)",
    async (origin) => {
      const { env, outcome } = arena();
      const uri = `${origin}:${new URL(env.url).port}/auth/callback`;
      const answer = await outcome(() =>
        fetch(`${env.url}/register`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ redirect_uris: [uri] }),
        }),
      );
      expect(answer).toMatchObject({ status: 400, error: "invalid_redirect_uri", reasons: ["redirect_uri_invalid"] });
    },
  );

  describe("never redirect before validation", () => {
    const unknown = { clientId: "nobody", redirectUri: "https://evil.example/cb" };
    test.each([
      ["unknown client (attacks §4 OA #299)", { client_id: "nobody" }, "invalid_client", "client_unknown"],
      ["no client", { client_id: "" }, "invalid_request", "malformed_request"],
      [
        "wrong redirect beside every other fault",
        { redirect_uri: "https://evil.example/cb", response_type: "token", code_challenge: "", scope: "no/such" },
        "invalid_request",
        "redirect_uri_not_registered",
      ],
      ["several registered and none named", { redirect_uri: "" }, "invalid_request", "malformed_request"],
      [
        "prompt=none with a wrong redirect",
        { redirect_uri: "https://evil.example/cb", prompt: "none" },
        "invalid_request",
        "redirect_uri_not_registered",
      ],
    ])("%s", async (_, params, error, reason) => {
      const { authorize, store } = arena();
      const app = await client();
      const writes = store.calls.filter(({ operation }) => operation !== "get").length;
      const outcome = await authorize(app, params);
      expect(outcome).toMatchObject({ status: 400, error, location: undefined, reasons: [reason] });
      expect(store.calls.filter(({ operation }) => operation !== "get")).toHaveLength(writes);
    });

    test("redirect_uri twice: neither counts", async () => {
      const { env, outcome } = arena();
      const url = authorizeUrl(env.url, await client(), pkce(), { redirect_uri: "https://app.example/cb" });
      const evil = encodeURIComponent("https://evil.example/cb");
      const answer = await outcome(() => fetch(`${url}&redirect_uri=${evil}`, { redirect: "manual" }));
      expect(answer).toMatchObject({ status: 400, error: "invalid_request", location: undefined });
      expect(answer.reasons).toEqual(["repeated_parameter"]);
    });

    test("an unknown client's redirect is not even shown", async () => {
      const outcome = await arena().authorize(unknown);
      expect(outcome.body).not.toContain("evil.example");
    });
  });
});

/** Presses a button of a consent page, also at another replica. */
const press = (arena: Arena, at: string, page: { body: string }, cookies: string, decision: "approve" | "deny") =>
  arena.outcome(() =>
    fetch(`${at}/consent`, {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams({ request: sealedRequest(page), decision }),
      headers: { cookie: cookies, origin: arena.env.url },
    }),
  );

onEachStore(
  "attacks §1 redirect_uri, re-checked",
  (arena) => {
    test.each(["approve", "deny"] as const)("the registration ended before %s: no redirect", async (decision) => {
      const { env } = arena();
      const client = await register(env.url);
      const walker = createWalker();
      const page = await walker.get(authorizeUrl(env.url, client, pkce()));
      expect(page.status).toBe(200);
      env.clock.advance(61_000);
      const outcome = await press(arena(), env.url, page, cookieHeader(walker), decision);
      expect(outcome).toMatchObject({ status: 400, error: "invalid_client", location: undefined });
      expect(outcome.reasons).toEqual(["client_unknown"]);
    });

    test("the client was deleted before completion: no redirect, no code, no grant", async () => {
      const { env, store, approve, atCognito, outcome } = arena();
      const written = store.calls.length;
      const client = await register(env.url);
      const walker = createWalker();
      const page = await walker.get(authorizeUrl(env.url, client, pkce()));
      const callback = await atCognito(walker, await approve(walker, page));
      const key = store.calls.slice(written).find((call) => call.operation === "put" && call.key.startsWith("client:"));
      await store.delete(found(key, "the registration was not written").key);
      const done = await outcome(() =>
        fetch(callback, { redirect: "manual", headers: { cookie: cookieHeader(walker), accept: "text/html" } }),
      );
      expect(done).toMatchObject({ status: 400, error: "invalid_client", location: undefined });
      expect(done.reasons).toEqual(["client_unknown"]);
      expect(store.calls.slice(written).filter(({ key }) => key.startsWith("grant:"))).toEqual([]);
    });

    describe("the configuration names another redirect by now", () => {
      const replica = async (arena: Arena) => {
        const { env, store } = arena;
        const port = await freePort();
        const { config } = await loadConfig({
          schema: combine([coreSection, gatewaySection]),
          env: {},
          overrides: {
            ...env.settings,
            listen: `127.0.0.1:${port}`,
            clients: { desk: { name: "Desk", redirectUris: ["https://new.example/cb"] } },
          },
        });
        const audit = memoryAudit();
        // The store is the other replica's to close.
        const shared = { ...store, close: async () => {} };
        const server = await startServer(config, { clock: env.clock, audit, store: shared });
        return { url: `http://localhost:${port}`, audit, close: () => server.close() };
      };
      const client: TestClient = { clientId: "desk", redirectUri: "https://old.example/cb" };

      test.each(["approve", "deny"] as const)("at %s: no redirect", async (decision) => {
        const { env } = arena();
        const walker = createWalker();
        const page = await walker.get(authorizeUrl(env.url, client, pkce()));
        expect(page.status).toBe(200);
        const other = await replica(arena());
        const outcome = await press(arena(), other.url, page, cookieHeader(walker), decision);
        await other.close();
        expect(outcome).toMatchObject({ status: 400, error: "invalid_request", location: undefined });
        expect(other.audit.events.map(({ reason }) => reason)).toEqual(["redirect_uri_not_registered"]);
      });

      test("at completion: no redirect, and the sign-in is used up", async () => {
        const { env, approve, atCognito, outcome } = arena();
        const walker = createWalker();
        const page = await walker.get(authorizeUrl(env.url, client, pkce()));
        const callback = await atCognito(walker, await approve(walker, page), "bob");
        const other = await replica(arena());
        const headers = { cookie: cookieHeader(walker) };
        const at = callback.replace(env.url, other.url);
        const done = await outcome(() => fetch(at, { redirect: "manual", headers }));
        await other.close();
        expect(done).toMatchObject({ status: 400, location: undefined });
        expect(other.audit.events.map(({ reason }) => reason)).toEqual(["redirect_uri_not_registered"]);
        const again = await outcome(() => fetch(callback, { redirect: "manual", headers }));
        expect(again).toMatchObject({ status: 400, location: undefined, reasons: ["transaction_unknown"] });
      });
    });

    test("the code goes where the request said, not where another registered redirect is (attacks §4 CF #92)", async () => {
      const { env, signIn } = arena();
      const uris = ["http://127.0.0.1:9/callback", "https://other.example/cb"];
      const client = await register(env.url, { redirect_uris: uris });
      const walker = createWalker();
      const page = await walker.get(authorizeUrl(env.url, client, pkce()));
      // A form field can name another redirect as it likes: the request is the sealed one.
      const { location } = await walker.submit(
        page,
        { decision: "deny", redirect_uri: "https://other.example/cb", client_id: "nobody" },
        () => true,
      );
      expectRedirectedError({ status: 302, location }, { client, error: "access_denied", issuer: env.url });
      await signIn({ client });
    });
  },
  {
    change: (settings) => ({
      ...settings,
      registration: { unusedTtl: "1m" },
      clients: { desk: { name: "Desk", redirectUris: ["https://old.example/cb"] } },
    }),
  },
);
