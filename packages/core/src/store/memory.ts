import type { Clock, Random } from "../runtime/index.ts";
import { checkCount, checkHints, checkText, expiryOf } from "./check-arguments.ts";
import { newVersion } from "./entry-version.ts";
import { cursorAfter, keyBefore, pageSize } from "./list-cursor.ts";
import type { Entry, IndexHints, Store } from "./store.ts";
import { StoreUnavailable } from "./store.ts";

interface Held extends Entry {
  readonly index: IndexHints;
}

interface Counter {
  readonly value: number;
  readonly expiresAt: number;
}

/**
 * A store in this process's memory, for tests and throw-away environments: nothing outlives the process, nothing is
 * shared. Every operation runs to its end without giving way to another, which makes it atomic.
 *
 * @param options.maxEntries how many entries and counters it holds together, default 100,000. At the cap expired ones
 *   are dropped; if none is, a write that needs room rejects with {@link StoreUnavailable}. A live one is never evicted:
 *   that would sign somebody out, or bring back what was used up.
 */
export function memoryStore(options: { clock: Clock; random: Random; maxEntries?: number }): Store {
  const { clock, random, maxEntries = 100_000 } = options;
  if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) {
    throw new RangeError("store: maxEntries must be a whole number from 1 up");
  }
  const entries = new Map<string, Held>();
  const counters = new Map<string, Counter>();
  // No held expiry is earlier than this, so that a full store of live entries is not searched at every refused write.
  let earliestExpiry = Number.POSITIVE_INFINITY;
  let closed = false;

  const open = (): void => {
    if (closed) throw new StoreUnavailable("The memory store is closed.");
  };

  const live = <T extends { readonly expiresAt: number }>(map: Map<string, T>, key: string): T | undefined => {
    const held = map.get(key);
    return held !== undefined && held.expiresAt > clock.now() ? held : undefined;
  };

  const dropExpired = (): void => {
    const now = clock.now();
    if (now < earliestExpiry) return;
    earliestExpiry = Number.POSITIVE_INFINITY;
    for (const map of [entries, counters]) {
      for (const [key, { expiresAt }] of map) {
        if (expiresAt <= now) map.delete(key);
        else earliestExpiry = Math.min(earliestExpiry, expiresAt);
      }
    }
  };

  const set = <T extends { readonly expiresAt: number }>(map: Map<string, T>, key: string, held: T): void => {
    if (!map.has(key) && entries.size + counters.size >= maxEntries) {
      dropExpired();
      if (entries.size + counters.size >= maxEntries) {
        throw new StoreUnavailable(`The memory store is full: it holds ${maxEntries} unexpired entries.`);
      }
    }
    map.set(key, held);
    earliestExpiry = Math.min(earliestExpiry, held.expiresAt);
  };

  const entryOf = ({ value, version, expiresAt }: Held): Entry => ({ value, version, expiresAt });

  return {
    async get(key) {
      open();
      checkText("key", key);
      const held = live(entries, key);
      return held && entryOf(held);
    },

    async put(key, value, { ttl, ifAbsent = false, index = {} }) {
      open();
      checkText("key", key);
      checkText("value", value);
      checkHints(index);
      const expiresAt = expiryOf(clock, ttl);
      if (ifAbsent && live(entries, key)) return false;
      set(entries, key, { value, version: newVersion(random), expiresAt, index: { ...index } });
      return true;
    },

    async take(key) {
      open();
      checkText("key", key);
      const held = live(entries, key);
      entries.delete(key);
      return held && entryOf(held);
    },

    async swap(key, expectedVersion, value, { ttl, index = {} }) {
      open();
      checkText("key", key);
      checkText("value", value);
      checkHints(index);
      const expiresAt = expiryOf(clock, ttl);
      if (live(entries, key)?.version !== expectedVersion) return false;
      set(entries, key, { value, version: newVersion(random), expiresAt, index: { ...index } });
      return true;
    },

    async delete(key) {
      open();
      checkText("key", key);
      entries.delete(key);
    },

    async count(key, by, { ttl, limit }) {
      open();
      checkText("key", key);
      checkCount(by, limit);
      const expiresAt = expiryOf(clock, ttl);
      const held = live(counters, key);
      const sum = (held?.value ?? 0) + by;
      if (limit !== undefined && sum > limit) return { allowed: false, value: sum - by };
      if (by > 0) set(counters, key, { value: sum, expiresAt: held?.expiresAt ?? expiresAt });
      return { allowed: true, value: sum };
    },

    async list(index, value, cursor) {
      open();
      checkText("index hint", value);
      const after = keyBefore(cursor);
      const now = clock.now();
      const keys = [...entries]
        .filter(([key, held]) => key > after && held.index[index] === value && held.expiresAt > now)
        .map(([key]) => key)
        .sort();
      const page = keys.slice(0, pageSize);
      const last = page.at(-1);
      return keys.length > pageSize && last !== undefined ? { keys: page, cursor: cursorAfter(last) } : { keys: page };
    },

    async scan(cursor) {
      open();
      const after = keyBefore(cursor);
      const keys = [...entries.keys()].filter((key) => key > after).sort();
      const page = keys.slice(0, pageSize);
      const last = page.at(-1);
      return keys.length > pageSize && last !== undefined ? { keys: page, cursor: cursorAfter(last) } : { keys: page };
    },

    async close() {
      closed = true;
      entries.clear();
      counters.clear();
    },
  };
}
