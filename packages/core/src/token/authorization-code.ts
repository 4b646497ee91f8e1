import type { VerifiedClient } from "../clients/index.ts";
import { OAuthError } from "../errors/index.ts";
import { codeHolder, redeemCode } from "../grants/index.ts";
import type { Parameters } from "../http/index.ts";
import type { TokenDeps } from "./deps.ts";
import { resourceParameter } from "./resource-parameter.ts";
import type { TokenLimits } from "./token-limits.ts";
import { type TokenResponse, tokenResponse } from "./token-response.ts";

/** RFC 7636 §4.1 */
const verifierForm = /^[A-Za-z0-9._~-]{43,128}$/;

/** `grant_type=authorization_code` (RFC 6749 §4.1.3, RFC 7636 §4.5). */
export async function authorizationCode(
  deps: TokenDeps,
  client: VerifiedClient,
  form: Parameters,
  limits: TokenLimits,
): Promise<TokenResponse> {
  const code = form.get("code");
  const codeVerifier = form.get("code_verifier");
  if (code === undefined) throw new OAuthError("invalid_request", "malformed_request", "code is missing");
  if (codeVerifier === undefined) throw new OAuthError("invalid_request", "pkce_missing", "code_verifier is missing");
  if (!verifierForm.test(codeVerifier)) {
    throw new OAuthError(
      "invalid_request",
      "pkce_malformed",
      "code_verifier must have 43 to 128 characters of A-Z a-z 0-9 - . _ ~",
    );
  }
  const waiting = await codeHolder(deps, { code, codeVerifier, clientId: client.clientId });
  if (waiting) await limits.user(waiting);
  const live = await redeemCode(deps, {
    code,
    codeVerifier,
    clientId: client.clientId,
    redirectUri: form.get("redirect_uri"),
    resource: resourceParameter(deps, form),
  });
  // A kill switch that was thrown since the sign-in ends the grant before it has given anything.
  const judgement = await deps.judge.judgeAfresh(live.grantId);
  if (judgement.holds === "no") {
    throw new OAuthError(
      "invalid_grant",
      judgement.reason,
      "The sign-in behind this code has been ended. Sign in again.",
    );
  }
  const answer = tokenResponse(deps, live, live.grant.scopes, "token.issued");
  // A client that did not register for refresh tokens gets none it could not use (RFC 7591 §2).
  if (client.grantTypes.includes("refresh_token")) return answer;
  const { refresh_token: _unusable, ...rest } = answer;
  return rest;
}
