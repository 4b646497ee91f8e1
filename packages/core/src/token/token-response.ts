import { randomId } from "../crypto/index.ts";
import { accessTokenEnd, type LiveGrant } from "../grants/index.ts";
import { signAccessToken } from "../keys/index.ts";
import type { TokenDeps } from "./deps.ts";

/** A successful answer of the token endpoint (RFC 6749 §5.1). */
export interface TokenResponse {
  readonly access_token: string;
  readonly token_type: "Bearer";
  /** Seconds. */
  readonly expires_in: number;
  /** Always present: what was given, which may be less than what was asked for. */
  readonly scope: string;
  readonly refresh_token?: string;
}

/** Issues an access token for a live grant: audience-bound (RFC 8707 §2), tied to the grant by `sid`; and reports it. */
export function tokenResponse(
  deps: TokenDeps,
  live: LiveGrant,
  scopes: readonly string[],
  action: "token.issued" | "token.refreshed",
): TokenResponse {
  const { grant, grantId, refreshToken } = live;
  const now = deps.clock.now();
  const iat = Math.floor(now / 1000);
  const exp = Math.floor(accessTokenEnd(grant, now, deps) / 1000);
  const scope = scopes.join(" ");
  const { upstream } = grant;
  const sub = upstream?.kind === "cognito_session" ? upstream.identity.sub : grant.clientId;
  const access = signAccessToken(deps.keyring, {
    iss: deps.issuer,
    sub,
    aud: grant.resource,
    client_id: grant.clientId,
    scope,
    exp,
    iat,
    jti: randomId(deps.random, 16),
    sid: grantId,
    principal: grant.principal,
  });
  deps.audit.write({
    time: new Date(now).toISOString(),
    action,
    client: grant.clientId,
    user: sub,
    grant: grantId,
    resource: grant.resource,
    scope,
  });
  return {
    access_token: access,
    token_type: "Bearer",
    expires_in: exp - iat,
    scope,
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
  };
}
