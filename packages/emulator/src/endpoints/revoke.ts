import { decodeJwt } from "jose";
import { authenticateClient } from "../http/client-authentication.ts";
import { OAuthError } from "../http/oauth-error.ts";
import { oauthJson } from "../http/oauth-json.ts";
import { isForm, readParameters } from "../http/parameters.ts";
import type { Emulation } from "../state/emulation.ts";
import type { AppContext } from "./app-env.ts";

/**
 * POST /oauth2/revoke (RFC 7009) for refresh tokens. Ends the sign-in and every token that came of it: refresh and
 * userInfo refuse them, while a JWT checked offline stays good until its `exp`. An unknown token is answered as a
 * known one.
 */
export async function revoke(emulation: Emulation, c: AppContext): Promise<Response> {
  try {
    if (!isForm(c.req.header("content-type"))) throw new OAuthError("invalid_request", "the body is not a form");
    const form = readParameters(new URLSearchParams(await c.req.text()));
    const client = authenticateClient(emulation, c.req.header("authorization"), form);
    const { token } = form.values;
    if (!client.enableTokenRevocation)
      throw new OAuthError("invalid_request", "token revocation is off for the client");
    if (token === undefined || form.repeated.size > 0) throw new OAuthError("invalid_request", "needs one token");
    if (isIssuedJwt(token)) throw new OAuthError("unsupported_token_type", "only refresh tokens can be revoked");
    const record = emulation.signIns.refreshToken(token);
    if (record?.signIn.clientId === client.id) emulation.signIns.revoke(record.signIn);
    return c.body(null, 200);
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    emulation.logger.info("revocation refused", { error: error.code, reason: error.reason });
    // Here, unlike at the token endpoint, a failed client authentication is a 401 with the bare code.
    if (error.code === "invalid_client") return oauthJson(emulation.random, 401, { error: error.code });
    return oauthJson(emulation.random, 400, error.body);
  }
}

function isIssuedJwt(token: string): boolean {
  try {
    const { token_use: use } = decodeJwt(token);
    return use === "access" || use === "id";
  } catch {
    return false;
  }
}
