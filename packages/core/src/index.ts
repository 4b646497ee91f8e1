/**
 * Puts an MCP server behind Amazon Cognito: an authorization server that MCP clients accept, and the checks at the door.
 * @packageDocumentation
 */
export * from "./audit/index.ts";
export { matchesHash, secretHash } from "./clients/index.ts";
export * from "./config/index.ts";
export type { RootKeys } from "./crypto/index.ts";
export { deriveRootKeys, openText, sealText } from "./crypto/index.ts";
export type { Reason } from "./errors/index.ts";
export { OAuthError } from "./errors/index.ts";
export type { EpochScope } from "./grants/index.ts";
export { clientAddress, limitKey, trustedNetworks } from "./http/index.ts";
export * from "./identity/index.ts";
export type {
  AssertedIdentity,
  IdentityAssertions,
  KeyManagement,
  KeyringStatus,
  KeyStatus,
  Rotation,
  RotationMode,
} from "./keys/index.ts";
export { assertionLife, keyManagement, keyringInterval, rotationPolicy } from "./keys/index.ts";
export type { Allowance, CountRule, SharedCounts } from "./limits/index.ts";
export { sharedCounts } from "./limits/index.ts";
export type { Network, ResolvedAddress } from "./net/index.ts";
export { openKeys } from "./records/index.ts";
export type {
  CallObserver,
  Clock,
  Fetch,
  LogFields,
  Logger,
  LogLevel,
  Random,
  RemoteEndpoint,
  RemoteOutcome,
  StoreOperation,
  StoreOutcome,
} from "./runtime/index.ts";
export { createLogger, silentLogger, systemClock, systemRandom } from "./runtime/index.ts";
export type { Entitling, ScopeCatalog } from "./scopes/index.ts";
export { scopeCatalog } from "./scopes/index.ts";
export type { FetchHandler } from "./server/fetch-handler.ts";
export { getPrincipal, requireGroup, requireScope, runWithPrincipal } from "./server/principal-context.ts";
export type { SallyportSettings } from "./server/said-left-out.ts";
export type { Sallyport, SallyportRuntime } from "./server/sallyport.ts";
export { createSallyport, sallyport } from "./server/sallyport.ts";
export * from "./store/index.ts";
export * from "./upkeep/index.ts";
export type { AnyClaims, BearerVerifier, Principal } from "./verify/index.ts";
export { BearerRefusal, requireScopes } from "./verify/index.ts";
