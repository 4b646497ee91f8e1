import type { CoreConfig } from "../config/section.ts";
import type { Reason } from "../errors/index.ts";
import type { AccessTokenClaims } from "../keys/index.ts";
import type { Grant } from "../records/index.ts";
import type { ScopeCatalog } from "../scopes/index.ts";
import { clientBound } from "./client-bound.ts";
import type { Principal } from "./principal.ts";
import type { ProtectedResource } from "./resource-catalog.ts";

/**
 * Who a token of ours and the grant behind it speak for, and what counts for them now: the token's scopes ∩ what
 * groups and claims (or a machine's settings) give.
 * @param resource the one that the token is for
 * @param settings those of now, whatever they were when the token was issued
 * @returns `grant_user_mismatch` where the grant is not the one that the token was issued for; `client_unknown` where the
 *   client is configured no more
 */
export function principalOf(
  claims: AccessTokenClaims,
  resource: ProtectedResource,
  { grant, grantId }: { readonly grant: Grant; readonly grantId: string },
  settings: { readonly scopes: ScopeCatalog; readonly clients: CoreConfig["clients"] },
): Principal | Reason {
  const { scopes } = settings;
  const { upstream } = grant;
  const mine =
    grant.clientId === claims.client_id && grant.resource === claims.aud && grant.principal === claims.principal;
  if (!mine || !upstream) return "grant_user_mismatch";
  const tokenScopes = claims.scope.split(" ");
  const named = new Set(tokenScopes);
  const shared = {
    subject: claims.sub,
    clientId: claims.client_id,
    grantId,
    resource: claims.aud,
    tokenScopes,
    expiresAt: claims.exp * 1000,
    doors: { token: true, grant: true },
  } as const;
  if (upstream.kind !== "cognito_session") {
    if (claims.sub !== upstream.clientId) return "grant_user_mismatch";
    const entitled = scopes.ofMachine(upstream.clientId, resource.path);
    const held = entitled.filter((scope) => named.has(scope));
    return { kind: "machine", groups: [], claims: {}, scopes: held, entitled, ...shared };
  }
  const { sub, username, groups, email, emailVerified, claims: extra } = upstream.identity;
  if (claims.sub !== sub) return "grant_user_mismatch";
  const ofClient = clientBound(grant.clientId, settings);
  if (ofClient === "client_unknown") return ofClient;
  const bounds = [scopes.ofResource(resource.path), grant.clientScopes, ofClient].filter(
    (bound) => bound !== undefined,
  );
  const entitled = scopes.ofUser(upstream.identity).filter((scope) => bounds.every((bound) => bound.includes(scope)));
  return {
    kind: "user",
    username,
    groups,
    claims: extra,
    ...(email === undefined ? {} : { email }),
    ...(emailVerified === undefined ? {} : { emailVerified }),
    scopes: entitled.filter((scope) => named.has(scope)),
    entitled,
    ...shared,
  };
}
