import type { ScopeCatalog } from "./scope-catalog.ts";

/**
 * What a client gets: requested ∩ allowed for the client ∩ entitled (by groups, or by a machine's settings) ∩ what the
 * resource has. Included scopes are spelled out. Entitlement bounds, it never adds.
 */
export function grantedScopes(
  request: {
    readonly requested: readonly string[];
    /** The most the client may have; undefined: no bound of its own. */
    readonly allowedForClient?: readonly string[] | undefined;
    readonly entitled: readonly string[];
    readonly resourcePath: string;
  },
  catalog: ScopeCatalog,
): readonly string[] {
  const bounds = [request.entitled, catalog.ofResource(request.resourcePath)];
  if (request.allowedForClient) bounds.push(catalog.expand(request.allowedForClient));
  const sets = bounds.map((bound) => new Set(bound));
  return catalog.expand(request.requested).filter((scope) => sets.every((set) => set.has(scope)));
}
