import type { Agent as HttpAgent } from "node:http";
import type { Agent as HttpsAgent } from "node:https";
import { pathOf } from "../config/resources.ts";
import type { ServerConfig } from "../config/section.ts";

/** Everything about a server that does not change from request to request. */
export interface Route {
  readonly name: string;
  /** Canonical URL of the protected resource. */
  readonly resource: string;
  /** Milliseconds until the upstream's response must have begun. */
  readonly timeout: number;
  readonly secure: boolean;
  /** `Host` for the upstream. */
  readonly host: string;
  readonly target: { readonly hostname: string; readonly port: string | null; readonly path: string };
}

/** Connections to upstreams, shared by all servers. */
export interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

/**
 * The routes by their exact path: no router, no decoding, so `//`, `%2F`, dot segments and other letters meet nothing.
 * @param baseUrl public URL without a trailing slash
 */
export function createRoutes(baseUrl: string, servers: readonly ServerConfig[]): ReadonlyMap<string, Route> {
  return new Map(
    servers.map((server): [string, Route] => {
      const url = new URL(server.url);
      const path = pathOf(server);
      return [
        path,
        {
          name: server.name,
          resource: `${baseUrl}${path}`,
          timeout: server.timeout,
          secure: url.protocol === "https:",
          host: url.host,
          target: {
            hostname: url.hostname.replace(/^\[|\]$/g, ""),
            port: url.port === "" ? null : url.port,
            path: `${url.pathname}${url.search}`,
          },
        },
      ];
    }),
  );
}

/** The route of a request target. Its query is no part of it: it is neither judged nor forwarded. */
export function findRoute(routes: ReadonlyMap<string, Route>, target: string): Route | undefined {
  const query = target.indexOf("?");
  return routes.get(query < 0 ? target : target.slice(0, query));
}
