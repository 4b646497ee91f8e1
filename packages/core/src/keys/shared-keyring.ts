import type { RootKeys } from "../crypto/index.ts";
import { type KeyringRecord, keyringKind, recordStore, type Stored } from "../records/index.ts";
import type { Random } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";

/** What the keys of a keyring sign; each keyring has one use, and no key is in two of them. */
export type KeyUse = "access_token" | "identity_assertion";

const keyringIds: Readonly<Record<KeyUse, string>> = { access_token: "main", identity_assertion: "identity" };
const tenYears = 10 * 365 * 86_400_000;

/** The one record of signing keys for a use that all replicas share. */
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
  readonly use: KeyUse;
}): SharedKeyring {
  const records = recordStore(keyringKind, deps);
  const keyringId = keyringIds[deps.use];
  return {
    read: () => records.get(keyringId),
    make: (record) => records.put(keyringId, record, { ttl: tenYears, ifAbsent: true }),
    change: (version, record) => records.swap(keyringId, version, record, { ttl: tenYears }),
  };
}
