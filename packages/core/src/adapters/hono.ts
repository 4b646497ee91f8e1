/**
 * Sallyport in an app of Hono.
 * @packageDocumentation
 */
import type { Context, MiddlewareHandler } from "hono";
import { runWithPrincipal } from "../server/principal-context.ts";
import { BearerRefusal, type Principal } from "../verify/index.ts";
import type { Auth } from "./auth-face.ts";
import { type ProtectOptions, principalAt } from "./principal-at.ts";
import { type MountOptions, publicUrl } from "./public-url.ts";

export type { MountOptions, ProtectOptions };

/** Where the address of the peer comes from, for limits. */
export interface AddressOptions {
  /**
   * The peer's address. Default: the socket's, on `@hono/node-server`; elsewhere none, and all callers share one limit.
   * Other runtimes: `(c) => getConnInfo(c).remote.address`, from Hono's adapter of that runtime. Never a header: of
   * those, the library itself reads what `trustedProxies` allows.
   */
  readonly address?: (context: Context) => string | undefined;
}

/**
 * The authorization server's endpoints and every discovery document, for `app.use(endpoints(auth))` at the root of the
 * app, also where your own routes are below a path. Everything else goes on untouched.
 */
export function endpoints(auth: Auth, options: MountOptions & AddressOptions = {}): MiddlewareHandler {
  const address = options.address ?? socketAddress;
  return async (context, next) => {
    const url = urlOf(auth, context, options);
    if (!url || !auth.serves(url)) return next();
    const peer = address(context);
    return auth.fetch(await unreadRequest(context, url), peer === undefined ? {} : { address: peer });
  };
}

/**
 * Puts a route behind both doors: `app.post("/mcp", protect(auth), (c) => …)`. Below it `c.var.principal` is set and
 * `getPrincipal()` answers. Refusals, those thrown below too, are answered here, challenge included; a path that is no
 * resource is an error that answers 404; every other error is the app's.
 */
export const protect =
  <Claims extends object>(
    auth: Auth<Claims>,
    options: ProtectOptions = {},
  ): MiddlewareHandler<{ Variables: { principal: Principal<Claims> } }> =>
  async (context, next) => {
    let principal: Principal<Claims>;
    try {
      principal = await principalAt(auth, urlOf(auth, context, options), context.req.raw.headers, options);
    } catch (error) {
      if (error instanceof BearerRefusal) return error.getResponse();
      throw error;
    }
    context.set("principal", principal);
    await runWithPrincipal(principal, next);
    // An error handler of the app's may have made something else of it.
    if (context.error instanceof BearerRefusal) context.res = context.error.getResponse();
    return undefined;
  };

/** The public URL of a request, from the very text that Hono routes by. */
function urlOf(auth: Pick<Auth, "baseUrl" | "serves">, { req }: Context, options: MountOptions): URL | undefined {
  const target = req.url.slice(req.url.indexOf("/", req.url.indexOf("//") + 2));
  return publicUrl(auth, target, new URL(req.url).host, options);
}

/** The request at its public URL; a body that was parsed before is written down again. */
async function unreadRequest({ req }: Context, url: URL): Promise<Request> {
  const { raw } = req;
  if (!raw.bodyUsed) return url.pathname === new URL(raw.url).pathname ? raw : new Request(url, raw);
  const headers = new Headers(raw.headers);
  headers.delete("content-length");
  const isForm = headers.get("content-type")?.startsWith("application/x-www-form-urlencoded");
  const body = isForm ? formText(await req.formData()) : await req.arrayBuffer();
  return new Request(url, { method: raw.method, headers, body, signal: raw.signal });
}

/** Repeated fields stay repeated, so that they are refused as ever. */
function formText(form: FormData): string {
  const fields = new URLSearchParams();
  for (const [name, value] of form) if (typeof value === "string") fields.append(name, value);
  return fields.toString();
}

/** `@hono/node-server` hands Node's own request in. */
function socketAddress({ env }: Context): string | undefined {
  const incoming: unknown = typeof env === "object" && env !== null && "incoming" in env ? env.incoming : undefined;
  if (typeof incoming !== "object" || incoming === null || !("socket" in incoming)) return undefined;
  const { socket } = incoming;
  if (typeof socket !== "object" || socket === null || !("remoteAddress" in socket)) return undefined;
  return typeof socket.remoteAddress === "string" ? socket.remoteAddress : undefined;
}
