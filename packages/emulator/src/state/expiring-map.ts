import type { Clock } from "../runtime.ts";

/** A map whose entries end by themselves and whose size is bounded. */
export interface ExpiringMap<V> {
  /** Never an ended entry. */
  get(key: string): V | undefined;
  /** Reads and removes: one caller gets it. */
  take(key: string): V | undefined;
  /** @param expiresAt milliseconds since the Unix epoch */
  set(key: string, value: V, expiresAt: number): void;
  delete(key: string): void;
  values(): V[];
  /** How many entries are held, ended ones not yet swept included. */
  readonly size: number;
}

const sweepEvery = 256;

/** @param limit when it is passed, the entry that was written first goes */
export function createExpiringMap<V>(clock: Clock, limit: number): ExpiringMap<V> {
  const entries = new Map<string, { readonly value: V; readonly expiresAt: number }>();
  let writes = 0;

  const sweep = (): void => {
    const now = clock.now();
    for (const [key, entry] of entries) if (entry.expiresAt <= now) entries.delete(key);
  };
  const get = (key: string): V | undefined => {
    const entry = entries.get(key);
    return entry !== undefined && entry.expiresAt > clock.now() ? entry.value : undefined;
  };

  return {
    get,
    take(key) {
      const value = get(key);
      entries.delete(key);
      return value;
    },
    set(key, value, expiresAt) {
      entries.set(key, { value, expiresAt });
      writes += 1;
      if (writes % sweepEvery === 0 || entries.size > limit) sweep();
      for (const first of entries.keys()) {
        if (entries.size <= limit) break;
        entries.delete(first);
      }
    },
    delete(key) {
      entries.delete(key);
    },
    values() {
      sweep();
      return [...entries.values()].map(({ value }) => value);
    },
    get size() {
      return entries.size;
    },
  };
}
