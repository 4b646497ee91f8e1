import * as oauth from "oauth4webapi";
import { type IdentityProvider, IdentityProviderError, type MachineSession } from "../identity-provider.ts";
import { clientAuthentication } from "./client-authentication.ts";
import {
  authorizationServer,
  type CognitoContext,
  requestOptions,
  tokenAnswer,
  viaOauth4webapi,
} from "./token-request.ts";

/**
 * The client credentials grant (RFC 6749 §4.4) with what a machine presented. Cognito gives all scopes of the app client
 * where none is asked for, and its answer has no `scope`: what was given stands in the token.
 */
export async function clientCredentials(
  context: CognitoContext,
  request: Parameters<IdentityProvider["clientCredentials"]>[0],
): Promise<MachineSession> {
  if (request.clientId === "" || request.clientSecret === "") {
    throw new IdentityProviderError("refused", "a machine client needs an id and a secret");
  }
  // Cognito bills each token: none is asked for that could not be checked.
  await context.verifier.ready();
  const { issuer } = await context.discovery.get();
  const response = await viaOauth4webapi("the client credentials request", () =>
    oauth.clientCredentialsGrantRequest(
      authorizationServer(context.endpoints, issuer),
      { client_id: request.clientId },
      clientAuthentication(request.clientSecret),
      new URLSearchParams(request.scopes.length === 0 ? {} : { scope: request.scopes.join(" ") }),
      requestOptions(context),
    ),
  );
  const tokens = await tokenAnswer(context, response, "machine");
  const access = await context.verifier.accessToken(tokens.access_token, { clientId: request.clientId });
  return { scopes: scopesOf(access.scope), expiresAt: Math.floor(access.exp * 1000) };
}

/** The scopes of a token's `scope` claim (RFC 6749 §3.3). */
export const scopesOf = (scope: string | undefined): readonly string[] =>
  (scope ?? "").split(" ").filter((name) => name !== "");
