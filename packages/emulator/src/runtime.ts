import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** Time, passed in. */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. */
  now(): number;
}

/** Randomness, passed in. Signing keys are always made with the operating system's generator. */
export interface Random {
  /** `length` cryptographically strong random bytes. */
  bytes(length: number): Uint8Array;
}

/** What may stand in a log line. Never a token, code, secret, cookie or password. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** A structured logger, passed in. */
export type Logger = Readonly<
  Record<"debug" | "info" | "warn" | "error", (message: string, fields?: LogFields) => void>
>;

/** The machine's own clock. */
export const systemClock: Clock = { now: () => Date.now() };

/** The operating system's generator. */
export const systemRandom: Random = { bytes: (length) => randomBytes(length) };

const nothing = (): void => {};

/** A logger that writes nothing. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** A version 4 UUID (RFC 9562 section 5.4). */
export function uuid(random: Random): string {
  const bytes = Buffer.from(random.bytes(16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** `length` random bytes in base64url. */
export function randomText(random: Random, length: number): string {
  return Buffer.from(random.bytes(length)).toString("base64url");
}

/** SHA-256 of a text, base64url. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

/** Compares two secrets in a time that does not depend on where they differ, nor on their lengths. */
export function secretEqual(left: string, right: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}
