import { OAuthError } from "../errors/index.ts";
import type { ScopeCatalog } from "./scope-catalog.ts";

/**
 * What a client asks for at a resource (RFC 6749 §3.3): its `scope` parameter without the identity scopes, or the
 * resource's default where it names nothing else.
 * @throws OAuthError invalid_scope for a scope that does not exist there
 */
export function requestedScopes(
  parameter: string | undefined,
  resourcePath: string,
  catalog: ScopeCatalog,
): readonly string[] {
  const named = (parameter ?? "").split(" ").filter((scope) => scope !== "" && !catalog.isIdentityScope(scope));
  if (named.length === 0) return catalog.defaultsOf(resourcePath);
  const here = new Set(catalog.ofResource(resourcePath));
  if (named.some((scope) => !here.has(scope))) {
    throw new OAuthError(
      "invalid_scope",
      "scope_unknown",
      `unknown scope for this resource; it has: ${[...here].join(" ")}`,
    );
  }
  return [...new Set(named)];
}
