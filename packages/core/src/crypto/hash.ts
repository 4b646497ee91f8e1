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

const blockLength = 64;
const digestLength = 32;

/**
 * HMAC-SHA-256 (RFC 2104) of many texts or bytes under one key, as base64url. Several times as fast as a key object for
 * each: the key's two blocks are made once.
 * @param key at most 64 bytes
 */
export function hmacDigester(key: Uint8Array): (value: string | Uint8Array) => string {
  const outer = Buffer.alloc(blockLength + digestLength, 0x5c);
  let inner = Buffer.alloc(4096, 0x36);
  for (const [index, byte] of key.entries()) {
    inner[index] = 0x36 ^ byte;
    outer[index] = 0x5c ^ byte;
  }
  return (value) => {
    const length = blockLength + (typeof value === "string" ? Buffer.byteLength(value) : value.length);
    if (length > inner.length) inner = Buffer.concat([inner.subarray(0, blockLength)], 2 * length);
    if (typeof value === "string") inner.write(value, blockLength);
    else inner.set(value, blockLength);
    outer.set(hash("sha256", inner.subarray(0, length), "buffer"), blockLength);
    return hash("sha256", outer, "base64url");
  };
}

/** Compares in a time that does not depend on where the two differ. */
export function constantTimeEqual(a: string | Uint8Array, b: string | Uint8Array): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
