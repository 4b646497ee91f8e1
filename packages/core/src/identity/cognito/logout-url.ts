import type { CognitoContext } from "./token-request.ts";

/**
 * Where Cognito ends its own browser session. Not OpenID Connect's logout: there is no `id_token_hint`, and `logout_uri`
 * must be one of the app client's sign-out URLs, exactly. Source: Cognito Developer Guide, "Logout endpoint".
 */
export function logoutUrl(context: CognitoContext, returnTo: string): URL {
  const url = new URL(context.endpoints.logout);
  url.searchParams.set("client_id", context.settings.clientId);
  url.searchParams.set("logout_uri", returnTo);
  return url;
}
