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

/** The key-encryption key of a record is not among the configured ones. The message says which and where it belongs. */
export class MissingKey extends Error {
  override readonly name = "MissingKey";
}
