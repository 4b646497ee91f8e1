import { IdentityProviderError, type UpstreamSession } from "../identity-provider.ts";
import { identityFromClaims } from "./identity-from-claims.ts";
import type { CognitoContext, TokenAnswer } from "./token-request.ts";

/**
 * Verifies both tokens of an answer and makes the session of them. They must be of the same user.
 * @param expected.nonce at sign-in: what we sent
 * @param expected.sub at renewal: the user whose session it is (OpenID Connect Core §12.2)
 * @param expected.refreshToken at renewal: what we sent, kept where Cognito gives no new one (rotation off)
 */
export async function userSession(
  context: CognitoContext,
  tokens: TokenAnswer,
  expected: { readonly nonce: string } | { readonly sub: string; readonly refreshToken: string },
): Promise<UpstreamSession> {
  if (tokens.id_token === undefined) throw new IdentityProviderError("invalid_response", "Cognito sent no ID token");
  const { clientId } = context.settings;
  const id = await context.verifier.idToken(tokens.id_token, {
    clientId,
    ...("nonce" in expected ? { nonce: expected.nonce } : {}),
  });
  const access = await context.verifier.accessToken(tokens.access_token, { clientId });
  if (id.sub !== access.sub) {
    throw new IdentityProviderError("invalid_response", "Cognito's ID token and access token have different subjects");
  }
  if ("sub" in expected && id.sub !== expected.sub) {
    throw new IdentityProviderError("invalid_response", "Cognito renewed the session with another subject");
  }
  const authTime = id.auth_time ?? access.auth_time;
  if (authTime === undefined) throw new IdentityProviderError("invalid_response", "Cognito's tokens have no auth_time");
  const refreshToken = tokens.refresh_token ?? ("refreshToken" in expected ? expected.refreshToken : undefined);
  return {
    identity: identityFromClaims(id, access),
    ...(refreshToken === undefined ? {} : { refreshToken }),
    authTime,
  };
}
