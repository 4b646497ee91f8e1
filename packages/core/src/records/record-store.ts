import { z } from "zod";
import { labelledHash, openText, type RootKeys, sealText } from "../crypto/index.ts";
import type { Random } from "../runtime/index.ts";
import type { IndexHints, Store } from "../store/store.ts";

/** What a kind of record is: its schema, and which of its fields nobody may read in the store. */
export interface RecordKind<T extends object> {
  /** Part of the lookup key and of every seal. Never changes once released. */
  readonly kind: string;
  /** Version of the stored form. */
  readonly version: number;
  readonly schema: z.ZodType<T>;
  /** Top-level fields that are sealed before they reach an adapter. */
  readonly sealed: readonly (keyof T & string)[];
}

/** A record with the version for {@link RecordStore.swap}. */
export interface Stored<T> {
  readonly value: T;
  readonly version: string;
  readonly expiresAt: number;
}

/** A stored record cannot be read: a root secret is missing, or the store was changed by hand. Never taken for "absent". */
export class UnreadableRecord extends Error {
  override readonly name = "UnreadableRecord";
}

/** Typed access to one kind of record. Ids are hashed before they become keys: who reads the store learns no handle. */
export interface RecordStore<T extends object> {
  get(id: string): Promise<Stored<T> | undefined>;
  put(id: string, value: T, options: { ttl: number; ifAbsent?: boolean; index?: IndexHints }): Promise<boolean>;
  take(id: string): Promise<T | undefined>;
  swap(id: string, version: string, value: T, options: { ttl: number; index?: IndexHints }): Promise<boolean>;
  delete(id: string): Promise<void>;
}

const envelope = z.strictObject({
  v: z.int(),
  /** Id of the root key that wraps the data key. */
  k: z.string(),
  /** The record's own data key, wrapped. */
  d: z.string(),
  /** Plain fields. */
  f: z.record(z.string(), z.unknown()),
  /** Sealed fields. */
  s: z.record(z.string(), z.string()),
});

/** Binds a kind of record to a store and to the root keys. */
export function recordStore<T extends object>(
  kind: RecordKind<T>,
  deps: { readonly store: Store; readonly keys: RootKeys; readonly random: Random },
): RecordStore<T> {
  const { store, keys, random } = deps;
  const keyOf = (id: string): string => `${kind.kind}:${labelledHash(kind.kind, id)}`;

  const encode = (key: string, value: T): string => {
    const dataKey = random.bytes(32);
    const plain: Record<string, unknown> = Object.fromEntries(Object.entries(value));
    const sealed: Record<string, string> = {};
    for (const field of kind.sealed) {
      if (plain[field] === undefined) continue;
      sealed[field] = sealText(dataKey, `${kind.kind}|${key}|${field}`, JSON.stringify(plain[field]), random);
      delete plain[field];
    }
    return JSON.stringify({
      v: kind.version,
      k: keys.active.kid,
      d: sealText(keys.active.wrap, `${kind.kind}|${key}`, dataKey, random),
      f: plain,
      s: sealed,
    } satisfies z.infer<typeof envelope>);
  };

  const decode = (key: string, text: string): T => {
    const unreadable = (why: string) => new UnreadableRecord(`a stored ${kind.kind} cannot be read: ${why}`);
    const parsed = envelope.safeParse(parseJson(text));
    if (!parsed.success) throw unreadable("it is not in the form of a record");
    const { v, k, d, f, s } = parsed.data;
    if (v !== kind.version) throw unreadable(`its version is ${v}, this release reads ${kind.version}`);
    const root = keys.find(k);
    if (!root) throw unreadable(`it was sealed under root secret ${k}, which is not in the setting "secret"`);
    const dataKey = openText(root.wrap, `${kind.kind}|${key}`, d);
    if (!dataKey) throw unreadable("its data key does not open");
    const bare = kind.sealed.find((field) => Object.hasOwn(f, field));
    if (bare !== undefined) throw unreadable(`its field ${bare} is not sealed`);
    const fields: Record<string, unknown> = { ...f };
    for (const [field, sealed] of Object.entries(s)) {
      const opened = openText(dataKey, `${kind.kind}|${key}|${field}`, sealed);
      if (!opened) throw unreadable(`its field ${field} does not open`);
      fields[field] = JSON.parse(opened.toString("utf8"));
    }
    const value = kind.schema.safeParse(fields);
    if (!value.success)
      throw unreadable(`its fields are wrong: ${value.error.issues.map((i) => i.path.join(".")).join(", ")}`);
    return value.data;
  };

  return {
    async get(id) {
      const key = keyOf(id);
      const entry = await store.get(key);
      return entry && { value: decode(key, entry.value), version: entry.version, expiresAt: entry.expiresAt };
    },
    put: (id, value, options) => store.put(keyOf(id), encode(keyOf(id), value), options),
    async take(id) {
      const key = keyOf(id);
      const entry = await store.take(key);
      return entry && decode(key, entry.value);
    },
    swap: (id, version, value, options) => store.swap(keyOf(id), version, encode(keyOf(id), value), options),
    delete: (id) => store.delete(keyOf(id)),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
