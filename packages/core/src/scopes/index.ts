export { grantedScopes } from "./granted-scopes.ts";
export { requestedScopes } from "./requested-scopes.ts";
export type { Entitling, ScopeCatalog } from "./scope-catalog.ts";
export { scopeCatalog } from "./scope-catalog.ts";
