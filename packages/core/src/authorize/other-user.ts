import type { UpstreamSession } from "../identity/identity-provider.ts";
import type { CheckedRequest } from "./authorization-request.ts";
import { askForConsent } from "./consent-page-answer.ts";
import { type AuthorizeDeps, report } from "./deps.ts";

/**
 * Consent was skipped for one user and another came back, or what was remembered counts no more: the one who is there now
 * is asked, and nothing is issued. What Cognito gave is handed back rather than kept waiting for an answer that may never
 * come; its browser session stays, so that approving leads back at once, without a password.
 * @param rememberedFor the user (`sub`) for whom consent was skipped
 */
export function askThisUser(
  deps: AuthorizeDeps,
  request: Request,
  checked: CheckedRequest,
  session: UpstreamSession,
  rememberedFor: string,
): Response {
  const { identity, refreshToken } = session;
  if (refreshToken !== undefined) {
    deps.identityProvider.revoke(refreshToken).catch((error: unknown) => {
      deps.logger.warn("Cognito did not take back the refresh token of a sign-in that was not completed", {
        error: error instanceof Error ? error.message : "unknown",
      });
    });
  }
  const isOther = identity.sub !== rememberedFor;
  report(deps, {
    action: "authorize.shown",
    ...(isOther ? { reason: "consent_other_user" } : {}),
    client: checked.client.clientId,
    user: identity.sub,
    resource: checked.resource.url,
  });
  // Whoever asked for a sign-in of its own has just had it.
  const { prompt: _prompt, ...again } = checked.request;
  return askForConsent(deps, request, { ...checked, request: again }, isOther ? identity.username : undefined);
}
