import type { ServerConfig } from "./section.ts";

/** The path at which the gateway answers for a server, on its own host name. */
export const pathOf = (server: Pick<ServerConfig, "name">): string => `/${server.name}/mcp`;

/** The path of the MCP endpoint on a host name that a server has to itself. */
export const pathOnHost = "/mcp";

/** The public URLs of a server on host names of its own. */
export const hostUrls = (baseUrl: string, server: Pick<ServerConfig, "hosts">): string[] =>
  server.hosts.map((host) => `${new URL(baseUrl).protocol}//${host}${pathOnHost}`);

/** An entry of the library's `resources` setting. */
export interface ResourceEntry {
  readonly path: string;
  readonly urls: string[];
  readonly name: string;
  readonly requiredScopes: string[];
  /** Milliseconds. */
  readonly accessTtl: number | undefined;
}

/** The protected resources that the servers are: one for each URL, so that a token for one opens no other. */
export const resourcesFor = (config: {
  readonly baseUrl: string;
  readonly servers: readonly ServerConfig[];
}): ResourceEntry[] =>
  config.servers.map((server) => ({
    path: pathOf(server),
    urls: hostUrls(config.baseUrl, server),
    name: server.title ?? server.name,
    requiredScopes: [...server.requiredScopes],
    accessTtl: server.accessTtl,
  }));
