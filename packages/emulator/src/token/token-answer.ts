import type { Client } from "../state/client-directory.ts";
import type { UserTokens } from "./user-tokens.ts";

/** The body of a successful token response. There is never a `scope` member. */
export interface TokenAnswer {
  readonly access_token: string;
  readonly id_token?: string;
  readonly refresh_token?: string;
  readonly token_type: "Bearer";
  /** Seconds. */
  readonly expires_in: number;
}

/** The answer for a user. A refresh has a `refresh_token` only where tokens rotate. */
export function userTokenAnswer(client: Client, tokens: UserTokens, refreshToken?: string): TokenAnswer {
  return {
    access_token: tokens.accessToken,
    ...(tokens.idToken !== undefined && { id_token: tokens.idToken }),
    ...(refreshToken !== undefined && { refresh_token: refreshToken }),
    token_type: "Bearer",
    expires_in: client.accessTokenValidity,
  };
}
