import type { Reason } from "../errors/index.ts";
import type { Grant } from "../records/index.ts";
import { changeGrant } from "./change-grant.ts";
import type { GrantDeps } from "./deps.ts";

/**
 * Ends a grant for good: every token of it stops to count within the check interval, and Cognito is asked to forget its
 * refresh token (best effort: the grant is ended whatever Cognito answers).
 * @param unless looks at the grant once more inside the compare-and-set; true leaves it alone
 * @returns whether this call ended it
 */
export async function endGrant(
  deps: GrantDeps,
  grantId: string,
  reason: Reason,
  unless: (grant: Grant) => boolean = () => false,
): Promise<boolean> {
  const ended = await changeGrant<Grant | undefined>(deps, grantId, (grant) => {
    if (grant.state === "ended" || unless(grant)) return { result: undefined };
    // Nothing that opens anything outlives the grant: the upstream token, code and refresh hashes are left out.
    const { state: _state, upstream: _upstream, code: _code, refresh: _refresh, lease: _lease, ...rest } = grant;
    return { grant: { ...rest, state: "ended", endedBecause: reason }, result: grant };
  });
  if (!ended) return false;
  deps.audit.write({
    time: new Date(deps.clock.now()).toISOString(),
    action: "grant.ended",
    reason,
    grant: grantId,
    client: ended.clientId,
    resource: ended.resource,
  });
  if (ended.upstream?.kind === "cognito_session" && ended.upstream.refreshToken && reason !== "upstream_ended") {
    deps.identityProvider.revoke(ended.upstream.refreshToken).catch((error: unknown) => {
      deps.logger.warn("Cognito did not take back the refresh token of an ended grant", {
        grant: grantId,
        error: error instanceof Error ? error.message : "unknown",
      });
    });
  }
  return true;
}
