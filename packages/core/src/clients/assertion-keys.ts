import type { KeyObject } from "node:crypto";
import { z } from "zod";
import type { KeySource } from "../config/own-keys.ts";
import { importVerificationKey, type VerificationKey } from "../crypto/index.ts";
import { OAuthError } from "../errors/index.ts";
import { type GuardedFetch, GuardedFetchError } from "../net/guarded-fetch.ts";
import type { Clock } from "../runtime/index.ts";
import type { AssertionKeys } from "./client.ts";
import { freshnessOf } from "./metadata-document/freshness.ts";

const longestSet = 65_536;
const longestFetch = 3_000;
/** Every one may have to be tried on an assertion without `kid`. */
const mostKeys = 32;
/** For so long after their lifetime they are used while they cannot be fetched, ms. */
const staleFor = 3_600_000;
/** An assertion whose key is not among them fetches them anew, but not more often than this, ms. */
const refetchCooldown = 30_000;
const failureCooldown = 5_000;
const mostUrls = 1_000;

/**
 * Finds the keys of clients: those that were given, and those published at a URL, which are kept for as long as its answer
 * says (a minute to a day) and shared by all who name it. Keys that cannot be used are skipped.
 */
export function createAssertionKeys(deps: {
  readonly fetch: GuardedFetch;
  readonly clock: Clock;
}): (source: KeySource) => AssertionKeys {
  /** By URL; the one unasked for longest goes first. */
  const published = new Map<string, AssertionKeys>();

  const publishedAt = (url: string): AssertionKeys => {
    const keys = published.get(url) ?? publishedKeys(url, deps);
    published.delete(url);
    published.set(url, keys);
    const oldest = published.keys().next();
    if (published.size > mostUrls && !oldest.done) published.delete(oldest.value);
    return keys;
  };

  return ({ jwks, jwksUri }) => {
    if (jwks) return givenKeys(jwks.keys);
    if (jwksUri === undefined) return givenKeys([]);
    return { find: (...asked) => publishedAt(jwksUri).find(...asked) };
  };
}

type Jwk = Readonly<Record<string, unknown>>;

const usable = (jwks: readonly Jwk[]): readonly VerificationKey[] =>
  jwks.flatMap((jwk) => importVerificationKey(jwk) ?? []).slice(0, mostKeys);

const select = (keys: readonly VerificationKey[], alg: string, kid: string | undefined): readonly KeyObject[] =>
  keys
    .filter((key) => key.algorithms.some((name) => name === alg) && (kid === undefined || key.kid === kid))
    .map(({ key }) => key);

function givenKeys(jwks: readonly Jwk[]): AssertionKeys {
  let keys: readonly VerificationKey[] | undefined;
  return {
    async find(alg, kid, anew) {
      keys ??= usable(jwks);
      return anew ? [] : select(keys, alg, kid);
    },
  };
}

/** What was published is no key set. */
class NoKeySet extends Error {
  override readonly name = "NoKeySet";
}

const keySet = z.object({ keys: z.array(z.record(z.string(), z.unknown())) });

function publishedKeys(url: string, deps: { readonly fetch: GuardedFetch; readonly clock: Clock }): AssertionKeys {
  const { clock } = deps;
  let held: { readonly keys: readonly VerificationKey[]; readonly until: number } | undefined;
  /** Why the last fetch failed, if it did. */
  let failure: Error | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;
  let pending: Promise<void> | undefined;

  const request = async (): Promise<NonNullable<typeof held>> => {
    const limits = { maxBytes: longestSet, timeoutMs: longestFetch };
    const answer = await deps.fetch(url, { accept: "application/jwk-set+json, application/json", ...limits });
    if (answer.status !== 200) throw new NoKeySet(`the answer was ${answer.status}`);
    const parsed = keySet.safeParse(parseJson(answer.body));
    if (!parsed.success) throw new NoKeySet("the answer is no JSON Web Key Set");
    return { keys: usable(parsed.data.keys), until: clock.monotonic() + freshnessOf(answer.headers).lifetime };
  };

  const attempt = async (): Promise<void> => {
    try {
      held = await request();
      failure = undefined;
    } catch (error) {
      if (!(error instanceof GuardedFetchError) && !(error instanceof NoKeySet)) throw error;
      failure = error;
    } finally {
      triedAt = clock.monotonic();
      pending = undefined;
    }
  };

  /** Fetches, unless that was done a moment ago; who comes meanwhile waits for the same fetch. */
  const load = async (): Promise<boolean> => {
    if (!pending && clock.monotonic() - triedAt < (failure ? failureCooldown : refetchCooldown)) return false;
    pending ??= attempt();
    await pending;
    return true;
  };

  const unavailable = (): OAuthError => {
    const text = "The client's keys cannot be fetched at the moment. Try again.";
    return new OAuthError("temporarily_unavailable", "client_keys_unavailable", text, { cause: failure });
  };

  return {
    async find(alg, kid, anew) {
      if (anew) return (await load()) && !failure && held ? select(held.keys, alg, kid) : [];
      if (!held || clock.monotonic() >= held.until) await load();
      if (!held || clock.monotonic() >= held.until + staleFor) throw unavailable();
      const known = select(held.keys, alg, kid);
      if (known.length > 0) return known;
      await load();
      // Whether the key is there cannot be told: that is no word against the client.
      if (failure) throw unavailable();
      return select(held.keys, alg, kid);
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
