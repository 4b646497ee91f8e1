import type { Capabilities } from "../capabilities/capabilities.ts";

/** Paths of the endpoints below `base_url`. */
export const endpointPaths = {
  authorize: "/authorize",
  consent: "/consent",
  callback: "/auth/callback",
  token: "/token",
  register: "/register",
  revoke: "/revoke",
  logout: "/logout",
  introspect: "/introspect",
} as const;

/** A resource server has a secret and nothing else. */
const introspectionAuthMethods = ["client_secret_basic", "client_secret_post"] as const;

/** Authorization server metadata (RFC 8414 §2). Built from what is served and nothing else. */
export function authorizationServerMetadata(server: {
  readonly issuer: string;
  readonly baseUrl: string;
  readonly capabilities: Capabilities;
  readonly scopes: readonly string[];
}): Readonly<Record<string, unknown>> {
  const { issuer, baseUrl, capabilities } = server;
  // RFC 8414 §2: they go with private_key_jwt, and none is listed without it.
  const algorithms = capabilities.assertionAlgorithms.length > 0 ? capabilities.assertionAlgorithms : undefined;
  return {
    issuer,
    authorization_endpoint: `${baseUrl}${endpointPaths.authorize}`,
    token_endpoint: `${baseUrl}${endpointPaths.token}`,
    ...(capabilities.registration ? { registration_endpoint: `${baseUrl}${endpointPaths.register}` } : {}),
    revocation_endpoint: `${baseUrl}${endpointPaths.revoke}`,
    ...(capabilities.introspection
      ? {
          introspection_endpoint: `${baseUrl}${endpointPaths.introspect}`,
          introspection_endpoint_auth_methods_supported: introspectionAuthMethods,
        }
      : {}),
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    // offline_access stands here alone, never in a challenge or in protected resource metadata: clients that see it ask
    // for a refresh token in so many words.
    scopes_supported: [...server.scopes, "offline_access"],
    response_types_supported: ["code"],
    response_modes_supported: ["query"],
    grant_types_supported: capabilities.grantTypes,
    token_endpoint_auth_methods_supported: capabilities.tokenEndpointAuthMethods,
    ...(algorithms && { token_endpoint_auth_signing_alg_values_supported: algorithms }),
    revocation_endpoint_auth_methods_supported: capabilities.tokenEndpointAuthMethods,
    ...(algorithms && { revocation_endpoint_auth_signing_alg_values_supported: algorithms }),
    code_challenge_methods_supported: ["S256"],
    authorization_response_iss_parameter_supported: true,
    ...(capabilities.metadataDocuments ? { client_id_metadata_document_supported: true } : {}),
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
