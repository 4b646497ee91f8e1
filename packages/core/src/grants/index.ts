export { grantIndex } from "./change-grant.ts";

import type { GrantDeps } from "./deps.ts";
import { createEpochs, type Epochs } from "./epochs.ts";
import { type CognitoTokens, createGrantJudge, type GrantJudge } from "./judge-grant.ts";
import { createUpstreamRenewer } from "./renew-upstream.ts";

export type { GrantDeps } from "./deps.ts";
export { endGrant } from "./end-grant.ts";
export { endGrants } from "./end-grants.ts";
export type { EpochScope, Epochs } from "./epochs.ts";
export { accessTokenEnd } from "./grant-lifetime.ts";
export { parseHandleToken } from "./handle-token.ts";
export { issueCode } from "./issue-code.ts";
export { issueMachineGrant } from "./issue-machine-grant.ts";
export type { CognitoTokens, GrantJudge, Judgement } from "./judge-grant.ts";
export type { LiveGrant } from "./redeem-code.ts";
export { codeHolder, redeemCode } from "./redeem-code.ts";
export { rotateRefreshToken } from "./rotate-refresh-token.ts";

/**
 * Door two and the kill switches over one store. `settled` resolves when no renewal is under way: what Cognito has
 * rotated by then is written.
 * @param deps.tokens may change, but for the check interval
 * @param longestConsent how long an approval may be remembered, ms: a switch ends that too
 */
export function grantChecks(
  deps: GrantDeps,
  longestConsent = (): number => 0,
): { epochs: Epochs; judge: GrantJudge & CognitoTokens; settled: () => Promise<void> } {
  const epochs = createEpochs(deps, {
    shareFor: Math.min(1000, deps.tokens.grantCheckInterval),
    // A switch outlives every grant that can have begun before it, and every approval.
    get ttl() {
      return Math.max(deps.tokens.refreshTtl, longestConsent()) + 86_400_000;
    },
  });
  const renewer = createUpstreamRenewer(deps);
  return { epochs, judge: createGrantJudge(deps, epochs, renewer), settled: () => renewer.settled() };
}
