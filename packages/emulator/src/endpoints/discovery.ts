import type { Addresses } from "../state/emulation.ts";

/**
 * The members of `/.well-known/openid-configuration`, exactly those of Cognito: no
 * `code_challenge_methods_supported`, no `registration_endpoint`, no `grant_types_supported`, no custom scopes.
 */
export function discoveryDocument({ url, issuer, jwksUri }: Addresses): Readonly<Record<string, string | string[]>> {
  return {
    authorization_endpoint: `${url}/oauth2/authorize`,
    end_session_endpoint: `${url}/logout`,
    id_token_signing_alg_values_supported: ["RS256"],
    issuer,
    jwks_uri: jwksUri,
    response_types_supported: ["code", "token"],
    revocation_endpoint: `${url}/oauth2/revoke`,
    scopes_supported: ["openid", "email", "phone", "profile"],
    subject_types_supported: ["public"],
    token_endpoint: `${url}/oauth2/token`,
    token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
    userinfo_endpoint: `${url}/oauth2/userInfo`,
  };
}
