export type { AccessTokenClaims } from "./access-token.ts";
export { parseAccessToken, signAccessToken, streamOverrun, verifySignature } from "./access-token.ts";
export type { AssertedIdentity, IdentityAssertions } from "./identity-assertion.ts";
export { assertionLife, identityAssertions } from "./identity-assertion.ts";
export type { KeyManagement, KeyringStatus, KeyStatus, Rotation, RotationMode } from "./key-management.ts";
export { keyManagement } from "./key-management.ts";
export type { Keyring } from "./keyring.ts";
export { openKeyring } from "./keyring.ts";
export { keyringInterval, keySetAge, rotationPolicy } from "./rotation-policy.ts";
