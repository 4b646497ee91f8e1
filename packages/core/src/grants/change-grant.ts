import { lookupHash } from "../crypto/index.ts";
import type { Grant } from "../records/index.ts";
import type { GrantDeps } from "./deps.ts";
import { grantTtl } from "./grant-lifetime.ts";

/**
 * The one way in which a stored grant changes: read, compute, compare-and-set, and again from the start where another
 * writer came between.
 * @param change gets the grant as it stands and answers the changed grant with a result, or a result alone: nothing is written
 * @returns the result, or undefined where there is no such grant
 */
export async function changeGrant<R>(
  deps: GrantDeps,
  grantId: string,
  change: (grant: Grant) => { readonly grant?: Grant; readonly result: R },
): Promise<R | undefined> {
  for (;;) {
    const stored = await deps.grants.get(grantId);
    if (!stored) return undefined;
    const { grant, result } = change(stored.value);
    if (!grant) return result;
    const ttl = grantTtl(grant, deps.clock.now(), deps);
    if (await deps.grants.swap(grantId, stored.version, grant, { ttl, index: grantIndex(deps, grant) })) return result;
  }
}

/** Hints by which people find the grants of a user or of a client. */
export function grantIndex(deps: Pick<GrantDeps, "keys">, grant: Grant): { user?: string; client: string } {
  const client = lookupHash(deps.keys.active, "grant-client", grant.clientId);
  if (grant.upstream?.kind !== "cognito_session") return { client };
  return { client, user: lookupHash(deps.keys.active, "grant-user", grant.upstream.identity.sub) };
}
