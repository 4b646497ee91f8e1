import { isLoopbackHost } from "../config/values.ts";

/** Which web origins may read our answers. */
export interface CorsPolicy {
  /** Exact origins, as `https://app.example.com`. There is no wildcard. */
  readonly allowedOrigins: readonly string[];
  /** Every loopback origin too, whatever its port. Default false; for a developer's machine. */
  readonly loopbackAllowed?: boolean;
}

/**
 * `anyone`: public documents, for every origin. `client`: OAuth endpoints. `resource`: protected MCP endpoints, with the
 * headers of Streamable HTTP.
 */
export type CorsAudience = "anyone" | "client" | "resource";

const ownHeaders = ["Authorization", "Content-Type", "MCP-Protocol-Version"];
const transportHeaders = ["Accept", "Last-Event-ID", "Mcp-Session-Id", "Mcp-Method", "Mcp-Name"];
const exposed = "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After";
/** Seconds for which a browser may keep a preflight's answer. */
const preflightAge = 600;

/**
 * The CORS headers of an answer, and of the answer to a preflight if the request is one (Fetch standard, CORS protocol).
 * Credentials are never allowed: no cookie takes part in a request of another origin.
 * @param methods those that the endpoint has
 */
export function corsHeaders(
  policy: CorsPolicy,
  audience: CorsAudience,
  request: Request,
  methods: readonly string[],
): Readonly<Record<string, string>> {
  const origin = request.headers.get("origin");
  if (audience !== "anyone" && (origin === null || !isAllowed(policy, origin))) return { Vary: "Origin" };
  return {
    ...(audience === "anyone" || origin === null
      ? { "Access-Control-Allow-Origin": "*" }
      : { "Access-Control-Allow-Origin": origin, Vary: "Origin" }),
    "Access-Control-Expose-Headers": exposed,
    ...(request.method === "OPTIONS" ? preflight(audience, request, methods) : {}),
  };
}

const preflight = (audience: CorsAudience, request: Request, methods: readonly string[]) => ({
  "Access-Control-Allow-Methods": methods.join(", "),
  "Access-Control-Allow-Headers": [
    ...ownHeaders,
    ...(audience === "resource" ? [...transportHeaders, ...mirroredParameters(request)] : []),
  ].join(", "),
  "Access-Control-Max-Age": String(preflightAge),
});

/** MCP 2026-07-28 mirrors tool parameters in headers whose names only the server's tools know. */
const mirroredParameters = (request: Request): readonly string[] =>
  (request.headers.get("access-control-request-headers") ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => /^mcp-param-[a-z0-9_-]{1,64}$/i.test(name))
    .slice(0, 32);

function isAllowed(policy: CorsPolicy, origin: string): boolean {
  if (policy.allowedOrigins.includes(origin)) return true;
  if (!policy.loopbackAllowed || !/^https?:/.test(origin) || !URL.canParse(origin)) return false;
  const url = new URL(origin);
  return url.origin === origin && isLoopbackHost(url.hostname);
}
