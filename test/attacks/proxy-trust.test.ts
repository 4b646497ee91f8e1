import { describe, expect, test } from "vitest";
import { createWalker } from "../support/browser-walk.ts";
import { authorizeUrl, pkce, register } from "../support/oauth-client.ts";
import { type Arena, cookieHeader, onEachStore, type Session, sealedRequest } from "./arena.ts";
import { rawRequest } from "./raw-request.ts";

const evil = "evil.example";

/** Headers by which a proxy, or whoever passes for one, says what the request's own URL was. */
const forwarding: readonly (readonly [what: string, headers: Readonly<Record<string, string>>])[] = [
  ["X-Forwarded-Host", { "x-forwarded-host": evil }],
  ["X-Forwarded-Host and -Proto", { "x-forwarded-host": evil, "x-forwarded-proto": "https" }],
  ["X-Forwarded-Port", { "x-forwarded-port": "6666" }],
  ["X-Forwarded-Prefix", { "x-forwarded-prefix": `/${evil}` }],
  ["X-Forwarded-Server", { "x-forwarded-server": evil }],
  ["Forwarded (RFC 7239)", { forwarded: `for=1.2.3.4;host=${evil};proto=https` }],
  ["X-Original-URL", { "x-original-url": `https://${evil}/` }],
  ["X-Original-Host", { "x-original-host": evil }],
  ["X-Rewrite-URL", { "x-rewrite-url": `/${evil}` }],
  ["X-Host", { "x-host": evil }],
  ["X-Mcp-Oauth-Proxy-URL (attacks §4 OB)", { "x-mcp-oauth-proxy-url": `https://${evil}` }],
  ["Host", { host: evil }],
  ["Host with a port", { host: `${evil}:443` }],
];

const documents = [
  "/.well-known/oauth-authorization-server",
  "/.well-known/openid-configuration",
  "/.well-known/oauth-protected-resource/clock/mcp",
  "/.well-known/jwks.json",
];

onEachStore("attacks §1 proxy trust", (arena) => {
  describe.each(forwarding)("%s changes no URL", (what, headers) => {
    test.each(documents)("in %s", async (target) => {
      const { env } = arena();
      const plain = await rawRequest(env.url, { target });
      const bent = await rawRequest(env.url, { target, headers });
      expect(bent.status).toBe(200);
      expect(bent.body).toBe(plain.body);
      expect(bent.body).not.toContain(evil);
      if (!target.endsWith("jwks.json")) expect(plain.body).toContain(env.url);
    });

    test("in the challenge", async () => {
      const { env } = arena();
      const answer = await rawRequest(env.url, { target: "/clock/mcp", method: "POST", headers });
      if (what.startsWith("Host")) {
        // A foreign name that leads here is DNS rebinding (attacks §4, SDK GHSA-w48q-cv73-mx4w).
        expect(answer.status).toBe(421);
      } else {
        expect(answer.status).toBe(401);
        expect(answer.headers["www-authenticate"]).toContain(
          `resource_metadata="${env.url}/.well-known/oauth-protected-resource/clock/mcp"`,
        );
      }
      expect(JSON.stringify(answer)).not.toContain(evil);
    });

    test("on the consent page, in the redirects of a sign-in, in an error's redirect", async () => {
      const { env, atCognito } = arena();
      const client = await register(env.url);
      const walker = createWalker();
      const authorize = new URL(authorizeUrl(env.url, client, pkce()));
      const page = await rawRequest(env.url, { target: `${authorize.pathname}${authorize.search}`, headers });
      expect(page.status).toBe(200);
      expect(page.body).toContain(`action="${env.url}/consent"`);
      expect(page.body).not.toContain(evil);
      const cookie = (page.headers["set-cookie"] ?? []).map((line) => line.split(";")[0]).join("; ");
      const approved = await rawRequest(env.url, {
        target: "/consent",
        method: "POST",
        headers: { ...headers, cookie, origin: env.url, "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ request: sealedRequest(page), decision: "approve" }).toString(),
      });
      expect(approved.status).toBe(302);
      const location = new URL(approved.headers.location ?? "");
      expect(location.origin).toBe(new URL(env.cognito.url).origin);
      expect(location.searchParams.get("redirect_uri")).toBe(`${env.url}/auth/callback`);
      const callback = new URL(await atCognito(walker, location.href));
      const tx = (approved.headers["set-cookie"] ?? []).map((line) => line.split(";")[0]).join("; ");
      const done = await rawRequest(env.url, {
        target: `${callback.pathname}${callback.search}`,
        headers: { ...headers, cookie: tx },
      });
      expect(done.status).toBe(302);
      const end = new URL(done.headers.location ?? "");
      expect(`${end.origin}${end.pathname}`).toBe(client.redirectUri);
      expect(end.searchParams.get("iss")).toBe(env.url);
      authorize.searchParams.set("response_type", "token");
      const refused = await rawRequest(env.url, { target: `${authorize.pathname}${authorize.search}`, headers });
      expect(refused.headers.location).toContain(`iss=${encodeURIComponent(env.url)}`);
      expect(JSON.stringify([approved.headers, done.headers, refused.headers])).not.toContain(evil);
    });
  });

  test("an Origin that matches a forged Host is still another site's", async () => {
    const { env } = arena();
    const walker = createWalker();
    const page = await walker.get(authorizeUrl(env.url, await register(env.url), pkce()));
    const answer = await rawRequest(env.url, {
      target: "/consent",
      method: "POST",
      headers: {
        host: evil,
        origin: `http://${evil}`,
        cookie: cookieHeader(walker),
        "content-type": "application/x-www-form-urlencoded",
      },
      body: new URLSearchParams({ request: sealedRequest(page), decision: "approve" }).toString(),
    });
    expect(answer.status).toBe(403);
    expect(answer.headers.location).toBeUndefined();
  });

  test.each(["x-user", "x-forwarded-user", "x-auth-request-user", "x-username", "x-scopes", "x-groups", "remote-user"])(
    "%s makes nobody anyone",
    async (name) => {
      const { mcp, outcome } = arena();
      const answer = await outcome(() => mcp(undefined, "/clock/mcp", { [name]: "alice@example.com mcp/admin" }));
      expect(answer).toMatchObject({ status: 401, reasons: ["token_missing"] });
    },
  );

  describe("paths that are nearly ours (attacks §4 Hono CVE-2026-29087)", () => {
    const targets = [
      "//clock/mcp",
      "/clock//mcp",
      "/clock/mcp/",
      "/clock/mcp//",
      "/clock%2Fmcp",
      "/clock%2fmcp",
      "/%63lock/mcp",
      "/clock/%6dcp",
      "/clock/./mcp",
      "/notes/../clock/mcp",
      "/clock/mcp/..",
      "/clock/mcp;x=1",
      "/clock/mcp%00",
      "/CLOCK/mcp",
      "/clock\\mcp",
      "\\clock/mcp",
      "/clock/mcp%3Fx",
      "/verify/../clock/mcp",
      "/.well-known/../clock/mcp",
      `http://${evil}/clock/mcp`,
      `//${evil}/clock/mcp`,
    ];

    let shared: Session | undefined;
    test.each(targets)("%s reaches no server, with a token or without", async (target) => {
      const { env, session } = arena();
      shared ??= await session();
      const { tokens } = shared;
      const seen = env.audit.length;
      for (const authorization of ["", `Bearer ${tokens.access_token}`]) {
        const answer = await rawRequest(env.url, {
          target,
          method: "POST",
          headers: { "content-type": "application/json", ...(authorization === "" ? {} : { authorization }) },
          body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
        });
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
        expect(answer.body).not.toContain('"result"');
      }
      expect(env.audit.slice(seen).filter(({ action }) => action === "request.allowed")).toEqual([]);
    });

    test.each(["//authorize", "/authorize/", "/authorize%2F", "/%61uthorize", "/AUTHORIZE", "/authorize;x"])(
      "%s is not the authorization endpoint",
      async (path) => {
        const { env } = arena();
        const { search } = new URL(authorizeUrl(env.url, await register(env.url), pkce()));
        const answer = await rawRequest(env.url, { target: `${path}${search}` });
        expect(answer.status).toBe(404);
        expect(answer.headers["set-cookie"]).toBeUndefined();
        expect(answer.headers.location).toBeUndefined();
      },
    );
  });

  describe("header quoting (attacks §4 OB)", () => {
    const wellFormed =
      /^Bearer(?: [a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*"(?:, [a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*")*)?$/;

    test.each([
      'x", error="invalid_request',
      'x\\", scope="mcp/admin',
      "x, Basic realm=x",
      "<script>alert(1)</script>",
      "x\u00e9\u00ff",
    ])("a token of %j does not come back in the challenge", async (token) => {
      const { env } = arena();
      const authorization = `Bearer ${token}`;
      const answer = await rawRequest(env.url, { target: "/clock/mcp", method: "POST", headers: { authorization } });
      expect(answer.status).toBe(401);
      expect(answer.headers["www-authenticate"]).toMatch(wellFormed);
      expect(answer.headers["www-authenticate"]).not.toContain("alert");
      expect(answer.headers["www-authenticate"]?.match(/error=/g)).toHaveLength(1);
    });

    test("a query with quotes and line breaks changes neither challenge nor redirect", async () => {
      const { env } = arena();
      const challenge = async (target: string) =>
        (await rawRequest(env.url, { target, method: "POST" })).headers["www-authenticate"];
      const bent = await challenge('/clock/mcp?x=%22%0d%0aset-cookie:%20a=b&"');
      expect(bent).toMatch(wellFormed);
      expect(bent).toBe(await challenge("/clock/mcp"));
      const query = new URLSearchParams({ client_id: "a\r\nset-cookie: a=b" });
      const answer = await rawRequest(env.url, { target: `/authorize?${query}` });
      expect(answer.status).toBe(400);
      expect(answer.headers["set-cookie"]).toBeUndefined();
    });
  });

  describe("CORS (attacks §4 OB: * with credentials)", () => {
    const endpoints = [
      ["POST", "/token"],
      ["POST", "/register"],
      ["GET", "/authorize"],
      ["POST", "/consent"],
      ["GET", "/auth/callback"],
      ["POST", "/clock/mcp"],
      ["GET", "/.well-known/oauth-authorization-server"],
      ["GET", "/.well-known/oauth-protected-resource/clock/mcp"],
      ["GET", "/.well-known/jwks.json"],
    ] as const;
    const origins = [
      "https://evil.example",
      "null",
      "http://localhost:5173",
      "http://localhost.evil.example",
      "http://localhost:5173.evil.example",
      "*",
    ];

    test.each(endpoints)("%s %s: never with credentials, never to whoever is not allowed", async (method, target) => {
      const { env } = arena();
      const isPublic = target.startsWith("/.well-known/");
      const isPage = ["/authorize", "/consent", "/auth/callback"].includes(target);
      for (const origin of origins) {
        const preflight = {
          "access-control-request-method": method,
          "access-control-request-headers": "authorization",
        };
        for (const [verb, more] of [
          [method, {}],
          ["OPTIONS", preflight],
        ] as const) {
          const answer = await rawRequest(env.url, { target, method: verb, headers: { origin, ...more } });
          const told = answer.headers["access-control-allow-origin"];
          expect(answer.headers["access-control-allow-credentials"]).toBeUndefined();
          if (isPage) expect(told).toBeUndefined();
          else if (isPublic) expect(told).toBe("*");
          else expect(told).toBe(origin === "http://localhost:5173" ? origin : undefined);
        }
      }
    });

    test("a script of a foreign origin does not even reach a tool server, token or not", async () => {
      const { mcp, outcome, session } = arena();
      const { tokens } = await session();
      const headers = { origin: "https://evil.example" };
      const answer = await outcome(() => mcp(tokens.access_token, "/clock/mcp", headers));
      expect(answer).toMatchObject({ status: 403, reasons: ["origin_not_allowed"] });
    });
  });
});

/** Behind a load balancer that runs on this machine and another one in front of it. */
const behindProxies = { trustedProxies: ["127.0.0.1", "::1", "10.0.0.0/8"], limits: { authorize: 3 } };
const limit = behindProxies.limits.authorize;
const minute = 60_000;

onEachStore(
  "attacks §1 proxy trust: the address behind a trusted proxy",
  (arena) => {
    const full = (): Arena => {
      arena().env.clock.advance(minute);
      return arena();
    };
    /** How many of so many requests pass with this `X-Forwarded-For`. */
    const passing = async (forwarded: string | ((n: number) => string), times = limit + 2): Promise<number> => {
      let passed = 0;
      for (let n = 0; n < times; n += 1) {
        const headers = { "x-forwarded-for": typeof forwarded === "string" ? forwarded : forwarded(n) };
        const { status } = await rawRequest(arena().env.url, { target: "/authorize?client_id=nobody", headers });
        if (status !== 429) passed += 1;
      }
      return passed;
    };

    test("each client has its own limit, not the proxy one for all", async () => {
      full();
      expect(await passing("203.0.113.1")).toBe(limit);
      expect(await passing("203.0.113.2")).toBe(limit);
      expect(await passing("203.0.113.1, 10.0.0.9")).toBe(0);
      expect(await passing("203.0.113.2:4711")).toBe(0);
    });

    test.each<[string, (n: number) => string]>([
      ["prepends addresses", (n) => `198.51.100.${n}, 203.0.113.1`],
      ["prepends a trusted proxy", (n) => `198.51.100.${n}, 10.0.0.${n}, 203.0.113.1`],
      ["prepends rubbish", (n) => `"${n}, unknown, 203.0.113.1`],
      ["changes its port", (n) => `203.0.113.1:${5000 + n}`],
      ["changes the spelling", (n) => (n % 2 === 0 ? "203.0.113.1" : "::ffff:203.0.113.1")],
    ])("a client that %s gains nothing", async (_what, forwarded) => {
      full();
      expect(await passing(forwarded, 3 * limit)).toBe(limit);
    });

    test("all addresses of an IPv6 household are one, another household is another", async () => {
      full();
      expect(await passing((n) => `2001:db8:1:2::${n}`, 3 * limit)).toBe(limit);
      expect(await passing("[2001:db8:1:3::1]:443")).toBe(limit);
    });

    test("what names nobody counts on the proxy that passed it on", async () => {
      full();
      expect(await passing((n) => `unknown-${n}`, 3 * limit)).toBe(limit);
    });

    test("Forwarded is not read: a proxy that leaves it alone would let its clients write it", async () => {
      full();
      const statuses: number[] = [];
      for (let n = 0; n <= limit; n += 1) {
        const headers = { "x-forwarded-for": "203.0.113.1", forwarded: `for=198.51.100.${n}` };
        statuses.push((await rawRequest(arena().env.url, { target: "/authorize", headers })).status);
      }
      expect(statuses).toEqual([...Array(limit).fill(400), 429]);
    });

    test.each(forwarding)("%s from a trusted proxy still changes no URL", async (_what, headers) => {
      const { env } = arena();
      for (const target of documents) {
        const plain = await rawRequest(env.url, { target });
        const bent = await rawRequest(env.url, { target, headers: { ...headers, "x-forwarded-for": "203.0.113.1" } });
        expect(bent.body).toBe(plain.body);
        expect(bent.body).not.toContain(evil);
      }
    });
  },
  { change: (settings) => ({ ...settings, ...behindProxies }) },
);

onEachStore(
  "attacks §1 proxy trust: a stranger that passes for a proxy",
  (arena) => {
    test("moves no limit, whatever it writes", async () => {
      const statuses: number[] = [];
      for (let n = 0; n <= limit; n += 1) {
        const headers = { "x-forwarded-for": `203.0.113.${n}, 10.0.0.1`, "x-real-ip": `203.0.113.${n}` };
        statuses.push((await rawRequest(arena().env.url, { target: "/authorize", headers })).status);
      }
      expect(statuses).toEqual([...Array(limit).fill(400), 429]);
    });
  },
  { change: (settings) => ({ ...settings, ...behindProxies, trustedProxies: ["10.0.0.0/8"] }) },
);
