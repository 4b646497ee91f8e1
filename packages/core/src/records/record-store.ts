import type { RootKeys } from "../crypto/index.ts";
import type { Random } from "../runtime/index.ts";
import type { PutOptions, Store } from "../store/store.ts";
import { type RecordKind, recordCodec } from "./record-codec.ts";

/** A record with the version for {@link RecordStore.swap}. */
export interface Stored<T> {
  readonly value: T;
  readonly version: string;
  readonly expiresAt: number;
  /** Id of the key-encryption key it is sealed under: not the active one for what was written before a change of secrets. */
  readonly sealedUnder: string;
}

/** Typed access to one kind of record. Ids are hashed before they become keys: who reads the store learns no handle. */
export interface RecordStore<T extends object> {
  get(id: string): Promise<Stored<T> | undefined>;
  put(id: string, value: T, options: PutOptions & { readonly ifAbsent?: boolean }): Promise<boolean>;
  take(id: string): Promise<T | undefined>;
  swap(id: string, version: string, value: T, options: PutOptions): Promise<boolean>;
  delete(id: string): Promise<void>;
}

/** Binds a kind of record to a store and to the root keys. */
export function recordStore<T extends object>(
  kind: RecordKind<T>,
  deps: { readonly store: Store; readonly keys: RootKeys; readonly random: Random },
): RecordStore<T> {
  const { store } = deps;
  const { keyOf, encode, decode } = recordCodec(kind, deps);
  return {
    async get(id) {
      const key = keyOf(id);
      const entry = await store.get(key);
      return entry && { ...(await decode(key, entry.value)), version: entry.version, expiresAt: entry.expiresAt };
    },
    put: async (id, value, options) => store.put(keyOf(id), await encode(keyOf(id), value), options),
    async take(id) {
      const key = keyOf(id);
      const entry = await store.take(key);
      return entry && (await decode(key, entry.value)).value;
    },
    swap: async (id, version, value, options) =>
      store.swap(keyOf(id), version, await encode(keyOf(id), value), options),
    delete: (id) => store.delete(keyOf(id)),
  };
}
