import type { RootKeys } from "../crypto/index.ts";
import { UnreadableRecord } from "../records/index.ts";
import type { Clock, Random } from "../runtime/index.ts";
import type { Entry, Store } from "../store/store.ts";
import { keptKinds, type OpenedRecord } from "./kept-kinds.ts";

/** What it takes to look through a store. */
export interface WalkDeps {
  readonly store: Pick<Store, "get" | "scan">;
  readonly keys: RootKeys;
  readonly clock: Clock;
  readonly random: Random;
}

/** One stored entry: opened, or why it cannot be. */
export interface WalkedRecord {
  readonly kind: string;
  readonly key: string;
  readonly entry: Entry;
  /** A text says why it cannot be read. */
  readonly opened: OpenedRecord | string;
}

/** How many records are read at once. */
const atOnce = 20;

/** Reads and opens the record at a key; undefined where there is none (any more). */
export function recordReader(deps: WalkDeps): (key: string) => Promise<WalkedRecord | undefined> {
  const kinds = keptKinds(deps);
  return async (key) => {
    const entry = await deps.store.get(key);
    if (!entry) return undefined;
    const kind = key.split(":", 1)[0] ?? "";
    const open = kinds.get(kind);
    if (!open) return { kind, key, entry, opened: "this release knows no such kind of record" };
    const times = { expiresAt: entry.expiresAt, now: deps.clock.now() };
    const opened = await open(key, entry.value, times).catch((error: unknown) => {
      if (error instanceof UnreadableRecord) return error.message;
      throw error;
    });
    return { kind, key, entry, opened };
  };
}

/**
 * Does something with every key in the store, several at once, while others read and write it.
 * @returns what was done, in no particular order; a key that the store gives twice is met twice
 */
export async function* eachKey<T>(
  { store }: Pick<WalkDeps, "store">,
  work: (key: string) => Promise<T>,
): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const page = await store.scan(cursor);
    for (let at = 0; at < page.keys.length; at += atOnce) {
      yield* await Promise.all(page.keys.slice(at, at + atOnce).map(work));
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
}
