import { OAuthError } from "../errors/index.ts";
import { type Limiter, requireAllowance } from "../limits/index.ts";
import type { ClientAuthentication, VerifiedClient } from "./client.ts";
import type { AssertionVerifier } from "./client-assertion.ts";
import type { ClientCredentials } from "./client-credentials-of-request.ts";
import type { ClientDirectory } from "./client-directory.ts";

/** What client authentication is given. */
export interface AuthenticationDeps {
  readonly clients: ClientDirectory;
  readonly assertions: AssertionVerifier;
  /** Counts failed attempts per client. */
  readonly limits: { readonly failedClientAuth: Limiter };
}

/**
 * Client authentication at the token endpoint (RFC 6749 §2.3, §3.2.1). Basic and post are interchangeable for a client
 * that has a secret; a public client must present none.
 * Rejects with OAuthError: invalid_client (401), 429 for a client that fails too often, 503 where its keys cannot be had
 */
export async function authenticateClient(
  deps: AuthenticationDeps,
  credentials: ClientCredentials,
): Promise<VerifiedClient> {
  const client = await deps.clients.find(credentials.clientId, "grant");
  if (!client) {
    throw new OAuthError(
      "invalid_client",
      "client_unknown",
      "The client is unknown here or its registration has ended. Register again.",
    );
  }
  await checkAuthentication(deps, credentials, client.authentication);
  return client as VerifiedClient;
}

/**
 * Checks credentials against the ways in which their client may authenticate. Failures count; who has the right ones is
 * never refused for them.
 * Rejects with OAuthError as {@link authenticateClient}
 */
export async function checkAuthentication(
  deps: Pick<AuthenticationDeps, "assertions" | "limits">,
  credentials: ClientCredentials,
  ways: readonly ClientAuthentication[],
): Promise<void> {
  try {
    await check(deps.assertions, credentials, ways);
  } catch (error) {
    if (!(error instanceof OAuthError) || error.code !== "invalid_client") throw error;
    countFailure(deps, credentials.clientId);
    throw error;
  }
}

/** @throws OAuthError 429 for a client that has failed too often */
export function countFailure(deps: Pick<AuthenticationDeps, "limits">, clientId: string): void {
  const text = "Too many failed attempts for this client.";
  requireAllowance(deps.limits.failedClientAuth, clientId, text, "invalid_client");
}

async function check(
  assertions: AssertionVerifier,
  { clientSecret, assertion }: ClientCredentials,
  ways: readonly ClientAuthentication[],
): Promise<void> {
  if (assertion) {
    const way = ways.find((candidate) => candidate.method === "private_key_jwt");
    if (way) return assertions.verify(assertion, way.keys);
    throw authenticationFailed();
  }
  const passes = ways.some((way) => {
    if (way.method === "none") return clientSecret === undefined;
    return way.method === "client_secret" && clientSecret !== undefined && way.matches(clientSecret);
  });
  if (!passes) throw authenticationFailed();
}

/** Says no more than that: not whether the client has a secret, keys, or neither. */
export const authenticationFailed = (): OAuthError =>
  new OAuthError("invalid_client", "client_auth_failed", "Client authentication failed.");
