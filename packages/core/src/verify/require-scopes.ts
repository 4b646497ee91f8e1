import type { BearerVerifier } from "./bearer-verifier.ts";
import type { Principal } from "./principal.ts";
import { BearerRefusal } from "./refusal.ts";

/**
 * Whether a principal has every scope that something needs (included scopes count: they are spelled out in
 * `principal.scopes`). A challenge names all that the new token needs at once, and is given only where the principal is
 * entitled to every missing scope; otherwise a client would loop through the browser for nothing.
 * @returns undefined if nothing is missing
 */
export function requireScopes(
  principal: Principal<object>,
  required: readonly string[],
  verifier: Pick<BearerVerifier, "challenge">,
): BearerRefusal | undefined {
  const missing = required.filter((scope) => !principal.scopes.includes(scope));
  if (missing.length === 0) return undefined;
  const canBeHad = principal.doors.grant && missing.every((scope) => principal.entitled.includes(scope));
  if (!canBeHad || principal.kind === "machine") return BearerRefusal.notPermitted();
  const scope = [...new Set([...principal.scopes, ...missing])].join(" ");
  const { resourceMetadata } = verifier.challenge(principal.resource);
  return BearerRefusal.insufficientScope({ scope, resourceMetadata });
}
