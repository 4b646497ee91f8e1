import type { ScopeCatalog } from "../state/scope-catalog.ts";

/**
 * The `scope` claim: separated by spaces, sorted (its order is not that of the request), without the scopes whose
 * resource server no longer has them.
 */
export function scopeClaim(catalog: ScopeCatalog, scopes: readonly string[]): string {
  return scopes
    .filter((scope) => catalog.exists(scope))
    .toSorted()
    .join(" ");
}
