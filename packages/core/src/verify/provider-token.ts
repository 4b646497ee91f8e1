import { hasOwnKeys } from "../config/own-keys.ts";
import type { CoreConfig } from "../config/section.ts";
import type { Reason } from "../errors/index.ts";
import { type IdentityProvider, IdentityProviderError } from "../identity/identity-provider.ts";
import type { Clock } from "../runtime/index.ts";
import type { ScopeCatalog } from "../scopes/index.ts";
import type { Principal } from "./principal.ts";
import type { ProtectedResource } from "./resource-catalog.ts";

/**
 * An access token that Cognito itself issued to a machine (client credentials). Door one only. Accepted if its client is
 * one of the configured machines and at least one of its scopes is mapped to this resource; an `aud`, if there is one,
 * must be the resource. Signature, issuer, expiry and `token_use` are the provider's check. Never for a user: a user's
 * token comes from us, bound to a resource and a client.
 */
export async function verifyProviderToken(
  token: string,
  resource: ProtectedResource,
  deps: {
    readonly identityProvider: IdentityProvider;
    readonly machines: CoreConfig["machines"];
    readonly scopes: ScopeCatalog;
    readonly clock: Clock;
  },
): Promise<Principal | Reason> {
  if (Object.keys(deps.machines).length === 0) return "token_type_invalid";
  let verified: Awaited<ReturnType<IdentityProvider["verifyAccessToken"]>>;
  try {
    verified = await deps.identityProvider.verifyAccessToken(token);
  } catch (error) {
    if (!(error instanceof IdentityProviderError)) throw error;
    // Only this failure says something of the token; every other is an outage or a fault of our own set-up.
    return error.failure === "invalid_response" ? "token_signature_invalid" : "provider_unavailable";
  }
  const { clientId, sub, username, audience, expiresAt } = verified;
  if (username !== undefined || sub !== clientId) return "token_type_invalid";
  const machine = Object.hasOwn(deps.machines, clientId) ? deps.machines[clientId] : undefined;
  // A machine with keys of its own is none of Cognito's, whatever app client has the same id.
  if (!machine || hasOwnKeys(machine)) return "machine_unknown";
  if (audience !== undefined && audience !== resource.url) return "token_audience_mismatch";
  const entitled = deps.scopes.ofMachine(clientId, resource.path);
  const held = new Set(deps.scopes.expand(deps.scopes.fromProvider(verified.scopes)));
  const scopes = entitled.filter((scope) => held.has(scope));
  if (scopes.length === 0) return "token_scope_unmapped";
  if (expiresAt * 1000 <= deps.clock.now()) return "token_expired";
  return {
    kind: "machine",
    subject: clientId,
    groups: [],
    claims: {},
    clientId,
    resource: resource.url,
    tokenScopes: verified.scopes,
    scopes,
    entitled,
    expiresAt: expiresAt * 1000,
    doors: { token: true, grant: false },
  };
}
