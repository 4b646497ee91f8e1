import { hash } from "node:crypto";
import { constantTimeEqual } from "../crypto/index.ts";

/**
 * A configured secret as the configuration holds it: `sha256:` and the SHA-256 of the secret, base64url. Unsalted, so the
 * secret must be a random one of at least 256 bits; `sallyport secret` makes such.
 */
export const secretHash = (secret: string): string => `sha256:${hash("sha256", secret, "base64url")}`;

/** Whether a presented secret has one of the hashes; every one is compared, in constant time. */
export const matchesHash =
  (hashes: readonly string[]) =>
  (presented: string): boolean =>
    hashes.reduce((match, known) => constantTimeEqual(known, secretHash(presented)) || match, false);
