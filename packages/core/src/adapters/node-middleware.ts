import type { ServerResponse } from "node:http";
import { runWithPrincipal } from "../server/principal-context.ts";
import { BearerRefusal, type Principal } from "../verify/index.ts";
import type { Auth } from "./auth-face.ts";
import { type NodeRequest, urlOf, webRequest } from "./node-request.ts";
import { sendResponse } from "./node-response.ts";
import { type ProtectOptions, principalAt } from "./principal-at.ts";
import type { MountOptions } from "./public-url.ts";

export type { ProtectOptions };

/** Goes on to whoever comes next; with an error, to whoever deals with errors. */
export type Next = (error?: unknown) => void;

/** A function in the middle, as Express and Connect have them. */
export type Middleware = (incoming: NodeRequest, outgoing: ServerResponse, next: Next) => void;

/** A handler of web requests. `address` is the peer's, for limits. */
export type WebHandler = (request: Request, context: { readonly address?: string }) => Response | Promise<Response>;

/** The Fetch standard lets no request have these (§2.2.1, "forbidden method"). */
const forbiddenMethods = ["CONNECT", "TRACE", "TRACK"];

/** Answers what the authorization server serves, and passes everything else on untouched. */
export function endpointsMiddleware(auth: Auth, options: MountOptions): Middleware {
  return (incoming, outgoing, next) => {
    const url = urlOf(auth, incoming, options);
    if (!url || !auth.serves(url) || forbiddenMethods.includes(incoming.method ?? "")) next();
    else answer(auth.fetch, url, incoming, outgoing).catch(next);
  };
}

/** Lets a request pass with `principal` set, inside its context; answers a refusal itself. */
export function protectMiddleware(auth: Auth, options: ProtectOptions): Middleware {
  return (incoming, outgoing, next) => {
    const { authorization } = incoming.headers;
    const headers = new Headers(authorization === undefined ? {} : { authorization });
    principalAt(auth, urlOf(auth, incoming, options), headers, options).then(
      (principal) => {
        // Which claims there are is the caller's word, as everywhere.
        incoming.principal = principal as Principal;
        runWithPrincipal(principal, next);
      },
      (error: unknown) => {
        if (error instanceof BearerRefusal) sendRefusal(error, outgoing);
        else next(error);
      },
    );
  };
}

/**
 * Answers what handlers below `protect` refuse (`requireScope`, `requireGroup`), challenge included; passes every other
 * error on: `app.use(refusals)` after the routes.
 */
export function refusals(error: unknown, _incoming: NodeRequest, outgoing: ServerResponse, next: Next): void {
  if (error instanceof BearerRefusal && !outgoing.headersSent) sendRefusal(error, outgoing);
  else next(error);
}

/** Answers a refused request. */
function sendRefusal(refusal: BearerRefusal, outgoing: ServerResponse): void {
  outgoing.writeHead(refusal.status, refusal.headers()).end(refusal.body());
}

/** A handler of web requests in a server of `node:http`. What it rejects with goes to `next`. */
export function webMiddleware(auth: Auth, handler: WebHandler, options: MountOptions): Middleware {
  return (incoming, outgoing, next) => {
    const url = urlOf(auth, incoming, options);
    if (!url || forbiddenMethods.includes(incoming.method ?? "")) next();
    else answer(handler, url, incoming, outgoing).catch(next);
  };
}

async function answer(handler: WebHandler, url: URL, incoming: NodeRequest, outgoing: ServerResponse): Promise<void> {
  const address = incoming.socket.remoteAddress;
  const request = webRequest(url, incoming, outgoing);
  const response = await handler(request, address === undefined ? {} : { address });
  if (outgoing.destroyed) await response.body?.cancel();
  else await sendResponse(response, outgoing);
}
