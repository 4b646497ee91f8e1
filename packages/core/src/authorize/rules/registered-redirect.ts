import { type Client, matchRedirectUri, type ValidatedRedirect } from "../../clients/index.ts";
import { OAuthError } from "../../errors/index.ts";

/**
 * Rule 2: `redirect_uri` is one of the client's own, compared exactly, loopback ports aside (OAuth 2.1 §2.3.1, RFC 8252
 * §7.3). It may be left out by a client that has exactly one. Never answered by a redirect.
 */
export function registeredRedirect(presented: string | undefined, client: Client): ValidatedRedirect {
  const only = client.redirectUris.length === 1 ? client.redirectUris[0] : undefined;
  const asked = presented ?? only;
  if (asked === undefined) throw new OAuthError("invalid_request", "malformed_request", "redirect_uri is missing");
  const redirect = matchRedirectUri(client.redirectUris, asked);
  if (!redirect) {
    throw new OAuthError(
      "invalid_request",
      "redirect_uri_not_registered",
      "redirect_uri is not one that this app registered",
    );
  }
  return redirect;
}
