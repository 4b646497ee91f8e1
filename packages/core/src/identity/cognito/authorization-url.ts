import type { IdentityProvider } from "../identity-provider.ts";
import type { CognitoContext } from "./token-request.ts";

type AuthorizationRequest = Parameters<IdentityProvider["authorizationUrl"]>[0];

/**
 * The authorization request. The scopes are the configured ones, whatever a client asked us for; Cognito knows PKCE with
 * S256 only. Source: Cognito Developer Guide, "Authorize endpoint".
 */
export function authorizationUrl(context: CognitoContext, request: AuthorizationRequest): URL {
  const { settings } = context;
  const url = new URL(context.endpoints.authorization);
  const parameters: Readonly<Record<string, string | undefined>> = {
    response_type: "code",
    client_id: settings.clientId,
    redirect_uri: request.redirectUri,
    scope: settings.scopes.join(" "),
    state: request.state,
    nonce: request.nonce,
    code_challenge: request.codeChallenge,
    code_challenge_method: "S256",
    // What the client asks for goes before what the administrator would like.
    prompt: request.prompt ?? settings.prompt,
    login_hint: request.loginHint,
    identity_provider: settings.identityProvider,
    idp_identifier: settings.idpIdentifier,
    lang: settings.lang,
    acr_values: settings.acrValues.length === 0 ? undefined : settings.acrValues.join(" "),
    resource: settings.resource,
  };
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url;
}
