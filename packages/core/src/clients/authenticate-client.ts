import { OAuthError } from "../errors/index.ts";
import { type Limiter, requireAllowance } from "../limits/index.ts";
import type { Client, VerifiedClient } from "./client.ts";
import type { ClientCredentials } from "./client-credentials-of-request.ts";
import type { ClientDirectory } from "./client-directory.ts";

/**
 * Client authentication at the token endpoint (RFC 6749 §2.3, §3.2.1). Basic and post are interchangeable for a client
 * that has a secret; a public client must present none.
 * @param failures counts failed attempts per client
 * @throws OAuthError invalid_client (401), or 429 for a client that fails too often
 */
export async function authenticateClient(
  credentials: ClientCredentials,
  directory: ClientDirectory,
  failures: Limiter,
): Promise<VerifiedClient> {
  const client = await directory.find(credentials.clientId);
  if (!client) {
    throw new OAuthError(
      "invalid_client",
      "client_unknown",
      "The client is unknown here or its registration has ended. Register again.",
    );
  }
  if (isAuthenticated(client, credentials)) return client as VerifiedClient;
  requireAllowance(failures, client.clientId, "Too many failed attempts for this client.", "invalid_client");
  throw new OAuthError("invalid_client", "client_auth_failed", "Client authentication failed.");
}

const isAuthenticated = (client: Client, { clientSecret }: ClientCredentials): boolean =>
  client.authMethod === "none"
    ? clientSecret === undefined
    : clientSecret !== undefined && client.secretMatches(clientSecret);
