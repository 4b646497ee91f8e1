export type { BearerVerifier } from "./bearer-verifier.ts";
export { createVerifier } from "./create-verifier.ts";
export { readOwnToken, timeFault } from "./own-token.ts";
export type { Principal } from "./principal.ts";
export { principalOf } from "./principal-of.ts";
export { BearerRefusal } from "./refusal.ts";
export { requireScopes } from "./require-scopes.ts";
export type { ProtectedResource, ResourceCatalog } from "./resource-catalog.ts";
export { resourceCatalog } from "./resource-catalog.ts";
