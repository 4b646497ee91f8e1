import { z } from "zod";
import { labelledHash, MissingKey, openText, type RootKeys, sealText } from "../crypto/index.ts";
import type { Random } from "../runtime/index.ts";

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

/** A stored record cannot be read: a root secret is missing, or the store was changed by hand. Never taken for "absent". */
export class UnreadableRecord extends Error {
  override readonly name = "UnreadableRecord";
}

/** The stored form of one kind of record. Both directions are bound to the record's key in the store. */
export interface RecordCodec<T extends object> {
  /** The key of a record in the store: its id is hashed, so that who reads the store learns no handle. */
  keyOf(id: string): string;
  /** Rejects with StoreUnavailable where a key-encryption key elsewhere cannot be asked. */
  encode(key: string, value: T): Promise<string>;
  /** Rejects with UnreadableRecord. */
  decode(key: string, text: string): Promise<{ readonly value: T; readonly sealedUnder: string }>;
}

const envelope = z.strictObject({
  v: z.int(),
  /** Id of the key-encryption key that wraps the data key. */
  k: z.string(),
  /** The data key, wrapped. */
  d: z.string(),
  /** Plain fields. */
  f: z.record(z.string(), z.unknown()),
  /** Sealed fields. */
  s: z.record(z.string(), z.string()),
});

/** Binds a kind of record to the root keys. */
export function recordCodec<T extends object>(
  kind: RecordKind<T>,
  deps: { readonly keys: RootKeys; readonly random: Random },
): RecordCodec<T> {
  const { keys, random } = deps;

  const encode = async (key: string, value: T): Promise<string> => {
    const dataKey = await keys.dataKeys.seal(`${kind.kind}|${key}`, random);
    const plain: Record<string, unknown> = Object.fromEntries(Object.entries(value));
    const sealed: Record<string, string> = {};
    for (const field of kind.sealed) {
      if (plain[field] === undefined) continue;
      sealed[field] = sealText(dataKey.key, `${kind.kind}|${key}|${field}`, JSON.stringify(plain[field]), random);
      delete plain[field];
    }
    return JSON.stringify({
      v: kind.version,
      k: dataKey.kid,
      d: dataKey.wrapped,
      f: plain,
      s: sealed,
    } satisfies z.infer<typeof envelope>);
  };

  const decode = async (key: string, text: string): Promise<{ readonly value: T; readonly sealedUnder: string }> => {
    const unreadable = (why: string) => new UnreadableRecord(`a stored ${kind.kind} cannot be read: ${why}`);
    const parsed = envelope.safeParse(parseJson(text));
    if (!parsed.success) throw unreadable("it is not in the form of a record");
    const { v, k, d, f, s } = parsed.data;
    if (v !== kind.version) throw unreadable(`its version is ${v}, this release reads ${kind.version}`);
    let dataKey: Uint8Array | undefined;
    try {
      dataKey = await keys.dataKeys.open(`${kind.kind}|${key}`, k, d);
    } catch (error) {
      if (error instanceof MissingKey) throw unreadable(error.message);
      throw error;
    }
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
    return { value: value.data, sealedUnder: k };
  };

  return { keyOf: (id) => `${kind.kind}:${labelledHash(kind.kind, id)}`, encode, decode };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
