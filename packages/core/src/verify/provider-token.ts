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
    readonly settings: () => MachineSettings;
    readonly clock: Clock;
  },
): Promise<Principal | Reason> {
  if (Object.keys(deps.settings().machines).length === 0) return "token_type_invalid";
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
  if (audience !== undefined && audience !== resource.url) return "token_audience_mismatch";
  const principal = providerPrincipal(clientId, verified.scopes, expiresAt * 1000, resource, deps.settings());
  if (typeof principal !== "string" && principal.expiresAt <= deps.clock.now()) return "token_expired";
  return principal;
}

/** What the settings say of machines. */
export interface MachineSettings {
  readonly machines: CoreConfig["machines"];
  readonly scopes: ScopeCatalog;
}

/**
 * Who a machine with a token of Cognito's is by the settings of now, and what counts for it.
 * @param tokenScopes as Cognito names them
 * @param expiresAt ms
 */
export function providerPrincipal(
  clientId: string,
  tokenScopes: readonly string[],
  expiresAt: number,
  resource: ProtectedResource,
  { machines, scopes: catalog }: MachineSettings,
): Principal | Reason {
  const machine = Object.hasOwn(machines, clientId) ? machines[clientId] : undefined;
  // A machine with keys of its own is none of Cognito's, whatever app client has the same id.
  if (!machine || hasOwnKeys(machine)) return "machine_unknown";
  const entitled = catalog.ofMachine(clientId, resource.path);
  const held = new Set(catalog.expand(catalog.fromProvider(tokenScopes)));
  const scopes = entitled.filter((scope) => held.has(scope));
  if (scopes.length === 0) return "token_scope_unmapped";
  return {
    kind: "machine",
    subject: clientId,
    groups: [],
    claims: {},
    clientId,
    resource: resource.url,
    tokenScopes,
    scopes,
    entitled,
    expiresAt,
    doors: { token: true, grant: false },
  };
}
