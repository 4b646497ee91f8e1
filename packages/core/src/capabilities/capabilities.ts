import type { CoreConfig } from "../config/section.ts";

/**
 * What this deployment supports, computed once from the configuration. Metadata, registration and the token endpoint all
 * read it, so that nothing is advertised that is not served.
 */
export interface Capabilities {
  readonly grantTypes: readonly GrantType[];
  /** Grant types that a registered or dynamic client may hold; `client_credentials` is an administrator's matter. */
  readonly clientGrantTypes: readonly GrantType[];
  readonly tokenEndpointAuthMethods: readonly AuthMethod[];
  readonly registration: boolean;
}

export type GrantType = "authorization_code" | "refresh_token" | "client_credentials";
export type AuthMethod = "none" | "client_secret_basic" | "client_secret_post";

export function capabilitiesOf(config: Pick<CoreConfig, "machines" | "registration">): Capabilities {
  const clientGrantTypes: GrantType[] = ["authorization_code", "refresh_token"];
  const machines: GrantType[] = Object.keys(config.machines).length > 0 ? ["client_credentials"] : [];
  return {
    grantTypes: [...clientGrantTypes, ...machines],
    clientGrantTypes,
    tokenEndpointAuthMethods: ["none", "client_secret_basic", "client_secret_post"],
    registration: config.registration.enabled,
  };
}
