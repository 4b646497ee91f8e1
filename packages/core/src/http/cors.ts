import { isLoopbackHost } from "../config/values.ts";

/** Which web origins may read our answers. */
export interface CorsPolicy {
  /** Exact origins, as `https://app.example.com`; on loopback hosts `:*` stands for any port. */
  readonly allowedOrigins: readonly string[];
}

/** `anyone`: public documents, for every origin. `client`: OAuth endpoints. */
export type CorsAudience = "anyone" | "client";

const allowedHeaders = "Authorization, Content-Type, MCP-Protocol-Version";
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
    ...(request.method === "OPTIONS" ? preflight(methods) : {}),
  };
}

const preflight = (methods: readonly string[]) => ({
  "Access-Control-Allow-Methods": methods.join(", "),
  "Access-Control-Allow-Headers": allowedHeaders,
  "Access-Control-Max-Age": String(preflightAge),
});

function isAllowed(policy: CorsPolicy, origin: string): boolean {
  if (policy.allowedOrigins.includes(origin)) return true;
  if (!/^https?:/.test(origin) || !URL.canParse(origin)) return false;
  const url = new URL(origin);
  if (url.origin !== origin || !isLoopbackHost(url.hostname)) return false;
  return policy.allowedOrigins.includes(`${url.protocol}//${url.hostname}:*`);
}
