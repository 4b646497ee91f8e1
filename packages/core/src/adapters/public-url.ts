import type { Auth } from "./auth-face.ts";

/** How the paths that arrive differ from those that the public uses. */
export interface MountOptions {
  /**
   * A proxy takes the path of `baseUrl` off before it passes a request on (`location /tools/ { proxy_pass http://app/; }`).
   * Nothing needs to be said where paths arrive whole, and where your own router mounts the app under a path.
   * Default false.
   */
  readonly prefixRemoved?: boolean;
}

/**
 * A request's URL with the path that the public uses. Its host is what the client wrote, which may choose among
 * configured host names and nothing more.
 * @param target path and query as they arrived (RFC 9112 §3.2.1, origin form)
 * @param host the `Host` header
 * @returns undefined where the path is not in its plain form: routers and URL parsers read it differently, and a check
 *   would be made for another path than the one that is served
 */
export function publicUrl(
  auth: Pick<Auth, "baseUrl" | "serves">,
  target: string,
  host: string | undefined,
  { prefixRemoved = false }: MountOptions = {},
): URL | undefined {
  const base = new URL(auth.baseUrl());
  const asItCame = plainUrl(base, target, host);
  if (!prefixRemoved) return asItCame;
  // The well-known documents of the origin's root never had the prefix.
  if (asItCame?.pathname.startsWith("/.well-known/") && auth.serves(asItCame)) return asItCame;
  return plainUrl(base, base.pathname.replace(/\/$/, "") + target, host);
}

function plainUrl(base: URL, target: string, host: string | undefined): URL | undefined {
  const text = `${base.protocol}//${host ?? base.host}${target}`;
  if (!target.startsWith("/") || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.pathname === target.split(/[?#]/)[0] && url.username === "" ? url : undefined;
}
