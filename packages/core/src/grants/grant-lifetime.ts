import type { Grant } from "../records/index.ts";
import type { GrantDeps } from "./deps.ts";

/** How long a code that nobody redeems is remembered past its end, so that a late client reads "expired" and not "unknown". */
const lateCode = 60_000;
/** Longer than any access token's leeway, so that a token never outlives its grant's record by a clock's difference. */
const slack = 120_000;
/** An ended grant is kept for a while: whoever asks why gets an answer. */
const endedTtl = 3_600_000;

/** For how long from `now` the store keeps a grant, ms. Absent means revoked, so never shorter than any of its tokens. */
export function grantTtl(grant: Grant, now: number, deps: Pick<GrantDeps, "accessTtlOf">): number {
  if (grant.state === "ended") return endedTtl;
  if (grant.state === "code_issued") return Math.max(1, (grant.code?.expiresAt ?? now) - now + lateCode);
  const refreshEnds = grant.refresh ? Math.min(grant.refresh.idleUntil, grant.absoluteUntil) : 0;
  const accessEnds = accessTokenEnd(grant, now, deps);
  return Math.max(1, Math.max(refreshEnds, accessEnds) - now + slack);
}

/** When an access token issued at `now` ends, ms. */
export const accessTokenEnd = (grant: Grant, now: number, deps: Pick<GrantDeps, "accessTtlOf">): number =>
  Math.min(now + deps.accessTtlOf(grant.resource), grant.absoluteUntil);
