import type { Clock } from "../runtime/index.ts";

/** Whether a request may pass; if not, in how many whole seconds the next one may. */
export type Allowance = { readonly ok: true } | { readonly ok: false; readonly retryAfter: number };

/** Counts requests by key: an address, a client. */
export interface Limiter {
  take(key: string): Allowance;
}

/**
 * A token bucket per key, in this process's memory alone: a limit counts per replica. At most `maxKeys` are remembered;
 * the one unseen for longest is forgotten first and would start anew, so memory is bounded whatever is sent.
 * @param options.perMinute how many requests a minute a key may make, evenly refilled
 * @param options.burst how many it may make at once; default `perMinute`
 * @param options.maxKeys default 10,000
 */
export function createLimiter(options: {
  readonly clock: Clock;
  readonly perMinute: number;
  readonly burst?: number;
  readonly maxKeys?: number;
}): Limiter {
  const { clock, perMinute, burst = perMinute, maxKeys = 10_000 } = options;
  const perMillisecond = perMinute / 60_000;
  // A Map keeps its order of insertion: what is written again moves to the end, what is first is the oldest.
  const buckets = new Map<string, { readonly tokens: number; readonly at: number }>();
  return {
    take(key) {
      const at = clock.monotonic();
      const before = buckets.get(key);
      const tokens = before ? Math.min(burst, before.tokens + (at - before.at) * perMillisecond) : burst;
      // A hair less than one, so that a sum of fractions does not make anyone wait twice.
      const ok = tokens >= 1 - 1e-9;
      buckets.delete(key);
      buckets.set(key, { tokens: ok ? Math.max(0, tokens - 1) : tokens, at });
      const oldest = buckets.keys().next();
      if (buckets.size > maxKeys && !oldest.done) buckets.delete(oldest.value);
      return ok ? { ok } : { ok, retryAfter: Math.max(1, Math.ceil((1 - tokens) / perMillisecond / 1000)) };
    },
  };
}
