import { OAuthError } from "../errors/index.ts";
import type { ScopeCatalog } from "./scope-catalog.ts";

/**
 * What a client asks for at a resource (RFC 6749 §3.3): its `scope` parameter without the identity scopes, or where it
 * names nothing else, the client's own default, else the resource's. Names may be short or full; what comes out is as
 * configured.
 * @param clientDefaults counts as far as it can be had at the resource
 * @throws OAuthError invalid_scope for a scope that does not exist there
 */
export function requestedScopes(
  parameter: string | undefined,
  resourcePath: string,
  catalog: ScopeCatalog,
  clientDefaults?: readonly string[] | undefined,
): readonly string[] {
  const here = new Set(catalog.ofResource(resourcePath));
  const isHere = (scope: string | undefined): scope is string => scope !== undefined && here.has(scope);
  const named = (parameter ?? "").split(" ").filter((scope) => scope !== "" && !catalog.isIdentityScope(scope));
  if (named.length === 0) {
    const own = [...new Set((clientDefaults ?? []).map(catalog.resolve).filter(isHere))];
    return own.length > 0 ? own : catalog.defaultsOf(resourcePath);
  }
  const scopes = named.map(catalog.resolve);
  if (!scopes.every(isHere)) {
    throw new OAuthError(
      "invalid_scope",
      "scope_unknown",
      `unknown scope for this resource; it has: ${[...here].join(" ")}`,
    );
  }
  return [...new Set(scopes)];
}
