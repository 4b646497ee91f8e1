import type { ProtectedResource } from "../verify/index.ts";

/** Protected resource metadata (RFC 9728 §2). */
export const protectedResourceMetadata = (
  resource: ProtectedResource,
  issuer: string,
  scopes: readonly string[],
): Readonly<Record<string, unknown>> => ({
  resource: resource.url,
  authorization_servers: [issuer],
  scopes_supported: scopes,
  bearer_methods_supported: ["header"],
  resource_name: resource.name,
});
