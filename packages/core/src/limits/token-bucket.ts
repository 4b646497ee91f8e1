import type { Clock } from "../runtime/index.ts";
import { setNewest } from "./bounded-map.ts";

/** Whether a request may pass; if not, in how many whole seconds the next one may. */
export type Allowance = { readonly ok: true } | { readonly ok: false; readonly retryAfter: number };

/** Counts requests by key: an address, a client. */
export interface Limiter {
  take(key: string): Allowance;
  /** Makes one earlier `take` that passed as if it had not been. */
  giveBack(key: string): void;
}

/**
 * A token bucket per key, in this process's memory alone: a limit counts per replica. Of the keys the one unseen for
 * longest is forgotten first and would start anew, so memory is bounded whatever is sent.
 * @param options.perMinute how many requests a key may make at once, and how many come back a minute, evenly
 */
export function createLimiter(options: { readonly clock: Clock; readonly perMinute: number }): Limiter {
  const { clock, perMinute } = options;
  const perMillisecond = perMinute / 60_000;
  const buckets = new Map<string, { readonly tokens: number; readonly at: number }>();
  return {
    take(key) {
      const at = clock.monotonic();
      const before = buckets.get(key);
      const tokens = before ? Math.min(perMinute, before.tokens + (at - before.at) * perMillisecond) : perMinute;
      // A hair less than one, so that a sum of fractions does not make anyone wait twice.
      const ok = tokens >= 1 - 1e-9;
      setNewest(buckets, key, { tokens: ok ? Math.max(0, tokens - 1) : tokens, at });
      return ok ? { ok } : { ok, retryAfter: Math.max(1, Math.ceil((1 - tokens) / perMillisecond / 1000)) };
    },
    giveBack(key) {
      const bucket = buckets.get(key);
      if (bucket) buckets.set(key, { tokens: bucket.tokens + 1, at: bucket.at });
    },
  };
}
