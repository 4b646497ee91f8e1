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
 * Renews a user's session (RFC 6749 §6). With rotation on, Cognito sends a new refresh token; else the one that was sent
 * stays good. The ID token needs no nonce here.
 */
export async function refresh(
  context: CognitoContext,
  request: Parameters<IdentityProvider["refresh"]>[0],
): Promise<UpstreamSession> {
  // With rotation the answer is the only copy of the new token: it must be possible to check it at once.
  await context.verifier.ready();
  const { issuer } = await context.discovery.get();
  // Whatever is asked in addition shares the time of one request: the caller holds a lease that is little longer.
  const deadline = context.clock.monotonic() + context.settings.timeoutMs;
  const response = await viaOauth4webapi("the refresh request", () =>
    oauth.refreshTokenGrantRequest(
      authorizationServer(context.endpoints, issuer),
      { client_id: context.settings.clientId },
      clientAuthentication(context.settings.clientSecret),
      request.refreshToken,
      requestOptions(context),
    ),
  );
  const tokens = await tokenAnswer(context, response, "own");
  return await userSession(context, tokens, {
    sub: request.sub,
    refreshToken: request.refreshToken,
    keepRotated: request.keepRotated ?? (async () => {}),
    deadline,
  });
}
