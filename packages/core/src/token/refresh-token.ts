import type { VerifiedClient } from "../clients/index.ts";
import { OAuthError, type Reason } from "../errors/index.ts";
import { parseHandleToken, rotateRefreshToken } from "../grants/index.ts";
import type { Parameters } from "../http/index.ts";
import type { Grant } from "../records/index.ts";
import type { TokenDeps } from "./deps.ts";
import { resourceParameter } from "./resource-parameter.ts";
import type { TokenLimits } from "./token-limits.ts";
import { type TokenResponse, tokenResponse } from "./token-response.ts";

/**
 * `grant_type=refresh_token` (RFC 6749 §6). Order: token form, grant, client, resource, scope, the user's limit, the
 * grant's second door (Cognito is asked where its word has run out; an outage is 503 before anything changes), and the
 * rotation last.
 */
export async function refreshToken(
  deps: TokenDeps,
  client: VerifiedClient,
  form: Parameters,
  limits: TokenLimits,
): Promise<TokenResponse> {
  const text = form.get("refresh_token");
  if (text === undefined) throw new OAuthError("invalid_request", "malformed_request", "refresh_token is missing");
  const presented = parseHandleToken(text, deps.keys);
  if (!presented || presented.n === 0) throw refuse("refresh_malformed");
  const resource = resourceParameter(deps, form);
  const narrowed = requested(form.get("scope"), deps);

  const check = (grant: Grant): OAuthError | undefined => {
    if (grant.clientId !== client.clientId) return refuse("refresh_client_mismatch");
    if (resource !== undefined && resource !== grant.resource) {
      return new OAuthError(
        "invalid_target",
        "refresh_resource_mismatch",
        "resource is not the one that was authorized",
      );
    }
    const wider = narrowed?.some((scope) => !grant.scopes.includes(scope));
    if (wider) return new OAuthError("invalid_scope", "refresh_scope_widened", "scope goes beyond what was granted");
    return undefined;
  };

  const before = await deps.grants.get(presented.grantId);
  // The client is checked before its grant may cost a call to Cognito.
  const fault = before && check(before.value);
  if (fault) throw fault;
  if (before) await limits.user(before.value);
  const judgement = await deps.judge.judgeAfresh(presented.grantId);
  if (judgement.holds === "unknown") {
    throw new OAuthError(
      "temporarily_unavailable",
      judgement.reason,
      "The sign-in cannot be renewed at the moment. Try again with the same refresh token.",
    );
  }
  if (judgement.holds === "no") throw refuse(judgement.reason);
  const scopes = entitled(deps, judgement.grant, narrowed);
  if (scopes.length === 0) throw refuse("not_entitled");

  const live = await rotateRefreshToken(deps, presented, check);
  return tokenResponse(deps, live, scopes, "token.refreshed");
}

/** Scopes as asked for; identity scopes are nothing that a refresh could widen. */
function requested(parameter: string | undefined, deps: TokenDeps): readonly string[] | undefined {
  const named = (parameter ?? "").split(" ").filter((scope) => scope !== "" && !deps.scopes.isIdentityScope(scope));
  return named.length === 0 ? undefined : named.map((scope) => deps.scopes.resolve(scope) ?? scope);
}

/** What the new access token gets: granted, narrowed if asked, and still given by the groups and claims as last seen. */
function entitled(deps: TokenDeps, grant: Grant, narrowed: readonly string[] | undefined): readonly string[] {
  const { upstream } = grant;
  const given = new Set(upstream?.kind === "cognito_session" ? deps.scopes.ofUser(upstream.identity) : []);
  const wanted = narrowed ? new Set(deps.scopes.expand(narrowed)) : undefined;
  return grant.scopes.filter((scope) => given.has(scope) && (!wanted || wanted.has(scope)));
}

const refuse = (reason: Reason): OAuthError =>
  new OAuthError(
    "invalid_grant",
    reason,
    "The refresh token is not valid: it was used, has expired or was revoked. Sign in again.",
  );
