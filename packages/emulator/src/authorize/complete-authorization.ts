import { withFragment, withQuery } from "../http/redirect-url.ts";
import type { Emulation } from "../state/emulation.ts";
import type { Session } from "../state/sessions.ts";
import type { User } from "../state/user-directory.ts";
import { beginSignIn } from "../token/begin-sign-in.ts";
import { issueUserTokens } from "../token/user-tokens.ts";
import type { AuthorizationRequest } from "./authorization-request.ts";

/**
 * Where the browser goes once its user is known: to the redirect URI with a code, or for the implicit flow with tokens
 * in the fragment and never a refresh token. There is no consent page, and no `iss` (RFC 9207).
 */
export async function completeAuthorization(
  emulation: Emulation,
  request: AuthorizationRequest,
  { user, session }: { user: User; session: Session },
): Promise<string> {
  const { client, redirectUri, scopes, state, nonce, codeChallenge, resource, wantsAcr } = request;
  const granted = {
    sub: user.sub,
    scopes,
    authTime: session.authTime,
    ...(resource !== undefined && { resource }),
    wantsAcr,
  };
  if (request.responseType === "code") {
    const code = emulation.signIns.issueCode({
      ...granted,
      clientId: client.id,
      redirectUri,
      ...(codeChallenge !== undefined && { codeChallenge }),
      ...(nonce !== undefined && { nonce }),
    });
    return withQuery(redirectUri, [
      ["code", code],
      ["state", state],
    ]);
  }
  const signIn = beginSignIn(emulation, client, granted);
  const { accessToken, idToken } = await issueUserTokens(emulation, { client, user, signIn, nonce });
  return withFragment(redirectUri, [
    ["id_token", idToken],
    ["access_token", accessToken],
    ["token_type", "bearer"],
    ["expires_in", String(client.accessTokenValidity)],
    ["state", state],
  ]);
}
