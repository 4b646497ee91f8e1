import type { ClientCredentials } from "../clients/index.ts";
import { lookupHash } from "../crypto/index.ts";
import { OAuthError } from "../errors/index.ts";
import { issueMachineGrant } from "../grants/index.ts";
import type { Parameters } from "../http/index.ts";
import { IdentityProviderError, type MachineSession } from "../identity/identity-provider.ts";
import { requestedScopes } from "../scopes/index.ts";
import type { TokenDeps } from "./deps.ts";
import { type TokenResponse, tokenResponse } from "./token-response.ts";

/** Cognito bills and throttles each token: an answer is good for so long at most, ms. */
const longestCached = 600_000;
/** An answer with less life than this gives no token that is worth having, ms. */
const shortestUse = 60_000;
const mostCached = 1_000;

/** `grant_type=client_credentials` (RFC 6749 §4.4): a machine's own Cognito credentials for an audience-bound token. */
export type ClientCredentialsGrant = (
  deps: TokenDeps,
  credentials: ClientCredentials,
  form: Parameters,
) => Promise<TokenResponse>;

export function clientCredentialsGrant(): ClientCredentialsGrant {
  /** Keyed by client id, a keyed hash of the presented secret, and scopes: a wrong secret never meets a cached answer. */
  const answers = new Map<string, { readonly session: MachineSession; readonly goodUntil: number }>();

  const askCognito = async (
    deps: TokenDeps,
    clientId: string,
    clientSecret: string,
    scopes: readonly string[],
  ): Promise<MachineSession> => {
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

  return async (deps, credentials, form) => {
    const { clientId, clientSecret } = credentials;
    const failed = () => new OAuthError("invalid_client", "client_auth_failed", "Client authentication failed.");
    if (!Object.hasOwn(deps.config.machines, clientId) || clientSecret === undefined) throw failed();
    const parameter = form.get("resource");
    const resource = parameter === undefined ? deps.resources.default : deps.resources.resolve(parameter);
    if (!resource) {
      const reason = parameter === undefined ? "resource_ambiguous" : "resource_unknown";
      throw new OAuthError("invalid_target", reason, "resource must name one of the protected resources");
    }
    const entitled = deps.scopes.ofMachine(clientId, resource.path);
    const scope = form.get("scope");
    // Without scope: everything that the administrator gave this machine here.
    const wanted =
      scope === undefined ? entitled : deps.scopes.expand(requestedScopes(scope, resource.path, deps.scopes));
    const asked = wanted.filter((name) => entitled.includes(name));
    if (asked.length === 0) {
      throw new OAuthError(
        "invalid_scope",
        "machine_not_entitled",
        "this client may have none of these scopes for this resource",
      );
    }
    const session = await askCognito(deps, clientId, clientSecret, configuredScopes(deps, clientId)).catch((error) => {
      if (!(error instanceof IdentityProviderError)) throw error;
      if (error.failure === "refused") {
        const allowed = deps.limits.failedClientAuth.take(clientId);
        if (allowed.ok) throw failed();
        throw new OAuthError("invalid_client", "rate_limited", "Too many failed attempts for this client.", {
          status: 429,
          retryAfter: allowed.retryAfter,
        });
      }
      throw new OAuthError(
        "temporarily_unavailable",
        "provider_unavailable",
        "The client cannot be checked at the moment. Try again.",
      );
    });
    const held = new Set(deps.scopes.expand(session.scopes));
    const scopes = asked.filter((name) => held.has(name));
    if (scopes.length === 0) {
      throw new OAuthError(
        "invalid_scope",
        "machine_not_entitled",
        "this client may have none of these scopes for this resource",
      );
    }
    const live = await issueMachineGrant(deps, { clientId, resource: resource.url, scopes, until: session.expiresAt });
    return tokenResponse(deps, live, scopes);
  };
}

/** What Cognito is asked for: the scopes as configured, not what they include, since only those exist at the app client. */
const configuredScopes = (deps: TokenDeps, clientId: string): readonly string[] =>
  deps.config.machines[clientId]?.scopes ?? [];
