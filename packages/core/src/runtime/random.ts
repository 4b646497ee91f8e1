import { randomBytes } from "node:crypto";

/** Randomness, passed in. */
export interface Random {
  /** `length` cryptographically strong random bytes. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1), for jitter only: never for anything that must not be guessed. */
  fraction(): number;
}

/** The operating system's generator. */
export const systemRandom: Random = { bytes: (length) => randomBytes(length), fraction: () => Math.random() };
