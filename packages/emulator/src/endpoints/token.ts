import { authenticateClient } from "../http/client-authentication.ts";
import { OAuthError } from "../http/oauth-error.ts";
import { oauthJson } from "../http/oauth-json.ts";
import { isForm, type Parameters, readParameters } from "../http/parameters.ts";
import { protectForm } from "../http/sign-in-form-check.ts";
import type { Client } from "../state/client-directory.ts";
import type { Emulation } from "../state/emulation.ts";
import { redeemCode } from "../token/authorization-code.ts";
import { clientCredentials } from "../token/client-credentials.ts";
import { refresh } from "../token/refresh-token.ts";
import type { TokenAnswer } from "../token/token-answer.ts";
import type { AppContext } from "./app-env.ts";

type Grant = (emulation: Emulation, client: Client, form: Parameters) => Promise<TokenAnswer>;

const grants: ReadonlyMap<string, Grant> = new Map([
  ["authorization_code", redeemCode],
  ["refresh_token", refresh],
  ["client_credentials", clientCredentials],
]);

/** POST /oauth2/token. Every refusal is HTTP 400, `invalid_client` too, and mostly without a description. */
export async function token(emulation: Emulation, c: AppContext): Promise<Response> {
  try {
    if (!isForm(c.req.header("content-type"))) throw new OAuthError("invalid_request", "the body is not a form");
    const form = readParameters(new URLSearchParams(await c.req.text()));
    const { grant_type: grantType } = form.values;
    if (form.repeated.size > 0) throw new OAuthError("invalid_request", "a parameter came twice");
    if (grantType === undefined) throw new OAuthError("invalid_request", "grant_type is missing");
    const grant = grants.get(grantType);
    if (grant === undefined) throw new OAuthError("unsupported_grant_type", "the grant_type is not known");
    const client = authenticateClient(emulation, c.req.header("authorization"), form);
    return oauthJson(emulation.random, 200, await grant(emulation, client, form));
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    emulation.logger.info("token request refused", { error: error.code, reason: error.reason });
    return oauthJson(emulation.random, 400, error.body);
  }
}

/** Any other method: 405 with an empty body, and oddly with an XSRF-TOKEN cookie. */
export function tokenWrongMethod(emulation: Emulation, c: AppContext): Response {
  const { cookie } = protectForm(emulation, c.req.header("cookie"));
  return c.body(null, 405, { allow: "POST", "set-cookie": cookie });
}
