import { isDeepStrictEqual } from "node:util";
import { pathOf } from "./config/resources.ts";
import type { ServerConfig } from "./config/section.ts";
import type { GatewayOptions } from "./gateway.ts";
import { compile, type Policy, type PolicyConfig } from "./policy/compile.ts";
import { type Cors, createCors } from "./proxy/cors.ts";
import { createRoutes, type Routes } from "./proxy/route.ts";
import { createUpstream, type Upstream } from "./proxy/upstream.ts";
import { upstreamCredential } from "./proxy/upstream-credential.ts";
import { compileQuotas, type Quotas } from "./quotas/compile.ts";
import type { QuotaRule } from "./quotas/quota.ts";

/** What may change while the gateway runs. */
export interface LiveOptions {
  readonly servers: readonly ServerConfig[];
  /** What scopes give at servers; without any rule each server goes by its required scopes alone. */
  readonly scopes: PolicyConfig["scopes"];
  readonly deny: PolicyConfig["deny"];
  readonly quotas: readonly QuotaRule[];
  /** Web origins whose scripts may call, besides our own; on loopback hosts `:*` stands for any port. */
  readonly allowedOrigins: readonly string[];
  /** Bytes. */
  readonly maxRequestBody: number;
  /** Open requests of one user or machine. */
  readonly maxOpenRequests: number;
  /** Milliseconds of silence after which an event stream gets a comment; 0: never. Default: 15 s. */
  readonly eventStreamKeepAlive?: number;
}

/** What the way to a server is made of; with any other change to its settings the way stays, and what is open on it. */
const upstreamSettings = ({ url, timeout, maxConcurrent, maxStreams, breaker }: ServerConfig) => ({
  url,
  timeout,
  maxConcurrent,
  maxStreams,
  breaker,
});

/** The way to a server, and what it was made of. */
interface UpstreamInUse {
  readonly upstream: Upstream;
  readonly madeOf: ReturnType<typeof upstreamSettings>;
}

/** What the options make of the gateway. Replaced as a whole when they change, and never changed. */
export interface GatewayState extends Pick<LiveOptions, "servers" | "maxRequestBody" | "maxOpenRequests"> {
  readonly routes: Routes;
  readonly policy: Policy;
  readonly quotas: Quotas;
  readonly cors: Cors;
  /** By name of the server. */
  readonly upstreams: ReadonlyMap<string, UpstreamInUse>;
  /** Milliseconds; 0: never. */
  readonly eventStreamKeepAlive: number;
  /** Milliseconds: the shortest of all servers. */
  readonly shortestTimeout: number;
}

/**
 * Computes the gateway's state; nothing is in use yet, and nothing is connected.
 * @param before servers that are the same keep their way: its connections, and what their breaker knows
 * @throws TypeError for a wrong origin, and for a server that wants identity assertions where nothing signs them
 */
export function gatewayState(
  options: Pick<
    GatewayOptions,
    "baseUrl" | "verifier" | "counts" | "clock" | "logger" | "audit" | "identityAssertions"
  >,
  live: LiveOptions,
  before: GatewayState | undefined,
): GatewayState {
  const { baseUrl, verifier } = options;
  const { servers, scopes, deny, maxRequestBody, maxOpenRequests } = live;
  const upstreams = new Map<string, UpstreamInUse>();
  const routes = createRoutes(baseUrl, servers, (server, resource) => {
    const madeOf = upstreamSettings(server);
    const known = before?.upstreams.get(server.name);
    const used =
      known !== undefined && isDeepStrictEqual(known.madeOf, madeOf)
        ? known
        : { madeOf, upstream: createUpstream(server, { ...options, resource }) };
    upstreams.set(server.name, used);
    return { upstream: used.upstream, credential: upstreamCredential(server, options) };
  });
  const policy = compile(
    {
      servers: servers.map(({ name, requiredScopes }) => ({
        name,
        resource: routes.byPath.get(pathOf({ name }))?.resource ?? "",
        urls: routes.further.get(name) ?? [],
        requiredScopes,
      })),
      scopes,
      deny,
    },
    verifier,
  );
  return {
    servers,
    routes,
    policy,
    quotas: compileQuotas(live.quotas, options.counts),
    upstreams,
    cors: createCors(live.allowedOrigins),
    maxRequestBody,
    maxOpenRequests,
    eventStreamKeepAlive: live.eventStreamKeepAlive ?? 15_000,
    shortestTimeout: Math.min(...servers.map(({ timeout }) => timeout)),
  };
}
