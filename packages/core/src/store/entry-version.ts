import type { Random } from "../runtime/index.ts";

/**
 * A new version for an entry: 12 random bytes, base64url. Not a number that counts up: a key that was deleted and
 * written again would start over, and a `swap` begun before the deletion would then match.
 */
export const newVersion = (random: Random): string => Buffer.from(random.bytes(12)).toString("base64url");
