import { describe, expect, test } from "vitest";
import { authorizeUrl, pkce, postToken, redeem, register } from "../support/oauth-client.ts";
import { type Arena, expectRedirectedError, type Outcome, onEachStore } from "./arena.ts";
import { rawRequest } from "./raw-request.ts";

const limits = { register: 4, authorize: 4, consent: 5, token: 6, introspect: 7, failedClientAuth: 3 };
const minute = 60_000;

const registration = JSON.stringify({ redirect_uris: ["https://app.example/cb"], token_endpoint_auth_method: "none" });

onEachStore(
  "attacks §1 limits",
  (arena) => {
    /** Sends until refused, each time as if from somewhere else, and answers what came before. */
    const exhaust = async (send: (headers: Record<string, string>) => Promise<Outcome>) => {
      arena().env.clock.advance(minute);
      const before: Outcome[] = [];
      for (let n = 0; n < 50; n += 1) {
        const outcome = await send({ "x-forwarded-for": `10.0.0.${n}`, forwarded: `for=10.0.0.${n}` });
        if (outcome.status === 429) return { before, outcome };
        before.push(outcome);
      }
      throw new Error("never refused");
    };

    const form = "application/x-www-form-urlencoded";

    const endpoints: readonly (readonly [
      what: string,
      limit: number,
      answer: Partial<Outcome>,
      send: (arena: Arena, headers: Record<string, string>) => Promise<Outcome>,
    ])[] = [
      [
        "POST /register",
        limits.register,
        { status: 201, reasons: [] },
        ({ env, outcome }, headers) =>
          outcome(() =>
            fetch(`${env.url}/register`, {
              method: "POST",
              body: registration,
              headers: { "content-type": "application/json", ...headers },
            }),
          ),
      ],
      [
        "GET /authorize",
        limits.authorize,
        { status: 400, error: "invalid_client", reasons: ["client_unknown"] },
        ({ env, outcome }, headers) =>
          outcome(() => fetch(`${env.url}/authorize?client_id=nobody`, { redirect: "manual", headers })),
      ],
      [
        "POST /token",
        limits.token,
        { status: 400, error: "unsupported_grant_type", reasons: ["grant_type_unsupported"] },
        ({ env, outcome }, headers) => outcome(() => postToken(env.url, { grant_type: "x" }, headers)),
      ],
      [
        "POST /revoke, which shares the limit of /token",
        limits.token,
        { status: 401, error: "invalid_client", reasons: ["client_unknown"] },
        ({ env, outcome }, headers) =>
          outcome(() =>
            fetch(`${env.url}/revoke`, { method: "POST", body: new URLSearchParams({ client_id: "nobody" }), headers }),
          ),
      ],
      [
        "POST /consent",
        limits.consent,
        { status: 400, error: "invalid_request", reasons: ["consent_form_invalid"] },
        ({ env, outcome }, headers) =>
          outcome(() =>
            fetch(`${env.url}/consent`, {
              method: "POST",
              redirect: "manual",
              body: new URLSearchParams({ request: "x", decision: "approve" }),
              headers: { origin: env.url, "content-type": form, ...headers },
            }),
          ),
      ],
      [
        "POST /introspect",
        limits.introspect,
        { status: 401, error: "invalid_client", reasons: ["client_auth_failed"] },
        ({ env, outcome }, headers) =>
          outcome(() =>
            fetch(`${env.url}/introspect`, {
              method: "POST",
              body: new URLSearchParams({ client_id: "nobody", client_secret: "x", token: "x" }),
              headers,
            }),
          ),
      ],
    ];

    test.each(endpoints)(
      "%s: the right answer up to the limit, 429 past it, forged addresses or not",
      async (_, limit, answer, send) => {
        const { env } = arena();
        const { before, outcome } = await exhaust((headers) => send(arena(), headers));
        expect(before).toEqual(Array(limit).fill(expect.objectContaining(answer)));
        expect(outcome).toMatchObject({ error: "temporarily_unavailable", location: undefined });
        expect(outcome.reasons).toEqual(["rate_limited"]);
        expect(outcome.headers.get("retry-after")).toMatch(/^[1-9]\d?$/);
        env.clock.advance(Number(outcome.headers.get("retry-after")) * 1000);
        expect(await send(arena(), {})).toMatchObject(answer);
        expect((await send(arena(), {})).status).toBe(429);
      },
    );

    test.each(["/authorize", "/consent"])("%s: a browser is told by a page", async (path) => {
      const { env } = arena();
      env.clock.advance(minute);
      const headers = { origin: env.url, accept: "text/html", "content-type": form };
      const ask = () => fetch(`${env.url}${path}`, path === "/consent" ? { method: "POST", headers } : { headers });
      let answer = await ask();
      for (let n = 0; n < 9 && answer.status !== 429; n += 1) answer = await ask();
      expect(answer.status).toBe(429);
      expect(answer.headers.get("content-type")).toContain("text/html");
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    });

    test("one address cannot try client after client: failures of all of them count on it", async () => {
      const { env, outcome } = arena();
      env.clock.advance(minute);
      const statuses: number[] = [];
      for (let n = 0; n < limits.token + 2; n += 1) {
        const answer = await outcome(() => redeem(env.url, { clientId: `guess-${n}`, redirectUri: "x" }, "x", pkce()));
        statuses.push(answer.status);
      }
      expect(statuses).toEqual([...Array(limits.token).fill(401), 429, 429]);
    });

    test("failed client authentications: per client, and the right secret still passes", async () => {
      const { env, outcome } = arena();
      env.clock.advance(minute);
      const client = await register(env.url, { token_endpoint_auth_method: "client_secret_post" });
      const other = await register(env.url, { token_endpoint_auth_method: "client_secret_post" });
      const attempt = async (who: typeof client, client_secret: string) => {
        // Beside the point here.
        env.clock.advance(minute / limits.token + 1);
        return outcome(() => redeem(env.url, who, "x", pkce(), { client_secret }));
      };
      const statuses: number[] = [];
      let last = await attempt(client, "wrong");
      for (let n = 0; n < 12 && last.status !== 429; n += 1) {
        statuses.push(last.status);
        last = await attempt(client, `wrong ${n}`);
      }
      expect(statuses.length).toBeGreaterThanOrEqual(limits.failedClientAuth);
      expect(new Set(statuses)).toEqual(new Set([401]));
      expect(last).toMatchObject({ status: 429, error: "invalid_client", reasons: ["rate_limited"] });
      expect(Number(last.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      expect((await attempt(other, "wrong")).status).toBe(401);
      expect(await attempt(client, client.clientSecret ?? "")).toMatchObject({ status: 400, error: "invalid_grant" });
    });

    test("a machine's wrong secrets are limited as well: Cognito bills each question", async () => {
      const { env, outcome } = arena();
      env.clock.advance(minute);
      const resource = `${env.url}/clock/mcp`;
      const form = { grant_type: "client_credentials", client_id: env.machine.clientId, resource };
      const statuses: number[] = [];
      for (let n = 0; n < limits.token; n += 1) {
        const answer = await outcome(() => postToken(env.url, { ...form, client_secret: `wrong ${n}` }));
        statuses.push(answer.status);
      }
      expect(statuses.slice(0, limits.failedClientAuth)).toEqual(Array(limits.failedClientAuth).fill(401));
      expect(statuses.slice(limits.failedClientAuth)).toEqual(Array(limits.token - limits.failedClientAuth).fill(429));
    });
  },
  {
    change: (settings) => ({
      ...settings,
      limits,
      resourceServers: { clock: { secretHashes: [`sha256:${"x".repeat(43)}`], resources: ["/clock/mcp"] } },
    }),
  },
);

onEachStore("attacks §3 bodies", (arena) => {
  const tooLong = 64 * 1024 + 1;
  const chunk = "x".repeat(64 * 1024);
  function* megabytes(count: number): Generator<string> {
    yield '{"redirect_uris":["https://app.example/cb"],"client_name":"';
    for (let n = 0; n < count * 16; n += 1) yield chunk;
    yield '"}';
  }

  test("a registration of 20 MB: 413, with and without a Content-Length, and nothing is stored", async () => {
    const { env, store } = arena();
    const seen = store.calls.length;
    const events = env.audit.length;
    const headers = { "content-type": "application/json" };
    const length = [...megabytes(20)].reduce((sum, { length }) => sum + length, 0);
    for (const more of [{ "content-length": String(length) }, { "transfer-encoding": "chunked" }]) {
      const answer = await rawRequest(env.url, {
        target: "/register",
        method: "POST",
        headers: { ...headers, ...more },
        body: megabytes(20),
      });
      expect(answer.status).toBe(413);
    }
    expect(env.audit.slice(events).map(({ reason }) => reason)).toEqual(["body_too_large", "body_too_large"]);
    expect(store.calls).toHaveLength(seen);
    // The server is none the worse for it.
    await register(env.url);
  });

  test.each([
    ["/register", "application/json", ["body_too_large"]],
    ["/token", "application/x-www-form-urlencoded", ["body_too_large"]],
  ])("%s: one byte too many is 413", async (path, type, reasons) => {
    const { env, outcome } = arena();
    const send = (size: number) =>
      outcome(() =>
        fetch(`${env.url}${path}`, { method: "POST", headers: { "content-type": type }, body: "x".repeat(size) }),
      );
    expect(await send(tooLong)).toMatchObject({ status: 413, error: "invalid_request", reasons });
    expect((await send(tooLong - 1)).status).toBe(400);
  });

  test("/consent: one byte too many is 413", async () => {
    const { env, outcome } = arena();
    const answer = await outcome(() =>
      fetch(`${env.url}/consent`, {
        method: "POST",
        redirect: "manual",
        headers: { origin: env.url, "content-type": "application/x-www-form-urlencoded" },
        body: "x".repeat(tooLong),
      }),
    );
    expect(answer).toMatchObject({ status: 413, location: undefined, reasons: ["body_too_large"] });
  });

  describe("the authorization endpoint", () => {
    test("a query of more than 16 KiB: a page", async () => {
      const { authorize, env } = arena();
      // Node itself refuses a head of more than 16 KiB before we do.
      const answer = await authorize(await register(env.url), { x: "x".repeat(17_000) });
      expect([400, 431]).toContain(answer.status);
      expect(answer.location).toBeUndefined();
    });

    test("more than 64 parameters: a page", async () => {
      const { env, outcome } = arena();
      const url = new URL(authorizeUrl(env.url, await register(env.url), pkce()));
      for (let n = 0; n < 64; n += 1) url.searchParams.set(`x${n}`, "1");
      const answer = await outcome(() => fetch(url, { redirect: "manual" }));
      expect(answer).toMatchObject({ status: 400, location: undefined, reasons: ["malformed_request"] });
    });

    test("a state of more than 4096 characters: told at the redirect, without the state", async () => {
      const { authorize, env } = arena();
      const client = await register(env.url);
      const answer = await authorize(client, { state: "x".repeat(4097) });
      expectRedirectedError(answer, { client, error: "invalid_request", issuer: env.url, state: null });
      expect(answer.reasons).toEqual(["malformed_request"]);
    });

    test.each(["%00", "%0d%0aX", "%ff", "%zz"])("a parameter with %s: a page", async (text) => {
      const { env, outcome } = arena();
      const client = await register(env.url);
      const url = `${authorizeUrl(env.url, client, pkce())}&x=${text}`;
      const answer = await outcome(() => fetch(url, { redirect: "manual" }));
      expect(answer).toMatchObject({ status: 400, location: undefined, reasons: ["malformed_request"] });
    });

    test("no question to Cognito and no write for a request that nobody approved", async () => {
      const { authorize, env, store } = arena();
      const client = await register(env.url);
      const asked = env.cognito.requests.length;
      const seen = store.calls.length;
      for (let n = 0; n < 50; n += 1) expect((await authorize(client)).status).toBe(200);
      expect(env.cognito.requests).toHaveLength(asked);
      expect(store.calls.slice(seen).filter(({ operation }) => operation !== "get")).toEqual([]);
    });
  });

  test.each([
    ["33 redirect URIs", { redirect_uris: Array.from({ length: 33 }, (_, n) => `https://app.example/${n}`) }],
    ["a redirect URI of 2 KiB", { redirect_uris: [`https://app.example/${"x".repeat(2048)}`] }],
    ["no redirect URI", { redirect_uris: [] }],
  ])("a registration with %s", async (_, metadata) => {
    const { env, outcome } = arena();
    const answer = await outcome(() =>
      fetch(`${env.url}/register`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(metadata),
      }),
    );
    expect(answer).toMatchObject({ status: 400, error: "invalid_redirect_uri", reasons: ["redirect_uri_invalid"] });
  });
});
