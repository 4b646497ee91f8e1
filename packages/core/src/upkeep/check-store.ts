import { rootKidOf } from "../crypto/index.ts";
import { eachKey, recordReader, type WalkDeps } from "./walk-records.ts";

/** Something in the store that must not be. */
export interface StoreFault {
  readonly kind: string;
  /** Key of the record in the store: a hash, so it says nothing by itself. */
  readonly key: string;
  readonly fault: string;
}

/** What in the store needs a root secret. */
export interface SecretUse {
  /** How many records are sealed by it, or have names and hints that are hashed under it. */
  readonly records: number;
  /** How many refresh tokens in use it has tagged. */
  readonly refreshTokens: number;
  /** When the last of these ends unless it is used before, milliseconds since the Unix epoch; 0 without any. */
  readonly lastEnd: number;
}

/** What a walk through the store found. */
export interface StoreReport {
  /** How many records there are, by kind. */
  readonly records: Readonly<Record<string, number>>;
  /** How many records each key-encryption key seals, by its id: of a root secret, or `kms:…`. */
  readonly sealedUnder: Readonly<Record<string, number>>;
  /** What needs which root secret, by its id. */
  readonly secrets: Readonly<Record<string, SecretUse>>;
  /** How many records could not be opened. Each is among the faults. */
  readonly unreadable: number;
  readonly faults: readonly StoreFault[];
}

const unused: SecretUse = { records: 0, refreshTokens: 0, lastEnd: 0 };

/**
 * Reads every record and says what does not hold: records that cannot be read, and grants, switches, keys and sign-ins
 * that are in no state that they can come into. Changes nothing; may run while the store is in use.
 */
export async function checkStore(deps: WalkDeps): Promise<StoreReport> {
  const records: Record<string, number> = {};
  const sealedUnder: Record<string, number> = {};
  const secrets: Record<string, SecretUse> = {};
  const faults: StoreFault[] = [];
  const seen = new Set<string>();
  let unreadable = 0;
  for await (const record of eachKey(deps, recordReader(deps))) {
    if (!record || seen.has(record.key)) continue;
    const { kind, key, opened } = record;
    seen.add(key);
    records[kind] = (records[kind] ?? 0) + 1;
    if (typeof opened === "string") {
      unreadable += 1;
      faults.push({ kind, key, fault: opened });
      continue;
    }
    for (const fault of opened.faults) faults.push({ kind, key, fault });
    const kid = opened.sealedUnder;
    sealedUnder[kid] = (sealedUnder[kid] ?? 0) + 1;
    const root = rootKidOf(kid);
    const use = secrets[root] ?? unused;
    secrets[root] = { ...use, records: use.records + 1 };
    if (!opened.refreshToken) continue;
    const { kid: tag, until } = opened.refreshToken;
    const tagged = secrets[tag] ?? unused;
    const lastEnd = Math.max(tagged.lastEnd, until);
    secrets[tag] = { ...tagged, refreshTokens: tagged.refreshTokens + 1, lastEnd };
  }
  return { records, sealedUnder, secrets, unreadable, faults };
}
