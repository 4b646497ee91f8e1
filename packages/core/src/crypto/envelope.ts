import { createCipheriv, createDecipheriv, createSecretKey } from "node:crypto";
import type { Random } from "../runtime/index.ts";
import { fromBase64Url, toBase64Url } from "./encoding.ts";

const ivLength = 12;
const tagLength = 16;

/**
 * AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce.
 * @param context associated data: what the text is and where it belongs; it opens nowhere else
 * @returns nonce, ciphertext and tag in one base64url text
 */
export function sealText(key: Uint8Array, context: string, text: string | Uint8Array, random: Random): string {
  const iv = random.bytes(ivLength);
  // A key object: Node takes several times as long to find out what kind of key bare bytes are.
  const cipher = createCipheriv("aes-256-gcm", createSecretKey(key), iv).setAAD(Buffer.from(context, "utf8"));
  const body = typeof text === "string" ? Buffer.from(text, "utf8") : text;
  return toBase64Url(Buffer.concat([iv, cipher.update(body), cipher.final(), cipher.getAuthTag()]));
}

/** Opens what {@link sealText} made, or answers undefined: another key, another context, a changed or cut text. */
export function openText(key: Uint8Array, context: string, sealed: string): Buffer | undefined {
  const bytes = fromBase64Url(sealed);
  if (!bytes || bytes.length < ivLength + tagLength) return undefined;
  const iv = bytes.subarray(0, ivLength);
  const tag = bytes.subarray(bytes.length - tagLength);
  try {
    const decipher = createDecipheriv("aes-256-gcm", createSecretKey(key), iv, { authTagLength: tagLength });
    decipher.setAAD(Buffer.from(context, "utf8")).setAuthTag(tag);
    return Buffer.concat([decipher.update(bytes.subarray(ivLength, bytes.length - tagLength)), decipher.final()]);
  } catch {
    return undefined;
  }
}
