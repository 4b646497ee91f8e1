import { isPublicClient, type VerifiedClient } from "../clients/index.ts";
import { requireAllowance, requireSharedAllowance } from "../limits/index.ts";
import type { Grant } from "../records/index.ts";
import type { TokenDeps } from "./deps.ts";

/** What one token request is counted on: its address, until it is known who asks. */
export interface TokenLimits {
  /**
   * The client has authenticated. A public one has not: anybody can come in its name, and one id may stand for all its
   * installations. Rejects with OAuthError 429.
   */
  readonly client: (client: VerifiedClient) => Promise<void>;
  /** A machine has authenticated: it is client and principal in one. Rejects with OAuthError 429. */
  readonly machine: (clientId: string) => Promise<void>;
  /** What the client presented belongs to this sign-in, unless it has ended. Rejects with OAuthError 429. */
  readonly user: (grant: Grant) => Promise<void>;
}

/**
 * Counts a token request on its address, and on client and principal as soon as they are known. If they may pass, the
 * address gets its place back, so that many users behind one address do not stand in each other's way. Not so for a
 * client that nobody configured: anybody could make one after the other.
 * @throws OAuthError 429
 */
export function tokenLimits(deps: Pick<TokenDeps, "limits">, address: string): TokenLimits {
  const { limits } = deps;
  const place = requireAllowance(limits.token, address, "Too many token requests from this address.");
  const client = (clientId: string): Promise<void> =>
    requireSharedAllowance(limits.client, clientId, "Too many token requests of this client.");
  const principal = (clientId: string, subject: string): Promise<void> => {
    const id = JSON.stringify([clientId, subject]);
    return requireSharedAllowance(limits.principal, id, "Too many token requests of this user through this client.");
  };
  return {
    async client(verified) {
      if (isPublicClient(verified)) return;
      await client(verified.clientId);
      if (verified.origin === "registered") place.giveBack();
    },
    async machine(clientId) {
      await client(clientId);
      await principal(clientId, clientId);
      place.giveBack();
    },
    async user(grant) {
      if (grant.upstream?.kind !== "cognito_session") return;
      await principal(grant.clientId, grant.upstream.identity.sub);
      place.giveBack();
    },
  };
}
