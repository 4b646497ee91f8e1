import { IdentityProviderError, type UpstreamSession } from "../identity-provider.ts";
import { identityFromClaims } from "./identity-from-claims.ts";
import type { CognitoContext, TokenAnswer } from "./token-request.ts";
import { userInfo } from "./user-info.ts";
import type { AccessTokenClaims, IdTokenClaims } from "./verify-tokens.ts";

/** What is known of the user before a token answer is read. */
type Expected =
  | {
      /** At sign-in: what we sent. */
      readonly nonce: string;
    }
  | {
      /** At renewal: the user whose session it is (OpenID Connect Core §12.2). */
      readonly sub: string;
      /** What we sent, kept where Cognito gives no new one (rotation off). */
      readonly refreshToken: string;
      /** Told a new refresh token before anything else is asked for. */
      readonly keepRotated: (refreshToken: string) => Promise<void>;
      /** When the renewal must be over, by the monotonic clock, ms. */
      readonly deadline: number;
    };

/**
 * Verifies both tokens of an answer, asks userInfo where that is configured, and makes the session of them. They must
 * all be of the same user.
 */
export async function userSession(
  context: CognitoContext,
  tokens: TokenAnswer,
  expected: Expected,
): Promise<UpstreamSession> {
  const { id, access } = await verifiedTokens(context, tokens, expected);
  const authTime = id.auth_time ?? access.auth_time;
  if (authTime === undefined) throw new IdentityProviderError("invalid_response", "Cognito's tokens have no auth_time");
  const { settings } = context;
  const renewal = "sub" in expected ? expected : undefined;
  const refreshToken = tokens.refresh_token ?? renewal?.refreshToken;
  const accessToken = { token: tokens.access_token, expiresAt: access.exp * 1000 };
  const session = { ...(refreshToken === undefined ? {} : { refreshToken }), authTime, accessToken };
  if (!settings.userInfo) return { identity: identityFromClaims({ id, access }, settings.claims), ...session };

  if (renewal && tokens.refresh_token !== undefined) await renewal.keepRotated(tokens.refresh_token);
  const info = await userInfo(context, {
    accessToken: tokens.access_token,
    sub: id.sub,
    ...(renewal ? { within: renewal.deadline - context.clock.monotonic() } : {}),
  });
  return { identity: identityFromClaims({ id, access, info }, settings.claims), ...session };
}

async function verifiedTokens(
  context: CognitoContext,
  tokens: TokenAnswer,
  expected: Expected,
): Promise<{ readonly id: IdTokenClaims; readonly access: AccessTokenClaims }> {
  if (tokens.id_token === undefined) throw new IdentityProviderError("invalid_response", "Cognito sent no ID token");
  const { clientId, resource } = context.settings;
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
  if (resource !== undefined && access.aud !== resource) {
    const found = access.aud === undefined ? "has no aud" : "has another aud";
    throw new IdentityProviderError(
      "invalid_response",
      `Cognito's access token ${found} than cognito.resource; binding needs managed login on the Essentials or Plus tier`,
    );
  }
  return { id, access };
}
