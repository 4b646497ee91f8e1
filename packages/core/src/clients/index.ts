export { createAssertionKeys } from "./assertion-keys.ts";
export {
  authenticateClient,
  authenticationFailed,
  checkAuthentication,
  countFailure,
} from "./authenticate-client.ts";
export type { AssertionKeys, Client, VerifiedClient } from "./client.ts";
export { isPublicClient } from "./client.ts";
export type { AssertionVerifier } from "./client-assertion.ts";
export { createAssertionVerifier } from "./client-assertion.ts";
export type { ClientCredentials } from "./client-credentials-of-request.ts";
export { clientCredentialsOf } from "./client-credentials-of-request.ts";
export type { ClientDirectory } from "./client-directory.ts";
export { createClientDirectory } from "./client-directory.ts";
export { createInitialAccessCheck } from "./initial-access-token.ts";
export { createMetadataDocuments } from "./metadata-document/index.ts";
export { parseRedirectUri } from "./redirect-uri.ts";
export type { RegistrationPolicy } from "./registration-request.ts";
export { parseRegistrationRequest } from "./registration-request.ts";
export { matchesHash, secretHash } from "./secret-hash.ts";
export type { ValidatedRedirect } from "./validated-redirect.ts";
export { appendToRedirect, isLoopbackRedirect, matchRedirectUri, redirectHost } from "./validated-redirect.ts";
