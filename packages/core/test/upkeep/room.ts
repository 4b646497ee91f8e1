import { setImmediate } from "node:timers/promises";
import {
  type CoreConfigInput,
  checkStore,
  createSallyport,
  memoryStore,
  openKeys,
  parseCoreConfig,
  type ResealReport,
  type RootKeys,
  resealRecords,
  type Sallyport,
  type Store,
  type StoreReport,
  silentLogger,
  systemRandom,
} from "../../src/index.ts";
import { codeChallenge, codeVerifier, testClientId, testResource, testSettings } from "../grants/test-replica.ts";
import { steppingClock } from "../support/stepping-clock.ts";
import { testPool } from "../support/test-pool.ts";

const origin = "https://mcp.example";
const redirectUri = "https://app.example/callback";

/** None that a test meets. */
const limits = { token: 1_000_000, client: 1_000_000, principal: 1_000_000, authorize: 1_000_000, consent: 1_000_000 };

/** Replicas that come and go over one store, and what an operator does with it. */
export function room() {
  const clock = steppingClock();
  const pool = testPool(clock);
  const random = systemRandom;
  const store = memoryStore({ clock, random });
  const settingsOf = (more: Partial<CoreConfigInput>): CoreConfigInput =>
    testSettings({
      limits,
      clients: { [testClientId]: { name: "Test client", redirectUris: [redirectUri] } },
      ...more,
    });
  const keysOf = (more: Partial<CoreConfigInput>): Promise<RootKeys> =>
    openKeys(parseCoreConfig(settingsOf(more)), { clock });
  return {
    clock,
    pool,
    store,
    keysOf,
    /** A replica with other settings than the tests' own. */
    async start(more: Partial<CoreConfigInput>, wrap: (store: Store) => Store = (same) => same): Promise<Sallyport> {
      const identityProvider = pool.provider;
      const runtime = { clock, random, logger: silentLogger, identityProvider, store: wrap(store) };
      const auth = await createSallyport(parseCoreConfig(settingsOf(more)), runtime);
      // It seals the signing keys in the background.
      for (let turns = 0; turns < 10; turns += 1) await setImmediate();
      return auth;
    },
    check: async (more: Partial<CoreConfigInput>): Promise<StoreReport> =>
      checkStore({ store, keys: await keysOf(more), clock, random }),
    async reseal(more: Partial<CoreConfigInput>, over: Store = store): Promise<ResealReport> {
      const report = await resealRecords({ store: over, keys: await keysOf(more), clock, random });
      // What has been moved ends a millisecond later at its old place.
      clock.advance(1);
      return report;
    },
  };
}

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

/** A browser: its cookies by name. */
export type Browser = Map<string, string>;

/** A whole sign-in with a browser: whether the user was asked, and the tokens. */
export async function signIn(auth: Sallyport, browser: Browser = new Map()): Promise<Tokens & { asked: boolean }> {
  const send = async (path: string, form?: Record<string, string>): Promise<Response> => {
    const cookie = [...browser].map(([name, value]) => `${name}=${value}`).join("; ");
    const post = form && { method: "POST", body: new URLSearchParams(form) };
    const answer = await auth.fetch(new Request(`${origin}${path}`, { ...post, headers: { cookie, origin } }));
    for (const line of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "") browser.delete(name);
      else browser.set(name, value);
    }
    return answer;
  };
  const request = new URLSearchParams({
    response_type: "code",
    client_id: testClientId,
    redirect_uri: redirectUri,
    code_challenge: codeChallenge,
    code_challenge_method: "S256",
  });
  let answer = await send(`/authorize?${request}`);
  const asked = answer.status === 200;
  if (asked) {
    const sealed = /name="request"[^>]*value="([^"]+)"/.exec(await answer.text())?.[1] ?? "";
    answer = await send("/consent", { request: sealed, decision: "approve" });
  }
  const state = new URL(answer.headers.get("location") ?? "").searchParams.get("state") ?? "";
  answer = await send(`/auth/callback?${new URLSearchParams({ code: "from-pool", state })}`);
  const code = new URL(answer.headers.get("location") ?? "").searchParams.get("code") ?? "";
  const form = { grant_type: "authorization_code", redirect_uri: redirectUri, code_verifier: codeVerifier, code };
  return { asked, ...(await tokenRequest(auth, form)) };
}

async function tokenRequest(auth: Sallyport, form: Record<string, string>): Promise<Tokens> {
  const body = new URLSearchParams({ client_id: testClientId, ...form });
  const answer = await auth.fetch(new Request(`${origin}/token`, { method: "POST", body }));
  const { access_token, refresh_token, error } = Object(await answer.json());
  if (typeof access_token === "string" && typeof refresh_token === "string") return { access_token, refresh_token };
  throw new Error(`no tokens: ${answer.status} ${error}`);
}

export const refresh = (auth: Sallyport, { refresh_token }: Pick<Tokens, "refresh_token">): Promise<Tokens> =>
  tokenRequest(auth, { grant_type: "refresh_token", refresh_token });

/** The status of a request with an access token. */
export async function call(auth: Sallyport, { access_token }: Pick<Tokens, "access_token">): Promise<number> {
  const request = new Request(testResource, { headers: { authorization: `Bearer ${access_token}` } });
  return (await auth.protect(() => new Response("in"))(request)).status;
}

/** Every key in a store. */
export async function keysIn(store: Store): Promise<string[]> {
  const keys: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.scan(cursor);
    keys.push(...page.keys);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return keys;
}
