import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Reason, SallyportRuntime } from "sallyport";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { createWalker, type Page, type Walker } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import {
  authorizeUrl,
  type PkcePair,
  pkce,
  redeem,
  register,
  type TestClient,
  type TokenAnswer,
  tokenAnswer,
} from "../support/oauth-client.ts";
import { type CognitoTap, tapCognito } from "./cognito-tap.ts";
import { type WatchedStore, watchStore } from "./watched-store.ts";

/** How a request was answered, and what the audit trail says of it. */
export interface Outcome {
  readonly status: number;
  /** The OAuth error code, wherever it stands: in the JSON, in the redirect, in the page's details. */
  readonly error: string | undefined;
  readonly location: string | undefined;
  /** Reasons of the refusals that were written meanwhile, the ends of grants aside. */
  readonly reasons: readonly Reason[];
  /** Reasons of the grants that were ended meanwhile. */
  readonly ended: readonly Reason[];
  readonly headers: Headers;
  readonly body: string;
}

/** A sign-in that has come back to its client with a code. */
export interface SignedIn {
  readonly client: TestClient;
  readonly pair: PkcePair;
  readonly code: string;
}

/** A sign-in whose code has been redeemed. */
export interface Session extends SignedIn {
  readonly tokens: TokenAnswer;
}

export interface SignInOptions {
  readonly user?: "alice" | "bob" | "carol";
  readonly client?: TestClient;
  readonly walker?: Walker;
  /** Further parameters of the authorization request. */
  readonly params?: Readonly<Record<string, string | undefined>>;
}

/** A running environment with everything that an attacker, and whoever watches, needs. */
export interface Arena {
  readonly env: TestEnvironment;
  readonly store: WatchedStore;
  readonly cognito: CognitoTap;
  /** Sends a request, without following redirects, and tells what became of it. */
  outcome(send: () => Promise<Response>): Promise<Outcome>;
  /** `GET /authorize` as a browser sends it. */
  authorize(client: TestClient, params?: Readonly<Record<string, string | undefined>>): Promise<Outcome>;
  /** Approves and stops where the browser would go on to Cognito. */
  approve(walker: Walker, page: Page): Promise<string>;
  /** Signs in at Cognito and stops where the browser would come back to our callback. */
  atCognito(walker: Walker, location: string, user?: "alice" | "bob" | "carol"): Promise<string>;
  signIn(options?: SignInOptions): Promise<SignedIn>;
  session(options?: SignInOptions): Promise<Session>;
  /** An `initialize` to an MCP endpoint. */
  mcp(token?: string, path?: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Waits out the interval in which a judgement of a grant is remembered. */
  afterCheckInterval(): void;
}

export type ArenaOptions = Omit<
  NonNullable<Parameters<typeof startEnvironment>[0]>,
  "store" | "wrapStore" | "runtime"
> & { readonly network?: SallyportRuntime["network"] };

/**
 * A suite that runs over every store which needs no server of its own.
 * @param suite gets a function that answers the running arena: call it inside the tests
 */
export function onEachStore(title: string, suite: (arena: () => Arena) => void, options: ArenaOptions = {}): void {
  describe.each(["memory", "sqlite"])(`${title}, store %s`, (kind) => {
    let arena: Arena | undefined;
    let folder: string | undefined;
    beforeAll(async () => {
      if (kind === "sqlite") folder = await mkdtemp(join(tmpdir(), "sallyport-attacks-"));
      arena = await startArena(folder === undefined ? "memory:" : `sqlite:${join(folder, "store.db")}`, options);
    });
    afterAll(async () => {
      await arena?.env.close();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });
    suite(() => {
      if (!arena) throw new Error("the arena is there only while tests run");
      return arena;
    });
  });
}

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
});

async function startArena(url: string, options: ArenaOptions): Promise<Arena> {
  const cognito = tapCognito();
  let watched: WatchedStore | undefined;
  const env = await startEnvironment({
    ...options,
    store: url,
    runtime: { fetch: cognito.fetch, ...(options.network ? { network: options.network } : {}) },
    wrapStore: (inner) => {
      watched = watchStore(inner);
      return watched;
    },
  });
  if (!watched) throw new Error("the environment did not take the watched store");

  const outcome: Arena["outcome"] = async (send) => {
    const seen = env.audit.length;
    const response = await send();
    const body = await response.text();
    const location = response.headers.get("location") ?? undefined;
    const events = env.audit.slice(seen);
    const reasonsOf = (ended: boolean): Reason[] =>
      events.flatMap(({ action, reason }) => ((action === "grant.ended") === ended && reason ? [reason] : []));
    const error = errorOf(location, body);
    const { status, headers } = response;
    return { status, error, location, reasons: reasonsOf(false), ended: reasonsOf(true), headers, body };
  };

  const approve: Arena["approve"] = async (walker, page) => {
    const { location } = await walker.submit(page, { decision: "approve" }, (next) => next.startsWith(env.cognito.url));
    return found(location, "approving did not lead to Cognito");
  };

  const atCognito: Arena["atCognito"] = async (walker, location, user = "alice") => {
    const atCallback = (next: string): boolean => next.startsWith(`${env.url}/auth/callback`);
    const { username, password } = demoUser(env, user);
    const page = await walker.get(location, atCallback);
    if (page.location !== undefined) return page.location;
    const back = await walker.submit(page, { username, password }, atCallback);
    return found(back.location, "Cognito did not send the browser back");
  };

  const signIn: Arena["signIn"] = async ({ user, walker = createWalker(), params, ...given } = {}) => {
    const client = given.client ?? (await register(env.url));
    const pair = pkce();
    const page = await walker.get(authorizeUrl(env.url, client, pair, params));
    const callback = await atCognito(walker, await approve(walker, page), user);
    const done = await walker.get(callback, () => true);
    const code = new URL(found(done.location, "the callback led nowhere")).searchParams.get("code") ?? undefined;
    return { client, pair, code: found(code, `no code came back: ${done.location}`) };
  };

  return {
    env,
    store: watched,
    cognito,
    outcome,
    authorize: (client, params) =>
      outcome(() =>
        fetch(authorizeUrl(env.url, client, pkce(), params), { redirect: "manual", headers: { accept: "text/html" } }),
      ),
    approve,
    atCognito,
    signIn,
    async session(options) {
      const signedIn = await signIn(options);
      const { client, pair, code } = signedIn;
      const more: Record<string, string> =
        client.clientSecret === undefined ? {} : { client_secret: client.clientSecret };
      const response = await redeem(env.url, client, code, pair, more);
      const tokens = await tokenAnswer(response);
      expect(response.status, JSON.stringify(tokens)).toBe(200);
      return { ...signedIn, tokens };
    },
    mcp: (token, path = "/clock/mcp", headers = {}) =>
      fetch(`${env.url}${path}`, {
        method: "POST",
        body: initialize,
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
      }),
    afterCheckInterval: () => env.clock.advance(15_001),
  };
}

function errorOf(location: string | undefined, body: string): string | undefined {
  if (location !== undefined) return new URL(location).searchParams.get("error") ?? undefined;
  const page = /<details>[\s\S]*?<code>([a-z_]+):/.exec(body)?.[1];
  if (page !== undefined) return page;
  try {
    const json: unknown = JSON.parse(body);
    const error = typeof json === "object" && json !== null && "error" in json ? json.error : undefined;
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}

/** Narrows what has to be there for the test to go on. */
export function found<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new Error(message);
  return value;
}

/** An error that the client itself is told: at its own redirect, with state and `iss`, and without a code. */
export function expectRedirectedError(
  outcome: Pick<Outcome, "status" | "location">,
  at: { readonly client: TestClient; readonly error: string; readonly issuer: string; readonly state?: string | null },
): void {
  expect(outcome.status).toBe(302);
  const location = new URL(found(outcome.location, "no redirect"));
  expect(location.href.startsWith(`${at.client.redirectUri}?`)).toBe(true);
  const { searchParams } = location;
  expect(searchParams.get("error")).toBe(at.error);
  expect(searchParams.get("iss")).toBe(at.issuer);
  expect(searchParams.get("state")).toBe(at.state === undefined ? "test-state" : at.state);
  expect(searchParams.has("code")).toBe(false);
}

/** The cookies of a browser as it would send them to the gateway. */
export const cookieHeader = (walker: Walker): string =>
  [...walker.cookies]
    .flatMap(([key, value]) => {
      const [host, name] = key.split(" ");
      return host === "localhost" ? [`${name}=${value}`] : [];
    })
    .join("; ");

/** The sealed request inside a consent page. */
export const sealedRequest = (page: { readonly body: string }): string =>
  found(/name="request" value="([^"]+)"/.exec(page.body)?.[1], "this is no consent page");
