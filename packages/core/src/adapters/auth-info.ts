import { runWithPrincipal } from "../server/principal-context.ts";
import { metadataUrlOf, type Principal } from "../verify/index.ts";

/** What both generations of the MCP SDK call `AuthInfo`, with every member that is known here. */
export interface PrincipalAuthInfo {
  /** Empty: tools are told who calls them, and need no token for it. The caller's token is for this server alone. */
  token: string;
  clientId: string;
  /** What counts now, included scopes spelled out. */
  scopes: string[];
  /** Seconds since the Unix epoch. */
  expiresAt: number;
  resource: URL;
  resourceMetadataUrl: string;
  extra: { readonly principal: Principal<object>; readonly [name: string]: unknown };
}

/** Which `extra` is one of ours: nobody else's object names a principal. */
const principals = new WeakMap<object, Principal<object>>();

/** The `authInfo` of whoever makes a request, for SDK transports that are called by hand. */
export function authInfoOf(principal: Principal<object>): PrincipalAuthInfo {
  const extra = { principal };
  principals.set(extra, principal);
  return {
    token: "",
    clientId: principal.clientId,
    scopes: [...principal.scopes],
    expiresAt: Math.floor(principal.expiresAt / 1000),
    resource: new URL(principal.resource),
    resourceMetadataUrl: metadataUrlOf(principal.resource),
    extra,
  };
}

/** Who an `authInfo` is about; undefined where it was not made here. */
export const principalFrom = (authInfo: { readonly extra?: object } | undefined): Principal<object> | undefined =>
  authInfo?.extra && principals.get(authInfo.extra);

/**
 * Makes `getPrincipal()` answer in the handler of a tool, a resource or a prompt, also where a transport has lost the
 * request's context: from the `authInfo` in what the SDK passes last (`ctx.http.authInfo` in v2, `extra.authInfo` in 1.x).
 * Below `protect` or an adapter nothing needs to be wrapped.
 */
export const withPrincipal =
  <Args extends readonly unknown[], Result>(handler: (...args: Args) => Result): ((...args: Args) => Result) =>
  (...args) => {
    const principal = principalFrom(authInfoIn(args.at(-1)));
    if (principal) return runWithPrincipal(principal, () => handler(...args));
    throw new Error("This handler was called without the authInfo that sallyport made: is the route behind it?");
  };

function authInfoIn(context: unknown): { readonly extra?: object } | undefined {
  if (typeof context !== "object" || context === null) return undefined;
  if ("http" in context) return authInfoIn(context.http);
  if (!("authInfo" in context) || typeof context.authInfo !== "object" || context.authInfo === null) return undefined;
  const { authInfo } = context;
  return "extra" in authInfo && typeof authInfo.extra === "object" && authInfo.extra !== null
    ? { extra: authInfo.extra }
    : undefined;
}
