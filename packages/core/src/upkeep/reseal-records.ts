import { UnreadableRecord } from "../records/index.ts";
import type { Store } from "../store/store.ts";
import type { OpenedRecord, OtherPlace } from "./kept-kinds.ts";
import { eachKey, recordReader, type WalkDeps } from "./walk-records.ts";

/** What it takes to seal a store anew. */
export interface ResealDeps extends WalkDeps {
  readonly store: Store;
}

/** What came of it. */
export interface ResealReport {
  /** Records that were sealed anew. */
  readonly resealed: number;
  /** Records that are under the active keys already. */
  readonly current: number;
  /** Records that cannot be read: they stay as they are. */
  readonly unreadable: number;
}

type Outcome = keyof ResealReport | "gone";

/** Long enough for every store, and over before anybody looks. */
const shortestLife = 1;

/**
 * Seals every record under the active key-encryption key that is still under another, so that the other can be taken out
 * of the settings. Names and hints that are hashed under a root secret move to the active one. Every change is a
 * compare-and-set: what others write meanwhile is never lost, and who is interrupted begins again.
 */
export async function resealRecords(deps: ResealDeps): Promise<ResealReport> {
  const report = { resealed: 0, current: 0, unreadable: 0, gone: 0 };
  for await (const outcome of eachKey(deps, resealer(deps))) report[outcome] += 1;
  const { resealed, current, unreadable } = report;
  return { resealed, current, unreadable };
}

function resealer(deps: ResealDeps): (key: string) => Promise<Outcome> {
  const { store, clock } = deps;
  const { activeKid } = deps.keys.dataKeys;
  const read = recordReader(deps);

  /** Whether something was written. */
  const bring = async (opened: OpenedRecord, place: OtherPlace, expiresAt: number): Promise<boolean> => {
    for (;;) {
      const ttl = Math.max(shortestLife, expiresAt - clock.now());
      const held = await store.get(place.key);
      if (held && !(await place.outranks(held.value))) return false;
      const text = await opened.sealedFor(place.key);
      if (!held && (await store.put(place.key, text, { ttl, ifAbsent: true }))) return true;
      if (held && (await store.swap(place.key, held.version, text, { ttl }))) return true;
    }
  };

  const reseal = async (key: string): Promise<Outcome> => {
    for (;;) {
      const record = await read(key);
      if (!record) return "gone";
      const { entry, opened } = record;
      if (typeof opened === "string") return "unreadable";
      const ttl = Math.max(shortestLife, entry.expiresAt - clock.now());
      const place = opened.otherPlace;
      // The new place first: at no moment is there none.
      const brought = place !== undefined && (await bring(opened, place, entry.expiresAt));
      if (place && !place.stays) {
        // Taken away only as it was brought there: what somebody has changed meanwhile is brought anew.
        if (await store.swap(key, entry.version, entry.value, { ttl: shortestLife })) return "resealed";
        if (brought) await store.delete(place.key);
        continue;
      }
      if (opened.sealedUnder === activeKid) return brought ? "resealed" : "current";
      const text = await opened.sealedFor(key);
      if (await store.swap(key, entry.version, text, { ttl, index: opened.index })) return "resealed";
    }
  };

  return (key) =>
    reseal(key).catch((error: unknown): Outcome => {
      if (error instanceof UnreadableRecord) return "unreadable";
      throw error;
    });
}
