import { z } from "zod";
import { OAuthError } from "../http/oauth-error.ts";
import type { Parameters } from "../http/parameters.ts";
import { randomText, secretEqual, sha256 } from "../runtime.ts";
import { unreadableScope } from "../scopes/readable-attributes.ts";
import type { Client } from "../state/client-directory.ts";
import type { Emulation } from "../state/emulation.ts";
import { beginSignIn } from "./begin-sign-in.ts";
import { readGrant } from "./read-grant.ts";
import { type TokenAnswer, userTokenAnswer } from "./token-answer.ts";
import { issueUserTokens } from "./user-tokens.ts";

const shape = z.object({
  code: z.string(),
  redirect_uri: z.string(),
  code_verifier: z.string().optional(),
});

/**
 * `grant_type=authorization_code` (RFC 6749 section 4.1.3, RFC 7636). The code is spent by any attempt of its own
 * client, successful or not.
 */
export async function redeemCode(emulation: Emulation, client: Client, form: Parameters): Promise<TokenAnswer> {
  const request = readGrant(shape, form);
  if (!client.allowedOAuthFlows.includes("code")) {
    throw new OAuthError("unauthorized_client", "the client may not use the authorization code flow");
  }
  const issued = emulation.signIns.takeCode(request.code, client.id);
  if (issued === undefined) throw new OAuthError("invalid_grant", "the code is unknown, used, expired or not its own");
  if (request.redirect_uri !== issued.redirectUri) {
    throw new OAuthError("unauthorized_client", "redirect_uri is not the one of the authorization request");
  }
  if (!provesChallenge(issued.codeChallenge, request.code_verifier)) {
    throw new OAuthError("invalid_grant", "code_verifier does not fit the code_challenge");
  }
  const unreadable = unreadableScope(client, issued.scopes);
  if (unreadable !== undefined) {
    throw new OAuthError("invalid_grant", `the client may not read the attributes of the scope ${unreadable}`);
  }
  const { resource } = issued;
  if (
    resource !== undefined &&
    emulation.settings.requireResourceServer &&
    !emulation.scopes.isResourceServer(resource)
  ) {
    throw new OAuthError("invalid_grant", "no resource server has the requested resource as identifier");
  }
  const user = emulation.users.bySub(issued.sub);
  if (user?.enabled !== true) throw new OAuthError("invalid_grant", "the user is disabled or deleted");

  const signIn = beginSignIn(emulation, client, issued);
  // For whoever comes from an identity provider Cognito makes a nonce where the request had none.
  const made = user.identityProvider === undefined ? undefined : randomText(emulation.random, 32);
  const tokens = await issueUserTokens(emulation, { client, user, signIn, nonce: issued.nonce ?? made });
  const refreshToken = emulation.signIns.issueRefreshToken(signIn, client.refreshTokenValidity);
  return userTokenAnswer(client, tokens, refreshToken);
}

function provesChallenge(challenge: string | undefined, verifier: string | undefined): boolean {
  if (challenge === undefined || verifier === undefined) return challenge === verifier;
  return secretEqual(challenge, sha256(verifier));
}
