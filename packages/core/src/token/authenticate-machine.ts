import { authenticationFailed, type ClientCredentials, checkAuthentication, countFailure } from "../clients/index.ts";
import { lookupHash } from "../crypto/index.ts";
import { OAuthError } from "../errors/index.ts";
import { IdentityProviderError, type MachineSession } from "../identity/identity-provider.ts";
import type { TokenDeps } from "./deps.ts";

/** Cognito bills and throttles each token: an answer is good for so long at most, ms. */
const longestCached = 600_000;
/** An answer with less life than this gives no token that is worth having, ms. */
const shortestUse = 60_000;
const mostCached = 1_000;

/** What stands behind a machine that has authenticated. */
export type MachineProof =
  | { readonly kind: "cognito_client"; readonly session: MachineSession }
  | { readonly kind: "registered_key" };

/**
 * Authenticates a machine: by its own Cognito id and secret, which Cognito judges, or by an assertion that it signed with
 * its registered key. Each machine has one of the two ways.
 * Rejects with OAuthError: invalid_client (401), 429 for a machine that fails too often, 503 where Cognito or the keys
 * cannot be had.
 */
export type MachineAuthentication = (deps: TokenDeps, credentials: ClientCredentials) => Promise<MachineProof>;

export function machineAuthentication(): MachineAuthentication {
  /** Keyed by client id, a keyed hash of the presented secret, and scopes: a wrong secret never meets a cached answer. */
  const answers = new Map<string, { readonly session: MachineSession; readonly goodUntil: number }>();

  const askCognito = async (deps: TokenDeps, clientId: string, clientSecret: string): Promise<MachineSession> => {
    // The scopes as configured, not what they include: only those exist at the app client.
    const scopes = [...new Set(deps.config.machines[clientId]?.scopes.map(deps.scopes.toProvider))];
    const key = lookupHash(deps.keys.active, "machine-answer", JSON.stringify([clientId, clientSecret, scopes]));
    const now = deps.clock.now();
    const known = answers.get(key);
    if (known && known.goodUntil > now) return known.session;
    answers.delete(key);
    const session = await deps.identityProvider.clientCredentials({ clientId, clientSecret, scopes });
    answers.set(key, { session, goodUntil: Math.min(session.expiresAt - shortestUse, now + longestCached) });
    const oldest = answers.keys().next();
    if (answers.size > mostCached && !oldest.done) answers.delete(oldest.value);
    return session;
  };

  return async (deps, credentials) => {
    const { clientId, clientSecret } = credentials;
    if (!Object.hasOwn(deps.config.machines, clientId)) throw authenticationFailed();
    const keys = deps.machineKeys.get(clientId);
    if (keys) {
      await checkAuthentication(deps, credentials, [{ method: "private_key_jwt", keys }]);
      return { kind: "registered_key" };
    }
    const failed = (): OAuthError => {
      countFailure(deps, clientId);
      return authenticationFailed();
    };
    if (clientSecret === undefined) throw failed();
    try {
      return { kind: "cognito_client", session: await askCognito(deps, clientId, clientSecret) };
    } catch (error) {
      if (!(error instanceof IdentityProviderError)) throw error;
      if (error.failure === "refused") throw failed();
      const text = "The client cannot be checked at the moment. Try again.";
      throw new OAuthError("temporarily_unavailable", "provider_unavailable", text);
    }
  };
}
