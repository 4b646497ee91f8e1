/**
 * Sallyport in an app of Express 5, or of anything with Connect's middleware.
 * @packageDocumentation
 */
import type { Principal } from "../verify/index.ts";
import type { Auth } from "./auth-face.ts";
import {
  endpointsMiddleware,
  type Middleware,
  protectMiddleware,
  refusals,
  type WebHandler,
  webMiddleware,
} from "./node-middleware.ts";
import type { ProtectOptions } from "./principal-at.ts";
import type { MountOptions } from "./public-url.ts";

export type { Middleware, MountOptions, ProtectOptions, WebHandler };
export { refusals };

declare global {
  namespace Express {
    interface Request {
      /** Who makes the request; there behind `protect`. */
      principal?: Principal;
    }
  }
}

/**
 * The authorization server's endpoints and every discovery document, for `app.use(endpoints(auth))` at the root of the
 * app, also where your own routes are below a path: the documents of the origin's root are needed. Everything else goes
 * on untouched. Put it before body parsers; JSON and plain forms that were parsed nevertheless are understood.
 */
export const endpoints = (auth: Auth, options: MountOptions = {}): Middleware => endpointsMiddleware(auth, options);

/**
 * Puts a route behind both doors: `app.post("/mcp", protect(auth), handler)`. Below it `req.principal` is set and
 * `getPrincipal()` answers. A refusal is answered here; a path that is no resource is an error with status 404.
 */
export const protect = (auth: Auth, options: ProtectOptions = {}): Middleware => protectMiddleware(auth, options);

/**
 * A handler of web requests as one of Express: `app.post("/mcp", toHandler(auth, auth.protect(…)))`. Event streams pass
 * as they come; `request.signal` ends when the client goes. A body that was parsed before is written down again. What
 * it rejects with goes to the app's error handlers.
 */
export const toHandler = (auth: Auth, handler: WebHandler, options: MountOptions = {}): Middleware =>
  webMiddleware(auth, handler, options);
