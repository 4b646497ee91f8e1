import type { ServerConfig } from "./section.ts";

/** The path at which the gateway answers for a server. */
export const pathOf = (server: Pick<ServerConfig, "name">): string => `/${server.name}/mcp`;

/** An entry of the library's `resources` setting. */
export interface ResourceEntry {
  readonly path: string;
  readonly name: string;
  readonly requiredScopes: string[];
  /** Milliseconds. */
  readonly accessTtl: number | undefined;
}

/** The protected resources that the servers are: one each, so that a token for one opens no other. */
export const resourcesFor = (config: { readonly servers: readonly ServerConfig[] }): ResourceEntry[] =>
  config.servers.map((server) => ({
    path: pathOf(server),
    name: server.title ?? server.name,
    requiredScopes: [...server.requiredScopes],
    accessTtl: server.accessTtl,
  }));
