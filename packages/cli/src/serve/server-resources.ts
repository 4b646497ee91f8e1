import { type GatewayConfig, type ResourceEntry, resourcesFor, type ServerConfig } from "@sallyport/gateway";
import type { CoreConfig } from "sallyport";

type Settings = Pick<GatewayConfig, "servers"> & Pick<CoreConfig, "baseUrl" | "requiredScopes">;

/** The servers with the scopes required of all: these hold for each server that names none of its own. */
export const serversWithScopes = ({ servers, requiredScopes }: Settings): ServerConfig[] =>
  servers.map((server) =>
    server.requiredScopes.length > 0 ? server : { ...server, requiredScopes: [...requiredScopes] },
  );

/** The protected resources that the servers are. */
export const serverResources = (settings: Settings): ResourceEntry[] =>
  resourcesFor({ baseUrl: settings.baseUrl, servers: serversWithScopes(settings) });
