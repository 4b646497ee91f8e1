import * as oauth from "oauth4webapi";
import type { IdentityProvider, UpstreamSession } from "../identity-provider.ts";
import { clientAuthentication } from "./client-authentication.ts";
import {
  authorizationServer,
  type CognitoContext,
  requestOptions,
  tokenAnswer,
  viaOauth4webapi,
} from "./token-request.ts";
import { userSession } from "./user-session.ts";

/**
 * Redeems the code of a callback (RFC 6749 §4.1.3, RFC 7636 §4.5). Cognito sends no `iss` with the callback; one that is
 * there must be the pool's (RFC 9207).
 */
export async function exchangeCode(
  context: CognitoContext,
  request: Parameters<IdentityProvider["exchangeCode"]>[0],
): Promise<UpstreamSession> {
  // A code is good once: what is needed to check the answer must be there before it is sent.
  await context.verifier.ready();
  const { issuer } = await context.discovery.get();
  const server = authorizationServer(context.endpoints, issuer);
  const client: oauth.Client = { client_id: context.settings.clientId };
  const response = await viaOauth4webapi("Cognito's callback", () =>
    oauth.authorizationCodeGrantRequest(
      server,
      client,
      clientAuthentication(context.settings.clientSecret),
      oauth.validateAuthResponse(server, client, request.callbackUrl, request.state),
      request.redirectUri,
      request.codeVerifier,
      requestOptions(context),
    ),
  );
  const tokens = await tokenAnswer(context, response, "own");
  return await userSession(context, tokens, { nonce: request.nonce });
}
