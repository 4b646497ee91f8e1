import type { Random } from "../runtime/index.ts";
import { toBase64Url } from "./encoding.ts";

/** A fresh identifier of `bytes` random bytes (default 32, that is 256 bits and 43 characters), base64url. */
export const randomId = (random: Random, bytes = 32): string => toBase64Url(random.bytes(bytes));
