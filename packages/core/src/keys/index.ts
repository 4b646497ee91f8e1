export type { AccessTokenClaims } from "./access-token.ts";
export { parseAccessToken, signAccessToken, verifySignature } from "./access-token.ts";
export type { Keyring } from "./keyring.ts";
export { openKeyring } from "./keyring.ts";
