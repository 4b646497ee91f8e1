import { IdentityProviderError } from "../identity/identity-provider.ts";
import type { GrantDeps } from "./deps.ts";
import type { EpochScope, Epochs } from "./epochs.ts";

/**
 * Throws a kill switch: every grant that exists now, of everyone, of a user or of a client, stops to count everywhere
 * within the check interval. Grants are ended one by one as they are met, and Cognito is asked to forget their refresh
 * tokens then.
 * @param globalSignOut ends a user's sessions at Cognito as well, those of other applications among them
 * Rejects with StoreUnavailable if the switch could not be written; with IdentityProviderError if Cognito did not sign the
 * user out, though the switch is thrown.
 */
export async function endGrants(
  deps: GrantDeps,
  epochs: Epochs,
  scope: EpochScope,
  globalSignOut: boolean,
): Promise<void> {
  await epochs.set(scope);
  deps.audit.write({
    time: new Date(deps.clock.now()).toISOString(),
    action: "grants.ended",
    ...("user" in scope ? { user: scope.user } : {}),
    ...("client" in scope ? { client: scope.client } : {}),
  });
  if (!globalSignOut || !("user" in scope)) return;
  const { signOutEverywhere } = deps.identityProvider;
  if (!signOutEverywhere) throw new IdentityProviderError("misconfigured", "this provider signs nobody out everywhere");
  await signOutEverywhere(scope.user);
}
