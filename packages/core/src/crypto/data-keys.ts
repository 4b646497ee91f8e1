import type { Random } from "../runtime/index.ts";

/** A key that seals the fields of records, and how it is written beside them. */
export interface DataKey {
  readonly key: Uint8Array;
  /** Names the key-encryption key that wrapped it. */
  readonly kid: string;
  readonly wrapped: string;
}

/** Gives the keys of records: each is kept with its records, wrapped by a key-encryption key that is not. */
export interface DataKeys {
  /** Names what wraps the keys of new records. */
  readonly activeKid: string;
  /** A key for a record that is written now. @param place what the record is; where it can be, the wrapping is bound to it */
  seal(place: string, random: Random): DataKey | Promise<DataKey>;
  /**
   * The key of a stored record; undefined where the wrapping does not open.
   * @throws MissingKey where the key-encryption key is not there
   */
  open(place: string, kid: string, wrapped: string): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

/**
 * Names AWS KMS as what wraps data keys, together with the root secret that was active: names of records and hints are
 * hashed under that one all the same.
 * @param key tells one key in KMS from another
 */
export const kmsKid = (key: string, root: string): string => `kms:${key}.${root}`;

/** Whether a key-encryption key is in AWS KMS. */
export const isKmsKid = (kid: string): boolean => kid.startsWith("kms:");

/** The root secret (by its id) that was active when something was sealed under this key-encryption key. */
export const rootKidOf = (kid: string): string => (isKmsKid(kid) ? kid.slice(kid.indexOf(".") + 1) : kid);

/** The key-encryption key of a record is not among the configured ones. The message says which and where it belongs. */
export class MissingKey extends Error {
  override readonly name = "MissingKey";
}
