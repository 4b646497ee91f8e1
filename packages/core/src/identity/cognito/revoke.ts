import * as oauth from "oauth4webapi";
import { clientAuthentication } from "./client-authentication.ts";
import { answerError } from "./errors.ts";
import { requestName } from "./provider-fetch.ts";
import { authorizationServer, type CognitoContext, requestOptions, viaOauth4webapi } from "./token-request.ts";

/**
 * Revokes a refresh token and what was issued with it (RFC 7009). Cognito answers 200 for a token it does not know.
 * Source: Cognito Developer Guide, "Revoke endpoint".
 */
export async function revoke(context: CognitoContext, refreshToken: string): Promise<void> {
  const { endpoints, settings } = context;
  const response = await viaOauth4webapi("the revocation request", () =>
    oauth.revocationRequest(
      // The issuer plays no part in this request, so discovery is not needed for it.
      authorizationServer(endpoints, endpoints.revocation.origin),
      { client_id: settings.clientId },
      clientAuthentication(settings.clientSecret),
      refreshToken,
      requestOptions(context),
    ),
  );
  if (response.status === 200) return;
  throw answerError(requestName(endpoints.revocation, "POST"), response.status, await response.text(), "own");
}
