import { hasOwnKeys } from "../config/own-keys.ts";
import type { CoreConfig } from "../config/section.ts";
import { type SignatureAlgorithm, signatureAlgorithms } from "../crypto/index.ts";

/**
 * What this deployment supports, computed once from the configuration. Metadata, registration and the token endpoint all
 * read it, so that nothing is advertised that is not served.
 */
export interface Capabilities {
  readonly grantTypes: readonly GrantType[];
  /** Grant types that a registered or dynamic client may hold; `client_credentials` is an administrator's matter. */
  readonly clientGrantTypes: readonly GrantType[];
  /** How a client of any kind may authenticate, machines included. */
  readonly tokenEndpointAuthMethods: readonly AuthMethod[];
  /** What an assertion may be signed with; empty where nobody may bring one. */
  readonly assertionAlgorithms: readonly SignatureAlgorithm[];
  readonly registration: boolean;
  /** Whether a client's id may be the URL of its metadata document. */
  readonly metadataDocuments: boolean;
  /** Whether there is anyone who may ask about tokens. */
  readonly introspection: boolean;
}

export type GrantType = "authorization_code" | "refresh_token" | "client_credentials";
export type AuthMethod = "none" | "client_secret_basic" | "client_secret_post" | "private_key_jwt";

export function capabilitiesOf(
  config: Pick<CoreConfig, "clients" | "machines" | "metadataDocuments" | "registration" | "resourceServers">,
): Capabilities {
  const clientGrantTypes: GrantType[] = ["authorization_code", "refresh_token"];
  const methods = authMethodsOf(config);
  const machines: GrantType[] = Object.keys(config.machines).length > 0 ? ["client_credentials"] : [];
  return {
    grantTypes: [...clientGrantTypes, ...machines],
    clientGrantTypes,
    tokenEndpointAuthMethods: methods,
    assertionAlgorithms: methods.includes("private_key_jwt") ? signatureAlgorithms : [],
    registration: config.registration.enabled,
    metadataDocuments: config.metadataDocuments.enabled,
    introspection: Object.keys(config.resourceServers).length > 0,
  };
}

/** Every method that somebody may use here: who is configured, and who may come unasked. */
function authMethodsOf(config: Parameters<typeof capabilitiesOf>[0]): readonly AuthMethod[] {
  const { registration, metadataDocuments } = config;
  const clients = Object.values(config.clients);
  const machines = Object.values(config.machines);
  const isPublic = clients.some((client) => client.secretHashes.length === 0 && !hasOwnKeys(client));
  const withSecret = clients.some(({ secretHashes }) => secretHashes.length > 0) || !machines.every(hasOwnKeys);
  const withKeys = [...clients, ...machines].some(hasOwnKeys);
  const mayBePublic = registration.enabled && registration.publicClientPatterns.length > 0;
  const methods: AuthMethod[] = [];
  if (isPublic || mayBePublic || metadataDocuments.enabled) methods.push("none");
  if (withSecret || registration.enabled) methods.push("client_secret_basic", "client_secret_post");
  if (withKeys || registration.enabled || metadataDocuments.enabled) methods.push("private_key_jwt");
  return methods;
}
