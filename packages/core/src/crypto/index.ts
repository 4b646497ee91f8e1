export { fromBase64Url, toBase64Url } from "./encoding.ts";
export { openText, sealText } from "./envelope.ts";
export { constantTimeEqual, hmac, labelledHash, s256, tokenDigest } from "./hash.ts";
export { randomId } from "./random-id.ts";
export type { RootKey, RootKeys } from "./root-keys.ts";
export { deriveRootKeys, hkdf, lookupHash } from "./root-keys.ts";
export { openHandle, sealHandle } from "./sealed-handle.ts";
