/** A stored value with the version that {@link Store.swap} compares. */
export interface Entry {
  readonly value: string;
  /** Opaque. Never used twice for one key, not even after a deletion. */
  readonly version: string;
  /** When the entry ends, milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** Under which hints an entry can be found again by {@link Store.list}. Values are already hashed by the caller. */
export interface IndexHints {
  readonly user?: string;
  readonly client?: string;
}

export type IndexName = keyof IndexHints;

export interface PutOptions {
  /** Lifetime in milliseconds from now; more than 0. */
  readonly ttl: number;
  readonly index?: IndexHints;
  /** Answered only once a copy has it, where the backend makes copies after it has answered; for what must not be lost. */
  readonly replicated?: boolean;
}

export interface Page {
  readonly keys: readonly string[];
  /** Give this back to get the next page; absent on the last. */
  readonly cursor?: string;
}

/**
 * Where state lives. Every operation concerns one key and is atomic on it; an adapter names the primitive it relies on.
 * Any operation may reject with {@link StoreUnavailable}; that says nothing about whether a write took place.
 */
export interface Store {
  /** The entry, or undefined. Never an expired one, whatever the backend's own expiry does. */
  get(key: string): Promise<Entry | undefined>;
  /** Writes. With `ifAbsent`, only where no unexpired entry stands; answers whether it wrote. */
  put(key: string, value: string, options: PutOptions & { readonly ifAbsent?: boolean }): Promise<boolean>;
  /** Reads and deletes in one step: of any number of callers, one gets the entry. */
  take(key: string): Promise<Entry | undefined>;
  /** Compare and set: writes only where the unexpired entry still has `expectedVersion`. Never brings back a deleted one. */
  swap(key: string, expectedVersion: string, value: string, options: PutOptions): Promise<boolean>;
  delete(key: string): Promise<void>;
  /**
   * Adds `by` to a counter that starts at 0 and ends `ttl` milliseconds after its first use.
   * With `limit`, adds nothing where the sum would exceed it and answers `allowed: false` with the value as it stands.
   */
  count(
    key: string,
    by: number,
    options: { readonly ttl: number; readonly limit?: number },
  ): Promise<{ readonly allowed: boolean; readonly value: number }>;
  /** Keys of unexpired entries written with this index hint. May lag: a help for people, nothing that decides access asks it. */
  list(index: IndexName, value: string, cursor?: string): Promise<Page>;
  /**
   * Keys of all entries, for upkeep: a page of any size and the cursor of the next. May give a key twice, one that is over,
   * or miss one that is written meanwhile.
   */
  scan(cursor?: string): Promise<Page>;
  /** What makes this backend unfit to keep state, in words that name the mend; empty if nothing does. */
  problems?(): Promise<readonly string[]>;
  /** Releases connections and timers. No operation after it. */
  close(): Promise<void>;
}

/** The backend did not answer, or not in time. Callers answer 503 and change nothing. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}
