/**
 * Sallyport and punkpeye's `fastmcp`.
 * @packageDocumentation
 */
import type { IncomingMessage } from "node:http";
import { refusalAnswer } from "../server/answer-refusable.ts";
import { runWithPrincipal } from "../server/principal-context.ts";
import { type AnyClaims, BearerRefusal, type Principal } from "../verify/index.ts";
import type { Auth } from "./auth-face.ts";
import { type MountOptions, publicUrl } from "./public-url.ts";

/** What a tool finds as `context.session`. */
export interface FastMcpSession<Claims extends object = AnyClaims> extends Record<string, unknown> {
  readonly principal: Principal<Claims>;
}

/**
 * For the option `authenticate` of `new FastMCP({ … })`: asks both doors at each request and answers refusals with
 * their status and challenge. Leave the options `auth` and `oauth` out, and start with `stateless: true`: a session of
 * fastmcp keeps the caller it began with.
 * @param options.resource path of the configured resource, below the base URL
 */
export const authenticate =
  <Claims extends object>(
    auth: Pick<Auth<Claims>, "baseUrl" | "verify">,
    { resource }: { readonly resource: string },
  ) =>
  async (request: IncomingMessage | undefined): Promise<FastMcpSession<Claims>> => {
    if (!request) throw new Error("sallyport signs in over HTTP: start fastmcp with transportType httpStream");
    const { authorization } = request.headers;
    const url = `${auth.baseUrl()}${resource === "/" ? "" : resource}`;
    const headers = new Headers(authorization === undefined ? {} : { authorization });
    try {
      return { principal: await auth.verify(new Request(url, { headers })) };
    } catch (error) {
      // fastmcp sends a Response that is thrown as it is.
      throw error instanceof BearerRefusal ? refusalAnswer(error) : error;
    }
  };

/** A Hono app as far as it is needed: fastmcp may have another copy of Hono. */
interface HonoApp {
  use(
    handler: (
      context: { readonly req: { readonly raw: Request }; readonly env: unknown },
      next: () => Promise<void>,
    ) => Promise<Response | undefined>,
  ): unknown;
}

/**
 * Serves the authorization server's endpoints and every discovery document from fastmcp's own HTTP server:
 * `addEndpoints(server.getApp(), auth)` before `server.start`.
 */
export function addEndpoints(
  app: HonoApp,
  auth: Pick<Auth, "baseUrl" | "fetch" | "serves">,
  options: MountOptions = {},
): void {
  app.use(async ({ req: { raw }, env }, next) => {
    const { pathname, search } = new URL(raw.url);
    const url = publicUrl(auth, `${pathname}${search}`, raw.headers.get("host") ?? undefined, options);
    if (url && auth.serves(url)) {
      const address = addressIn(env);
      return auth.fetch(new Request(url, raw), address === undefined ? {} : { address });
    }
    await next();
    return undefined;
  });
}

/** Whether the caller has every one of these scopes, for the option `canAccess` of a tool: who has not does not see it. */
export const hasScope =
  (...scopes: readonly [string, ...string[]]) =>
  ({ principal }: FastMcpSession): boolean =>
    scopes.every((scope) => principal.scopes.includes(scope));

/** Makes `getPrincipal()` and the helpers beside it answer in a tool's `execute`. */
export const withSession =
  <Args, Context extends { readonly session?: FastMcpSession | undefined }, Result>(
    execute: (args: Args, context: Context) => Result,
  ): ((args: Args, context: Context) => Result) =>
  (args, context) => {
    if (!context.session) throw new Error("This tool was called without a session: is authenticate(auth, …) set?");
    return runWithPrincipal(context.session.principal, () => execute(args, context));
  };

/** The peer's address, as fastmcp passes Node's request on. */
function addressIn(env: unknown): string | undefined {
  if (typeof env !== "object" || env === null || !("incoming" in env)) return undefined;
  const { incoming } = env;
  if (typeof incoming !== "object" || incoming === null || !("socket" in incoming)) return undefined;
  const { socket } = incoming;
  if (typeof socket !== "object" || socket === null || !("remoteAddress" in socket)) return undefined;
  return typeof socket.remoteAddress === "string" ? socket.remoteAddress : undefined;
}
