import { createHmac, createSecretKey, hash, timingSafeEqual } from "node:crypto";

/**
 * SHA-256 with a domain label, as base64url. For lookup keys and stored hashes of values that hold at least 256 random
 * bits: unkeyed, so that no change of a root secret orphans a record.
 */
export const labelledHash = (label: string, value: string): string =>
  hash("sha256", `sallyport:${label}\0${value}`, "base64url");

/** SHA-256 of a token, as base64url: a cache key that is no secret itself. */
export const tokenDigest = (token: string): string => hash("sha256", token, "base64url");

/** The S256 code challenge of a verifier (RFC 7636 §4.2). */
export const s256 = (codeVerifier: string): string => hash("sha256", codeVerifier, "base64url");

/** HMAC-SHA-256, as bytes. */
export const hmac = (key: Uint8Array, value: string): Uint8Array =>
  // Node takes several times as long to find out what kind of key bare bytes are.
  createHmac("sha256", createSecretKey(key)).update(value).digest();

/** Compares in a time that does not depend on where the two differ. */
export function constantTimeEqual(a: string | Uint8Array, b: string | Uint8Array): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
