/**
 * Puts an MCP server behind Amazon Cognito: an authorization server that MCP clients accept, and the checks at the door.
 * @packageDocumentation
 */
export type { AuditAction, AuditEvent, AuditSink } from "./audit/index.ts";
export { memoryAudit, noAudit } from "./audit/index.ts";
export { secretHash } from "./clients/index.ts";
export * from "./config/index.ts";
export type { RootKeys } from "./crypto/index.ts";
export { deriveRootKeys, openText, sealText } from "./crypto/index.ts";
export type { Reason } from "./errors/index.ts";
export { OAuthError } from "./errors/index.ts";
export type { EpochScope } from "./grants/index.ts";
export * from "./identity/index.ts";
export type { KeyManagement, KeyringStatus, KeyStatus, Rotation, RotationMode } from "./keys/index.ts";
export { keyManagement, keyringInterval, rotationPolicy } from "./keys/index.ts";
export type { Network, ResolvedAddress } from "./net/index.ts";
export { openKeys } from "./records/index.ts";
export type { Clock, Fetch, LogFields, Logger, LogLevel, Random } from "./runtime/index.ts";
export { createLogger, silentLogger, systemClock, systemRandom } from "./runtime/index.ts";
export type { ScopeCatalog } from "./scopes/index.ts";
export { scopeCatalog } from "./scopes/index.ts";
export type { FetchHandler } from "./server/fetch-handler.ts";
export type { Sallyport, SallyportRuntime } from "./server/sallyport.ts";
export { createSallyport, sallyport } from "./server/sallyport.ts";
export * from "./store/index.ts";
export * from "./upkeep/index.ts";
export type { BearerVerifier, Principal } from "./verify/index.ts";
export { BearerRefusal, requireScopes } from "./verify/index.ts";
