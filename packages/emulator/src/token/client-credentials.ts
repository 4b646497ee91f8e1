import { systemScopes } from "../config/client-config.ts";
import { OAuthError } from "../http/oauth-error.ts";
import type { Parameters } from "../http/parameters.ts";
import { uuid } from "../runtime.ts";
import type { Client } from "../state/client-directory.ts";
import type { Emulation } from "../state/emulation.ts";
import { scopeClaim } from "./scope-claim.ts";
import type { TokenAnswer } from "./token-answer.ts";

/**
 * `grant_type=client_credentials`. The token has no user, no groups, no `origin_jti` and never an `aud`. A scope that
 * exists but is not the client's is `invalid_grant`, one that does not exist `invalid_scope`; never narrowed.
 */
export async function clientCredentials(
  emulation: Emulation,
  client: Client,
  { values }: Parameters,
): Promise<TokenAnswer> {
  if (!client.allowedOAuthFlows.includes("client_credentials")) {
    throw new OAuthError("unauthorized_client", "the client may not use client credentials");
  }
  const scopes = machineScopes(emulation, client, values.scope);
  const now = Math.floor(emulation.clock.now() / 1000);
  const accessToken = await emulation.keys.sign("access", {
    sub: client.id,
    token_use: "access",
    scope: scopeClaim(emulation.scopes, scopes),
    auth_time: now,
    iss: emulation.addresses.issuer,
    exp: now + client.accessTokenValidity,
    iat: now,
    version: 2,
    jti: uuid(emulation.random),
    client_id: client.id,
  });
  return { access_token: accessToken, expires_in: client.accessTokenValidity, token_type: "Bearer" };
}

function machineScopes({ scopes: catalog }: Emulation, client: Client, scope: string | undefined): readonly string[] {
  const active = client.scopes.filter((name) => catalog.exists(name) && !systemScopes.includes(name));
  if (active.length === 0) throw new OAuthError("invalid_scope", "the client has no custom scope");
  const names = [...new Set((scope ?? "").split(" ").filter((name) => name !== ""))];
  if (names.length === 0) return active;
  const missing = names.find((name) => !catalog.exists(name));
  if (missing !== undefined) throw new OAuthError("invalid_scope", "a requested scope does not exist");
  if (!names.every((name) => active.includes(name))) {
    throw new OAuthError("invalid_grant", "a requested scope is not one of the client's");
  }
  return names;
}
