/**
 * Sallyport in an app of Fastify 5.
 * @packageDocumentation
 */
import type { FastifyPluginCallback, FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import { runWithPrincipal } from "../server/principal-context.ts";
import { BearerRefusal, type Principal } from "../verify/index.ts";
import type { Auth } from "./auth-face.ts";
import type { WebHandler } from "./node-middleware.ts";
import { urlOf, webRequest } from "./node-request.ts";
import { type ProtectOptions, principalAt } from "./principal-at.ts";
import type { MountOptions } from "./public-url.ts";

export type { MountOptions, ProtectOptions, WebHandler };

declare module "fastify" {
  interface FastifyRequest {
    /** Who makes the request; there on routes with `protect`. */
    principal?: Principal;
  }
}

/**
 * The authorization server's endpoints and every discovery document: `app.register(endpoints(auth))` on the root of the
 * app, also where your own routes have a prefix. They are answered before any content type parser; everything else goes
 * on untouched.
 */
export function endpoints(auth: Auth, options: MountOptions = {}): FastifyPluginCallback {
  const plugin: FastifyPluginCallback = (app, _none, done) => {
    app.decorateRequest("principal", undefined);
    app.addHook("onRequest", async (request, reply) => {
      const url = urlOf(auth, request.raw, options);
      if (!url || !auth.serves(url)) return undefined;
      return reply.send(await auth.fetch(webRequest(url, request.raw, reply.raw), peerOf(request)));
    });
    done();
  };
  // Without a scope of its own, so that the hook is the whole app's.
  return Object.assign(plugin, { [Symbol.for("skip-override")]: true });
}

/**
 * Options of a route behind both doors: `app.post("/mcp", protect(auth), handler)`. In it `request.principal` is set and
 * `getPrincipal()` answers. Refusals, those thrown by the handler too, are answered with their challenge; a path that is
 * no resource is an error with status 404; every other error is the app's.
 */
export const protect = (
  auth: Auth,
  options: ProtectOptions = {},
): Required<Pick<RouteShorthandOptions, "onRequest" | "preHandler" | "errorHandler">> => ({
  async onRequest(request) {
    const { authorization } = request.headers;
    const headers = new Headers(authorization === undefined ? {} : { authorization });
    // Which claims there are is the caller's word, as everywhere.
    request.principal = (await principalAt(auth, urlOf(auth, request.raw, options), headers, options)) as Principal;
  },
  // Not before: reading the body would lose the context.
  preHandler(request, _reply, done) {
    if (request.principal) runWithPrincipal(request.principal, done);
    else done(new Error("a hook has taken the principal away"));
  },
  errorHandler(error, _request, reply) {
    if (!(error instanceof BearerRefusal)) throw error;
    void reply.code(error.status).headers(error.headers()).send(error.body());
  },
});

/**
 * A handler of web requests as one of Fastify: `app.post("/mcp", toHandler(auth, auth.protect(…)))`. Event streams pass
 * as they come; `request.signal` ends when the client goes. A body that Fastify has parsed is written down again. What
 * it rejects with goes to the app's error handler.
 */
export const toHandler =
  (auth: Auth, handler: WebHandler, options: MountOptions = {}) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const url = urlOf(auth, request.raw, options);
    if (!url) return reply.callNotFound();
    return reply.send(await handler(webRequest(url, request.raw, reply.raw, request.body), peerOf(request)));
  };

/** The socket's peer, not `request.ip`: whom a proxy saw is read as `trustedProxies` allows. */
function peerOf({ socket }: FastifyRequest): { readonly address?: string } {
  return socket.remoteAddress === undefined ? {} : { address: socket.remoteAddress };
}
