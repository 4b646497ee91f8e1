import { systemScopes } from "../config/client-config.ts";
import type { PoolSettings } from "../config/pool-config.ts";

/** Which scopes exist. A client may still hold a scope that no longer does: such a scope is inactive. */
export interface ScopeCatalog {
  exists(scope: string): boolean;
  /** Takes a custom scope out of its resource server. False: there was none. */
  remove(scope: string): boolean;
  isResourceServer(identifier: string): boolean;
}

export function createScopeCatalog(settings: PoolSettings): ScopeCatalog {
  const custom = new Set(
    settings.resourceServers.flatMap(({ identifier, scopes }) => scopes.map(({ name }) => `${identifier}/${name}`)),
  );
  const identifiers = new Set(settings.resourceServers.map(({ identifier }) => identifier));
  return {
    exists: (scope) => systemScopes.includes(scope) || custom.has(scope),
    remove: (scope) => custom.delete(scope),
    isResourceServer: (identifier) => identifiers.has(identifier),
  };
}
