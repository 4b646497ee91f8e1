/**
 * Sallyport in a server of `node:http`.
 * @packageDocumentation
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { getPrincipal } from "../server/principal-context.ts";
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

export type { MountOptions, ProtectOptions, WebHandler };

/** What is done with an error that no answer tells of; the client gets 500, or a broken connection. */
export interface ErrorOptions {
  /** Default: Node's warning, which is written to stderr. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Answers what the authorization server serves; everything else is your listener's:
 * `createServer(withEndpoints(auth, listener))`.
 */
export const withEndpoints = (
  auth: Auth,
  listener: (incoming: IncomingMessage, outgoing: ServerResponse) => unknown,
  options: MountOptions & ErrorOptions = {},
): RequestListener => chain(endpointsMiddleware(auth, options), listener, options);

/**
 * Puts a listener behind both doors. Below it `getPrincipal()` answers. A refusal is answered here, those that it throws
 * or rejects with too.
 */
export const protect = <Claims extends object>(
  auth: Auth<Claims>,
  listener: (incoming: IncomingMessage, outgoing: ServerResponse, principal: Principal<Claims>) => unknown,
  options: ProtectOptions & ErrorOptions = {},
): RequestListener =>
  chain(
    protectMiddleware(auth, options),
    (incoming, outgoing) => listener(incoming, outgoing, getPrincipal<Claims>()),
    options,
  );

/**
 * A handler of web requests as a listener, such as `auth.protect(…)`. Event streams pass as they come; `request.signal`
 * ends when the client goes.
 */
export const toListener = (
  auth: Auth,
  handler: WebHandler,
  options: MountOptions & ErrorOptions = {},
): RequestListener => chain(webMiddleware(auth, handler, options), notFound, options);

function chain(
  middleware: Middleware,
  listener: (incoming: IncomingMessage, outgoing: ServerResponse) => unknown,
  { onError = warn }: ErrorOptions,
): RequestListener {
  return (incoming, outgoing) => {
    const failed = (error: unknown): void =>
      refusals(error, incoming, outgoing, () => {
        onError(error);
        if (outgoing.headersSent) outgoing.destroy();
        else outgoing.writeHead(statusOf(error), { "Content-Type": "text/plain" }).end("The request failed.\n");
      });
    middleware(incoming, outgoing, (error) => {
      if (error !== undefined) failed(error);
      else new Promise((resolve) => resolve(listener(incoming, outgoing))).catch(failed);
    });
  };
}

const notFound = (_incoming: IncomingMessage, outgoing: ServerResponse): void => {
  outgoing.writeHead(404, { "Content-Type": "text/plain" }).end("Not found.\n");
};

const statusOf = (error: unknown): number =>
  typeof error === "object" && error !== null && "status" in error && error.status === 404 ? 404 : 500;

const warn = (error: unknown): void => process.emitWarning(error instanceof Error ? error : String(error));
