import type { IncomingMessage } from "node:http";
import { hostUrls, pathOf, pathOnHost } from "../config/resources.ts";
import type { ServerConfig } from "../config/section.ts";
import { hostsOf } from "./check-host.ts";
import type { Upstream } from "./upstream.ts";
import type { UpstreamCredential } from "./upstream-credential.ts";

/** Everything about a server, at one of its public URLs, that does not change from request to request. */
export interface Route {
  readonly name: string;
  /** Canonical URL of the protected resource: the one that was asked for. */
  readonly resource: string;
  /** Web origin of that URL. */
  readonly origin: string;
  /** Whether it was found by a host name of the server's own. */
  readonly onOwnHost: boolean;
  /** The way to the server. */
  readonly upstream: Upstream;
  /** What the server is shown; undefined for one that wants nothing. */
  readonly credential: UpstreamCredential | undefined;
  /** `Host` for the upstream. */
  readonly host: string;
}

/** The public URLs of all servers. */
export interface Routes {
  /** By exact path on the gateway's own host: no router, no decoding, so `//`, `%2F` and dot segments meet nothing. */
  readonly byPath: ReadonlyMap<string, Route>;
  /** By the host names that servers have to themselves, in small letters, as `Host` may give them. */
  readonly byHost: ReadonlyMap<string, Route>;
  /** By name of the server: the resources that it is besides the one at its path. */
  readonly further: ReadonlyMap<string, readonly string[]>;
}

/** What belongs to a server whichever of its URLs is used. */
export type ServerParts = Pick<Route, "upstream" | "credential">;

/**
 * @param baseUrl public URL without a trailing slash
 * @param partsOf asked once for each server, with the URL below the base URL
 */
export function createRoutes(
  baseUrl: string,
  servers: readonly ServerConfig[],
  partsOf: (server: ServerConfig, resource: string) => ServerParts,
): Routes {
  const byPath = new Map<string, Route>();
  const byHost = new Map<string, Route>();
  const further = new Map<string, readonly string[]>();
  const { origin } = new URL(baseUrl);
  for (const server of servers) {
    const path = pathOf(server);
    const resource = `${baseUrl}${path}`;
    const { upstream, credential } = partsOf(server, resource);
    const shared = { name: server.name, upstream, credential, host: new URL(server.url).host };
    byPath.set(path, { ...shared, resource, origin, onOwnHost: false });
    const urls = hostUrls(baseUrl, server);
    further.set(server.name, urls);
    for (const text of urls) {
      const url = new URL(text);
      const route: Route = { ...shared, resource: text, origin: url.origin, onOwnHost: true };
      for (const host of hostsOf(url)) byHost.set(host, route);
    }
  }
  return { byPath, byHost, further };
}

/** What a request is for: a server's endpoint, something that others answer, nothing, or somebody else's host name. */
export type Destination = Route | "elsewhere" | "nothing" | "unknown host";

/** Where RFC 9728 has what describes a resource. */
const metadataPath = "/.well-known/oauth-protected-resource";

/**
 * Where a request goes. `Host` only chooses among names of the settings. A target's query is no part of it: it is
 * neither judged nor forwarded.
 */
export function findRoute(
  { byPath, byHost }: Routes,
  req: Pick<IncomingMessage, "url" | "headers" | "socket">,
  isOwnHost: (host: string | undefined, localAddress: string | undefined) => boolean,
): Destination {
  const path = pathIn(req.url ?? "");
  // Node makes an object of all headers for whoever asks for one: most requests need none.
  const named = byHost.size === 0 ? undefined : byHost.get((req.headers.host ?? "").toLowerCase());
  if (named !== undefined) {
    if (path === pathOnHost) return named;
    return path === metadataPath || path === `${metadataPath}${pathOnHost}` ? "elsewhere" : "nothing";
  }
  const route = byPath.get(path);
  if (route !== undefined) return route;
  return path === pathOnHost && !isOwnHost(req.headers.host, req.socket.localAddress) ? "unknown host" : "elsewhere";
}

function pathIn(target: string): string {
  const query = target.indexOf("?");
  return query < 0 ? target : target.slice(0, query);
}
