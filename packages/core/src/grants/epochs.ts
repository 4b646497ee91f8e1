import type { RootKeys } from "../crypto/index.ts";
import { type EpochRecord, epochId, epochKind, type RecordStore, recordStore } from "../records/index.ts";
import type { Clock, Random } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";

/** Whose grants a kill switch ends. */
export type EpochScope = { readonly all: true } | { readonly user: string } | { readonly client: string };

/** Kill switches: "nothing that began before this instant counts". */
export interface Epochs {
  /** Sets a switch to now. Every grant that exists at this moment stops to count within the check interval, everywhere. */
  set(scope: EpochScope): Promise<void>;
  /**
   * The latest instant that concerns a grant, ms; 0 if none. Readers that come together share a read: `readAt` says how
   * old the answer is, by the monotonic clock.
   */
  latest(grant: {
    readonly user?: string | undefined;
    readonly client: string;
  }): Promise<{ readonly instant: number; readonly readAt: number }>;
}

interface SharedRead {
  readonly readAt: number;
  readonly instant: Promise<number>;
}

const mostCached = 10_000;

export function createEpochs(
  deps: { readonly store: Store; readonly keys: RootKeys; readonly clock: Clock; readonly random: Random },
  options: { readonly shareFor: number; readonly ttl: number },
): Epochs {
  const records: RecordStore<EpochRecord> = recordStore(epochKind, deps);
  const cache = new Map<string, SharedRead>();

  const idsOf = (name: string): ReadonlySet<string> => new Set(deps.keys.all.map((key) => epochId(key, name)));

  const read = async (name: string): Promise<number> => {
    const found = await Promise.all([...idsOf(name)].map((id) => records.get(id)));
    return Math.max(0, ...found.map((record) => record?.value.instant ?? 0));
  };

  const cached = (name: string): SharedRead => {
    const now = deps.clock.monotonic();
    const known = cache.get(name);
    if (known && now - known.readAt < options.shareFor) return known;
    const instant = read(name);
    cache.delete(name);
    const shared = { readAt: now, instant };
    cache.set(name, shared);
    // A failed read is not remembered: the next request asks again.
    instant.catch(() => cache.delete(name));
    for (const oldest of cache.keys()) {
      if (cache.size <= mostCached) break;
      cache.delete(oldest);
    }
    return shared;
  };

  return {
    async set(scope) {
      const name = "all" in scope ? "all" : "user" in scope ? `user ${scope.user}` : `client ${scope.client}`;
      // +1: a grant that began in this very millisecond is ended as well.
      // Never back: another replica's clock may have been ahead.
      const instant = Math.max(await read(name), deps.clock.now() + 1);
      // Under every root secret: a replica that knows only the old one, in the middle of a change, must find it too.
      for (const id of idsOf(name)) await records.put(id, { instant, name }, { ttl: options.ttl, replicated: true });
      cache.delete(name);
    },
    async latest({ user, client }) {
      const names = ["all", `client ${client}`, ...(user === undefined ? [] : [`user ${user}`])];
      const reads = names.map(cached);
      const instant = Math.max(...(await Promise.all(reads.map((read) => read.instant))));
      return { instant, readAt: Math.min(...reads.map((read) => read.readAt)) };
    },
  };
}
