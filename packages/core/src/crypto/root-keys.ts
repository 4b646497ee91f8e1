import { hkdfSync } from "node:crypto";
import { type DataKeys, isKmsKid, MissingKey } from "./data-keys.ts";
import { toBase64Url } from "./encoding.ts";
import { openText, sealText } from "./envelope.ts";
import { hmac } from "./hash.ts";

/** The keys that one root secret gives. Each has one use; none can be computed from another. */
export interface RootKey {
  /** Names the key in tokens and records. Says nothing about the secret. */
  readonly kid: string;
  /** Wraps the data keys of sealed records. */
  readonly wrap: Uint8Array;
  /** Seals what travels through a browser: forms and handles. */
  readonly seal: Uint8Array;
  /** Tags codes and refresh tokens. */
  readonly tag: Uint8Array;
  /** Derives the successor of a refresh token. */
  readonly successor: Uint8Array;
  /** Seals the session ids that the gateway gives out. */
  readonly session: Uint8Array;
  /** Hashes low-entropy values: user names, configured secrets. */
  readonly lookup: Uint8Array;
  /** Links the lines of an audit trail. */
  readonly audit: Uint8Array;
}

/** Every root key in use: the first of the configured secrets writes, all read. */
export interface RootKeys {
  readonly active: RootKey;
  readonly all: readonly RootKey[];
  find(kid: string): RootKey | undefined;
  /** Wraps the keys of records: by the active root secret, or elsewhere. */
  readonly dataKeys: DataKeys;
}

/** HKDF-SHA-256 (RFC 5869). */
export const hkdf = (secret: Uint8Array, salt: Uint8Array, info: string, length = 32): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", secret, salt, info, length));

const noSalt = new Uint8Array(0);

/**
 * Derives the keys of the configured root secrets.
 * @param secrets at least one; their strength is the configuration's matter
 * @throws RangeError if there is none
 */
export function deriveRootKeys(secrets: readonly string[]): RootKeys {
  const all = secrets.map((secret): RootKey => {
    const from = (use: string) => hkdf(Buffer.from(secret, "utf8"), noSalt, `sallyport ${use} v1`);
    return {
      kid: toBase64Url(from("kid").subarray(0, 6)),
      wrap: from("wrap"),
      seal: from("seal"),
      tag: from("tag"),
      successor: from("successor"),
      session: from("session"),
      lookup: from("lookup"),
      audit: from("audit"),
    };
  });
  const active = all[0];
  if (!active) throw new RangeError("a root secret is needed");
  const byKid = new Map(all.map((key) => [key.kid, key]));
  const find = (kid: string): RootKey | undefined => byKid.get(kid);
  return { active, all, find, dataKeys: rootDataKeys(active, find) };
}

/** Each record has a data key of its own, wrapped under its place. */
const rootDataKeys = (active: RootKey, find: RootKeys["find"]): DataKeys => ({
  activeKid: active.kid,
  seal(place, random) {
    const key = random.bytes(32);
    return { key, kid: active.kid, wrapped: sealText(active.wrap, place, key, random) };
  },
  open(place, kid, wrapped) {
    const root = find(kid);
    if (isKmsKid(kid)) throw new MissingKey(`it was sealed with AWS KMS (${kid}), and the setting "kms" is not there`);
    if (!root) throw new MissingKey(`it was sealed under root secret ${kid}, which is not in the setting "secret"`);
    return openText(root.wrap, place, wrapped);
  },
});

/** Keyed hash of a low-entropy value under the active key, with the key's id so that it can be found after a change of secrets. */
export const lookupHash = (key: RootKey, label: string, value: string): string =>
  `${key.kid}.${toBase64Url(hmac(key.lookup, `${label}\0${value}`))}`;
