import type { Capabilities } from "../capabilities/capabilities.ts";

/** Paths of the endpoints below `base_url`. */
export const endpointPaths = {
  authorize: "/authorize",
  consent: "/consent",
  callback: "/auth/callback",
  token: "/token",
  register: "/register",
  revoke: "/revoke",
} as const;

/** Authorization server metadata (RFC 8414 §2). Built from what is served and nothing else. */
export function authorizationServerMetadata(server: {
  readonly issuer: string;
  readonly baseUrl: string;
  readonly capabilities: Capabilities;
  readonly scopes: readonly string[];
}): Readonly<Record<string, unknown>> {
  const { issuer, baseUrl, capabilities } = server;
  return {
    issuer,
    authorization_endpoint: `${baseUrl}${endpointPaths.authorize}`,
    token_endpoint: `${baseUrl}${endpointPaths.token}`,
    ...(capabilities.registration ? { registration_endpoint: `${baseUrl}${endpointPaths.register}` } : {}),
    revocation_endpoint: `${baseUrl}${endpointPaths.revoke}`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    // offline_access stands here alone, never in a challenge or in protected resource metadata: clients that see it ask
    // for a refresh token in so many words.
    scopes_supported: [...server.scopes, "offline_access"],
    response_types_supported: ["code"],
    response_modes_supported: ["query"],
    grant_types_supported: capabilities.grantTypes,
    token_endpoint_auth_methods_supported: capabilities.tokenEndpointAuthMethods,
    revocation_endpoint_auth_methods_supported: capabilities.tokenEndpointAuthMethods,
    code_challenge_methods_supported: ["S256"],
    authorization_response_iss_parameter_supported: true,
  };
}

/**
 * The same as an OpenID provider configuration, for clients that only look there. The two further members are ones that
 * OpenID Connect Discovery §3 requires; no ID token is issued.
 */
export const openidConfiguration = (
  metadata: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> => ({
  ...metadata,
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["ES256"],
});
