import { randomId } from "../crypto/index.ts";
import type { Grant } from "../records/index.ts";
import { grantIndex } from "./change-grant.ts";
import type { GrantDeps } from "./deps.ts";
import { grantTtl } from "./grant-lifetime.ts";
import type { LiveGrant } from "./redeem-code.ts";

/** Writes the grant of a machine that has just authenticated: live at once, without a refresh token (RFC 6749 §4.4.3). */
export async function issueMachineGrant(
  deps: GrantDeps,
  machine: {
    readonly clientId: string;
    readonly resource: string;
    readonly scopes: readonly string[];
    /** End of Cognito's own answer, ms: the grant does not outlive it. Undefined for a machine with keys of its own. */
    readonly until: number | undefined;
  },
): Promise<LiveGrant> {
  const { clientId, until } = machine;
  const now = deps.clock.now();
  const grantId = randomId(deps.random);
  const grant: Grant = {
    state: "live",
    principal: "machine",
    createdAt: now,
    clientId,
    resource: machine.resource,
    scopes: [...machine.scopes],
    absoluteUntil: Math.min(until ?? Number.POSITIVE_INFINITY, now + deps.accessTtlOf(machine.resource)),
    upstream: until === undefined ? { kind: "registered_key", clientId } : { kind: "cognito_client", clientId, until },
  };
  const ttl = grantTtl(grant, now, deps);
  await deps.grants.put(grantId, grant, { ttl, ifAbsent: true, index: grantIndex(deps, grant) });
  return { grantId, grant };
}
