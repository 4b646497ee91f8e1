import { z } from "zod";
import { OAuthError } from "../http/oauth-error.ts";
import type { Parameters } from "../http/parameters.ts";
import type { Client } from "../state/client-directory.ts";
import type { Emulation } from "../state/emulation.ts";
import { readGrant } from "./read-grant.ts";
import { type TokenAnswer, userTokenAnswer } from "./token-answer.ts";
import { issueUserTokens } from "./user-tokens.ts";

const shape = z.object({ refresh_token: z.string() });

/**
 * `grant_type=refresh_token`. Keeps `auth_time`, `origin_jti` and `aud` of the sign-in; groups and attributes are those
 * of now. With rotation the answer holds a new refresh token, and the old one works on for the grace period; a later
 * use is `invalid_grant` and ends nothing else.
 */
export async function refresh(emulation: Emulation, client: Client, form: Parameters): Promise<TokenAnswer> {
  const { refresh_token: presented } = readGrant(shape, form);
  const { signIns, users } = emulation;
  if (client.allowedOAuthFlows.includes("client_credentials")) {
    throw new OAuthError("unauthorized_client", "the client may not use refresh tokens");
  }
  const record = signIns.refreshToken(presented);
  if (record === undefined || record.signIn.clientId !== client.id) {
    throw new OAuthError("invalid_grant", "the refresh token is unknown, rotated, revoked, expired or not its own");
  }
  const user = users.bySub(record.signIn.sub);
  if (user?.enabled !== true) throw new OAuthError("invalid_grant", "the user is disabled or deleted");

  const { enabled, retryGracePeriodSeconds } = client.refreshTokenRotation;
  // Rotated before anything is awaited: of two requests at once, the second already meets the rotated token.
  const successor = enabled ? signIns.rotate(presented, record, retryGracePeriodSeconds) : undefined;
  const tokens = await issueUserTokens(emulation, { client, user, signIn: record.signIn });
  return userTokenAnswer(client, tokens, successor);
}
