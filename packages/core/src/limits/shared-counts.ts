import { lookupHash, type RootKeys } from "../crypto/index.ts";
import type { Clock } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";
import { setNewest } from "./bounded-map.ts";
import type { Allowance } from "./token-bucket.ts";

/** What is counted, and how often it may be. */
export interface CountRule {
  /** Names what is counted: rules of one label count together. */
  readonly label: string;
  /** How often in a window; at least 1. */
  readonly limit: number;
  /** Milliseconds. Windows follow each other on the wall clock, the same for every replica. */
  readonly window: number;
}

/** Counts requests of those who are identified, over all replicas. */
export interface SharedCounts {
  /**
   * One more, if there is room. Answers at once but where a block is used up faster than the store counts it; a promise
   * never rejects.
   * @param id who or what is counted; appears in the store as a keyed hash only
   */
  take(rule: CountRule, id: string): Allowance | Promise<Allowance>;
  /** Makes one earlier `take` of this window that passed as if it had not been. */
  giveBack(rule: CountRule, id: string): void;
}

/** How long a request waits for the store, ms; a store that does not count is left alone for the rest. */
const patience = 250;
const rest = 1000;

/** So many counts a process remembers at a time, whatever is sent. */
const mostCounts = 100_000;

interface Tally {
  readonly rule: CountRule;
  readonly id: string;
  readonly window: number;
  /** When it was made the newest, by the wall clock. */
  seen: number;
  /** What all replicas have reported in this window, as far as is known here. */
  reported: number;
  /** What is being reported. */
  sent: number;
  /** What was let pass here and is not reported. */
  unreported: number;
  /** Settles when the report that is under way has been answered, or is not waited for any longer. */
  report: Promise<void> | undefined;
}

/** So long a tally stays where it is among the newest, ms: moving it costs more than counting. */
const fresh = 1000;

const newTally = (rule: CountRule, id: string, window: number): Tally => ({
  rule,
  id,
  window,
  seen: 0,
  reported: 0,
  sent: 0,
  unreported: 0,
  report: undefined,
});

const passed: Allowance = { ok: true };

/**
 * So many requests of one id in a window, whatever the number of replicas. What passes is added to a counter in the
 * store beside the requests, in parts: a block is a tenth of the limit, at least one; from half a block on a replica reports,
 * and past a whole block it waits for the answer. So steady traffic hardly touches the store and never waits for it.
 *
 * Nobody is refused below the limit, for what is counted has passed. With one replica the limit is exact; with n of
 * them at most n × block more pass in a window, as none has more than a block that the others do not know of. Windows are
 * fixed, so that two limits may be used up around the end of one.
 *
 * Where the store does not count, each replica goes on by what it has let pass itself: then n × limit is the most.
 * A replica that ends forgets what it had not reported. Of the ids the one unseen for longest is forgotten first.
 */
export function sharedCounts(options: {
  readonly store: Pick<Store, "count">;
  readonly keys: RootKeys;
  readonly clock: Clock;
  readonly most?: number;
}): SharedCounts {
  const { store, keys, clock, most = mostCounts } = options;
  const tallies = new Map<string, Tally>();
  /** Labels are long, and the key is made at each request. */
  const shortLabels = new Map<string, string>();
  let restsUntil = Number.NEGATIVE_INFINITY;

  const keyOf = (label: string, id: string): string => {
    const known = shortLabels.get(label);
    if (known !== undefined) return known + id;
    const short = `${shortLabels.size} `;
    shortLabels.set(label, short);
    return short + id;
  };

  const tallyOf = (rule: CountRule, id: string): Tally => {
    const key = keyOf(rule.label, id);
    const now = clock.now();
    const window = Math.floor(now / rule.window);
    const known = tallies.get(key);
    const same = known?.window === window;
    if (same && now - known.seen < fresh) return known;
    const tally: Tally = same ? known : newTally(rule, id, window);
    tally.seen = now;
    const forgotten = setNewest(tallies, key, tally, most);
    // The others shall know all the same, or whoever makes many ids would not be counted.
    if (forgotten && forgotten.unreported > 0 && !forgotten.report) send(forgotten);
    return tally;
  };

  const send = (tally: Tally): void => {
    if (clock.monotonic() < restsUntil) return;
    const by = tally.unreported;
    const { rule, window } = tally;
    const waited = new AbortController();
    tally.unreported = 0;
    tally.sent = by;
    const settle = (): void => {
      // After an outage nobody knows whether the store has counted it; twice would refuse too early.
      tally.reported += tally.sent;
      tally.sent = 0;
      tally.report = undefined;
      waited.abort();
    };
    const key = `limit:${lookupHash(keys.active, `limit-${rule.label}`, tally.id)}:${window}`;
    const counted = store.count(key, by, { ttl: 2 * rule.window }).then(
      ({ value }) => {
        if (!waited.signal.aborted) settle();
        tally.reported = Math.max(tally.reported, value);
      },
      () => undefined,
    );
    const unanswered = clock.sleep(patience, waited.signal);
    tally.report = Promise.race([counted, unanswered]).then(() => {
      if (waited.signal.aborted) return;
      restsUntil = clock.monotonic() + rest;
      settle();
    });
  };

  const judge = (rule: CountRule, tally: Tally): Allowance | Promise<Allowance> => {
    const { limit, window } = rule;
    const block = Math.max(1, Math.floor(limit / 10));
    const own = tally.sent + tally.unreported;
    if (tally.reported + own >= limit) {
      const wait = (tally.window + 1) * window - clock.now();
      return { ok: false, retryAfter: Math.max(1, Math.ceil(wait / 1000)) };
    }
    if (own >= block && tally.report) return tally.report.then(() => take(rule, tally.id));
    tally.unreported += 1;
    if (2 * tally.unreported >= block && !tally.report) send(tally);
    return passed;
  };

  const take: SharedCounts["take"] = (rule, id) => judge(rule, tallyOf(rule, id));

  return {
    take,
    giveBack(rule, id) {
      const tally = tallies.get(keyOf(rule.label, id));
      if (tally?.window === Math.floor(clock.now() / rule.window)) tally.unreported -= 1;
    },
  };
}
