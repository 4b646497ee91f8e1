import { lookupHash, type RootKeys } from "../crypto/index.ts";
import type { Clock } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";
import { setNewest } from "./bounded-map.ts";
import type { Allowance } from "./token-bucket.ts";

/** Counts requests of those who are identified, over all replicas. */
export interface SharedLimit {
  /** Rejects with StoreUnavailable where the count cannot be had: nobody is told that there was too much. */
  take(id: string): Promise<Allowance>;
}

/** Windows are minutes of the wall clock, the same for every replica. */
const windowLength = 60_000;

interface Tally {
  readonly window: number;
  /** What all replicas have reported in this window, as the store last said. */
  reported: number;
  /** What was let pass here and not yet reported. */
  unreported: number;
  /** Requests of one id are judged one after the other. */
  last: Promise<unknown>;
}

/**
 * So many requests a minute of one id, whatever the number of replicas. Each replica lets pass a block (a tenth of the
 * limit, at least one) before it adds it to a counter in the store, so that steady traffic hardly touches the store.
 * Nobody is refused below the limit, for what is counted has passed. What is not yet reported may go beyond it: with one
 * replica nothing, with n replicas at most n × (block - 1) in a window. Windows are fixed, so two of them may meet in one
 * minute's time. A replica that ends forgets what it had not reported.
 * @param options.label what is counted; part of the key, beside a keyed hash of the id
 */
export function sharedLimit(options: {
  readonly store: Store;
  readonly keys: RootKeys;
  readonly clock: Clock;
  readonly label: string;
  readonly perMinute: number;
}): SharedLimit {
  const { store, keys, clock, label, perMinute } = options;
  const block = Math.max(1, Math.floor(perMinute / 10));
  const tallies = new Map<string, Tally>();

  const tallyOf = (id: string): Tally => {
    const window = Math.floor(clock.now() / windowLength);
    const known = tallies.get(id);
    const tally = known?.window === window ? known : { window, reported: 0, unreported: 0, last: Promise.resolve() };
    setNewest(tallies, id, tally);
    return tally;
  };

  const judge = async (id: string, tally: Tally): Promise<Allowance> => {
    const refused = (): Allowance => {
      const wait = (tally.window + 1) * windowLength - clock.now();
      return { ok: false, retryAfter: Math.max(1, Math.ceil(wait / 1000)) };
    };
    if (tally.reported >= perMinute) return refused();
    tally.unreported += 1;
    if (tally.unreported < Math.min(block, perMinute - tally.reported)) return { ok: true };
    const by = tally.unreported;
    // Before the store is asked: after an outage nobody knows whether it counted, and twice would refuse too early.
    tally.unreported = 0;
    const key = `limit:${lookupHash(keys.active, `limit-${label}`, id)}:${tally.window}`;
    const { value } = await store.count(key, by, { ttl: 2 * windowLength });
    tally.reported = value;
    return value <= perMinute ? { ok: true } : refused();
  };

  return {
    take(id) {
      const tally = tallyOf(id);
      const allowance = tally.last.then(() => judge(id, tally));
      tally.last = allowance.catch(() => undefined);
      return allowance;
    },
  };
}
