import type { RootKeys } from "../crypto/index.ts";
import { type KeyringRecord, keyringKind, recordStore, type Stored } from "../records/index.ts";
import type { Random } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";

const keyringId = "main";
const tenYears = 10 * 365 * 86_400_000;

/** The one record of signing keys that all replicas share. */
export interface SharedKeyring {
  read(): Promise<Stored<KeyringRecord> | undefined>;
  /** Writes the first one; of several who try at once, one does. */
  make(record: KeyringRecord): Promise<boolean>;
  /** Writes only over `version`: of several who change it at once, one does. Seals it under the active key-encryption key. */
  change(version: string, record: KeyringRecord): Promise<boolean>;
}

export function sharedKeyring(deps: {
  readonly store: Store;
  readonly keys: RootKeys;
  readonly random: Random;
}): SharedKeyring {
  const records = recordStore(keyringKind, deps);
  return {
    read: () => records.get(keyringId),
    make: (record) => records.put(keyringId, record, { ttl: tenYears, ifAbsent: true }),
    change: (version, record) => records.swap(keyringId, version, record, { ttl: tenYears }),
  };
}
