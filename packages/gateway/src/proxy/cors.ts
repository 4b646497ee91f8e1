/** How scripts of other web origins may call the MCP endpoints. */
export interface Cors {
  /**
   * Whether an `Origin` header is our own or one of the configured.
   * @param own the origin of the URL that is asked for
   */
  allows(origin: string, own: string): boolean;
  /** Headers of every answer to a script, preflight or not. */
  headers(origin: string): readonly string[];
  /** Headers of the answer to a preflight request. */
  preflight(requestedHeaders: string | undefined): readonly string[];
}

/** The methods of an MCP endpoint. */
export const allowedMethods = "GET, POST, DELETE, OPTIONS";

const exposed = "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After";
const anyLoopbackPort = /^(https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])):\*$/;
const headerList = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:[ \t]*,[ \t]*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*$/;

/**
 * CORS without credentials: a script brings its own token.
 * @param allowedOrigins exact origins; on loopback hosts `:*` stands for any port (`http://localhost:*`)
 * @throws TypeError for an entry that is no origin
 */
export function createCors(allowedOrigins: readonly string[]): Cors {
  const exact = new Set<string>();
  const anyPort: string[] = [];
  for (const entry of allowedOrigins) {
    const loopback = anyLoopbackPort.exec(entry)?.[1];
    if (loopback !== undefined) anyPort.push(loopback);
    else if (URL.canParse(entry) && new URL(entry).origin === entry) exact.add(entry);
    else
      throw new TypeError(`allowed_origins: ${JSON.stringify(entry)} is no origin; write one as https://app.example`);
  }
  const onLoopback = (origin: string): boolean =>
    anyPort.some((host) => origin.startsWith(host) && /^(?::\d{1,5})?$/.test(origin.slice(host.length)));
  return {
    allows: (origin, own) => origin === own || exact.has(origin) || onLoopback(origin),
    headers: (origin) => [
      "Access-Control-Allow-Origin",
      origin,
      "Access-Control-Expose-Headers",
      exposed,
      "Vary",
      "Origin",
    ],
    preflight: (requested) => [
      "Access-Control-Allow-Methods",
      allowedMethods,
      // `*` would not cover Authorization, and Mcp-Param-* names cannot be listed beforehand.
      ...(requested !== undefined && requested.length <= 2048 && headerList.test(requested)
        ? ["Access-Control-Allow-Headers", requested]
        : []),
      "Access-Control-Max-Age",
      "600",
    ],
  };
}
