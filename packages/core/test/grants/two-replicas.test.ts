import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import {
  type CoreConfigInput,
  createSallyport,
  type EpochScope,
  IdentityProviderError,
  memoryStore,
  parseCoreConfig,
  type Sallyport,
  type Store,
  silentLogger,
  systemRandom,
} from "../../src/index.ts";
import { steppingClock } from "../support/stepping-clock.ts";
import { testPool, testSub } from "../support/test-pool.ts";
import { codeChallenge, codeVerifier, testClientId, testRedirect, testResource, testSettings } from "./test-replica.ts";

const minute = 60_000;
const origin = "https://mcp.example";

/** Two whole replicas over one store, one clock and one pool. */
async function room(options: { settings?: Partial<CoreConfigInput>; wrap?: (store: Store) => Store } = {}) {
  const clock = steppingClock();
  const pool = testPool(clock);
  const memory = memoryStore({ clock, random: systemRandom });
  const store = options.wrap?.(memory) ?? memory;
  const start = () =>
    createSallyport(parseCoreConfig(testSettings(options.settings)), {
      clock,
      store,
      random: systemRandom,
      logger: silentLogger,
      identityProvider: pool.provider,
    });
  return { clock, pool, one: await start(), two: await start() };
}

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly scope: string;
}

async function readTokens(response: Response): Promise<Tokens> {
  const body: unknown = await response.json();
  const { access_token, refresh_token, scope } = body as Partial<Tokens>;
  if (access_token === undefined || refresh_token === undefined || scope === undefined) {
    throw new Error(`no tokens: ${JSON.stringify(body)}`);
  }
  return { access_token, refresh_token, scope };
}

const cookieOf = (response: Response): string =>
  response.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");

const post = (auth: Sallyport, path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
  auth.fetch(new Request(`${origin}${path}`, { method: "POST", body: new URLSearchParams(form), headers }));

/** The whole sign-in, as client and browser. */
async function signIn(auth: Sallyport): Promise<Tokens> {
  const authorize = new URLSearchParams({
    response_type: "code",
    client_id: testClientId,
    redirect_uri: testRedirect,
    code_challenge: codeChallenge,
    code_challenge_method: "S256",
  });
  const page = await auth.fetch(new Request(`${origin}/authorize?${authorize}`));
  const sealed = /name="request"[^>]*value="([^"]+)"/.exec(await page.text())?.[1] ?? "";
  const consent = await post(
    auth,
    "/consent",
    { request: sealed, decision: "approve" },
    { cookie: cookieOf(page), origin },
  );
  const state = new URL(consent.headers.get("location") ?? "").searchParams.get("state") ?? "";
  const callback = new Request(`${origin}/auth/callback?${new URLSearchParams({ code: "from-pool", state })}`, {
    headers: { cookie: cookieOf(consent) },
  });
  const code = new URL((await auth.fetch(callback)).headers.get("location") ?? "").searchParams.get("code") ?? "";
  return readTokens(
    await post(auth, "/token", {
      grant_type: "authorization_code",
      client_id: testClientId,
      redirect_uri: testRedirect,
      code_verifier: codeVerifier,
      code,
    }),
  );
}

const refresh = (auth: Sallyport, token: string): Promise<Response> =>
  post(auth, "/token", { grant_type: "refresh_token", client_id: testClientId, refresh_token: token });

/** What a protected MCP endpoint answers: the scopes that count, or the refusal. */
const call = (auth: Sallyport, { access_token }: Tokens): Promise<Response> =>
  auth.protect((_, { scopes }) => new Response(scopes.join(" ")))(
    new Request(testResource, { headers: { authorization: `Bearer ${access_token}` } }),
  );

describe("a revocation in one replica holds in another within grant_check_interval", () => {
  test.each<[string, EpochScope]>([
    ["all", { all: true }],
    ["a user", { user: testSub }],
    ["a client", { client: testClientId }],
  ])("of %s", async (_, scope) => {
    const { one, two, clock } = await room();
    const tokens = await signIn(one);
    expect((await call(two, tokens)).status).toBe(200);
    await one.endGrants(scope);
    clock.advance(14_999);
    expect((await call(two, tokens)).status).toBe(200);
    clock.advance(1);
    const refused = await call(two, tokens);
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toContain('error="invalid_token"');
    expect((await refresh(two, tokens.refresh_token)).status).toBe(400);
    // Whoever signs in after it comes in, in either replica.
    const later = await signIn(two);
    expect([(await call(one, later)).status, (await call(two, later)).status]).toEqual([200, 200]);
  });

  test("by the setting: with 1 s, after 1 s", async () => {
    const { one, two, clock } = await room({ settings: { tokens: { grantCheckInterval: "1s" } } });
    const tokens = await signIn(one);
    await call(two, tokens);
    clock.advance(1);
    await one.endGrants({ all: true });
    clock.advance(1_000);
    expect((await call(two, tokens)).status).toBe(401);
  });
});

describe("what changes at Cognito", () => {
  test("groups bound at each request once they are older than upstream_max_age, in either replica", async () => {
    const { one, two, pool, clock } = await room({ settings: { tokens: { accessTtl: "1h" } } });
    const tokens = await signIn(one);
    expect(await (await call(two, tokens)).text()).toBe("read write admin");
    pool.user.groups = ["readers"];
    clock.advance(10 * minute);
    expect(await (await call(two, tokens)).text()).toBe("read write admin");
    clock.advance(5 * minute);
    expect(await (await call(two, tokens)).text()).toBe("read");
    expect((await readTokens(await refresh(one, tokens.refresh_token))).scope).toBe("read");
    expect(pool.renewals).toHaveLength(1);
  });

  test("groups given later add nothing that was not granted", async () => {
    const { one, pool, clock } = await room();
    pool.user.groups = ["readers"];
    const tokens = await signIn(one);
    expect(tokens.scope).toBe("read");
    pool.user.groups = ["admins"];
    clock.advance(15 * minute);
    const renewed = await readTokens(await refresh(one, tokens.refresh_token));
    expect(renewed.scope).toBe("read");
    expect(await (await call(one, renewed)).text()).toBe("read");
  });

  test("a user who was disabled loses access in both replicas", async () => {
    const { one, two, pool, clock } = await room({ settings: { tokens: { accessTtl: "1h" } } });
    const tokens = await signIn(one);
    expect((await call(two, tokens)).status).toBe(200);
    pool.user.enabled = false;
    clock.advance(15 * minute);
    expect((await call(one, tokens)).status).toBe(401);
    expect((await call(two, tokens)).status).toBe(401);
    const refused = await refresh(two, tokens.refresh_token);
    expect([refused.status, await refused.json()]).toMatchObject([400, { error: "invalid_grant" }]);
  });
});

describe("while Cognito does not answer", () => {
  test("access goes on for upstream_grace, then 503 with Retry-After, never 401, and nothing is lost", async () => {
    const { one, two, pool, clock } = await room({ settings: { tokens: { accessTtl: "1h" } } });
    const tokens = await signIn(one);
    pool.beforeRenewal = () => Promise.reject(new IdentityProviderError("unavailable", "503"));
    clock.advance(20 * minute - 1);
    expect((await call(one, tokens)).status).toBe(200);
    clock.advance(15_000);
    for (const answer of [await call(one, tokens), await call(two, tokens), await refresh(two, tokens.refresh_token)]) {
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(answer.headers.has("www-authenticate")).toBe(false);
    }
    pool.beforeRenewal = async () => {};
    clock.advance(5_000);
    expect((await call(one, tokens)).status).toBe(200);
    expect((await refresh(two, tokens.refresh_token)).status).toBe(200);
  });

  test("who waits for another replica's renewal gets 503 after 5 s and may come again with the same token", async () => {
    const { one, two, pool, clock } = await room();
    const tokens = await signIn(one);
    clock.advance(21 * minute);
    let release = (): void => {};
    pool.beforeRenewal = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    const first = refresh(one, tokens.refresh_token);
    while (pool.renewals.length === 0) await setImmediate();
    const began = clock.monotonic();
    const waited = await refresh(two, tokens.refresh_token);
    expect(clock.monotonic() - began).toBe(5_000);
    expect([waited.status, waited.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(await waited.json()).toMatchObject({ error: "temporarily_unavailable" });
    release();
    const successor = (await readTokens(await first)).refresh_token;
    expect((await readTokens(await refresh(two, tokens.refresh_token))).refresh_token).toBe(successor);
    expect(pool.renewals).toHaveLength(1);
  });
});

describe("closing", () => {
  /** A replica with a renewal under way in the background, and what reached the store in which order. */
  async function renewing(afterRenewal: () => Promise<void>) {
    const events: string[] = [];
    const { one, pool, clock } = await room({
      wrap: (store) => ({
        ...store,
        swap: (...args) => {
          events.push("swap");
          return store.swap(...args);
        },
        close: () => {
          events.push("close");
          return store.close();
        },
      }),
    });
    const tokens = await signIn(one);
    clock.advance(13.6 * minute);
    pool.afterRenewal = afterRenewal;
    await refresh(one, tokens.refresh_token);
    events.length = 0;
    return { one, events };
  }

  test("waits for a renewal: what Cognito rotated is written before the store closes", async () => {
    const { one, events } = await renewing(async () => {
      await setImmediate();
      await setImmediate();
    });
    await one.close();
    expect(events).toEqual(["swap", "close"]);
  });

  test("does not wait for ever", async () => {
    const { one, events } = await renewing(() => new Promise(() => {}));
    await one.close();
    expect(events).toEqual(["close"]);
  });
});
