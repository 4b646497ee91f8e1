import type { ClientCredentials } from "../clients/index.ts";
import { lookupHash } from "../crypto/index.ts";
import { OAuthError } from "../errors/index.ts";
import { IdentityProviderError, type MachineSession } from "../identity/identity-provider.ts";
import { requireAllowance } from "../limits/index.ts";
import type { TokenDeps } from "./deps.ts";

/** Cognito bills and throttles each token: an answer is good for so long at most, ms. */
const longestCached = 600_000;
/** An answer with less life than this gives no token that is worth having, ms. */
const shortestUse = 60_000;
const mostCached = 1_000;

/**
 * Authenticates a machine by its own Cognito credentials and answers what Cognito gave it.
 * Rejects with OAuthError: invalid_client (401), 429 for a machine that fails too often, 503 where Cognito cannot be asked.
 */
export type MachineAuthentication = (deps: TokenDeps, credentials: ClientCredentials) => Promise<MachineSession>;

export function machineAuthentication(): MachineAuthentication {
  /** Keyed by client id, a keyed hash of the presented secret, and scopes: a wrong secret never meets a cached answer. */
  const answers = new Map<string, { readonly session: MachineSession; readonly goodUntil: number }>();

  const askCognito = async (deps: TokenDeps, clientId: string, clientSecret: string): Promise<MachineSession> => {
    // The scopes as configured, not what they include: only those exist at the app client.
    const scopes = deps.config.machines[clientId]?.scopes ?? [];
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

  return async (deps, { clientId, clientSecret }) => {
    const failed = () => new OAuthError("invalid_client", "client_auth_failed", "Client authentication failed.");
    if (!Object.hasOwn(deps.config.machines, clientId) || clientSecret === undefined) throw failed();
    try {
      return await askCognito(deps, clientId, clientSecret);
    } catch (error) {
      if (!(error instanceof IdentityProviderError)) throw error;
      if (error.failure !== "refused") {
        const text = "The client cannot be checked at the moment. Try again.";
        throw new OAuthError("temporarily_unavailable", "provider_unavailable", text);
      }
      requireAllowance(
        deps.limits.failedClientAuth,
        clientId,
        "Too many failed attempts for this client.",
        "invalid_client",
      );
      throw failed();
    }
  };
}
