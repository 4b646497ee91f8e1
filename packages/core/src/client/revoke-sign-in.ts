import { discoverAuthorizationServerMetadata } from "@modelcontextprotocol/client";
import type { Fetch } from "../runtime/index.ts";
import type { CachedSignIn } from "./token-cache.ts";

/**
 * Revokes a sign-in by its refresh token (RFC 7009). Does nothing where the authorization server has no endpoint for it.
 * @throws Error where the endpoint does not answer with success
 */
export async function revokeSignIn(
  issuer: string,
  kept: CachedSignIn,
  clientId: string | undefined,
  fetch: Fetch,
): Promise<void> {
  const client = clientId ?? kept.client?.client_id;
  const token = kept.tokens?.refresh_token;
  if (client === undefined || token === undefined) return;
  const metadata = await discoverAuthorizationServerMetadata(issuer, { fetchFn: fetch });
  if (!metadata || !("revocation_endpoint" in metadata)) return;
  const endpoint = metadata.revocation_endpoint;
  if (typeof endpoint !== "string") return;
  const body = new URLSearchParams({ token, token_type_hint: "refresh_token", client_id: client });
  const response = await fetch(endpoint, { method: "POST", body });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`the authorization server did not revoke the sign-in (HTTP ${response.status})`);
}
