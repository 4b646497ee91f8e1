/**
 * Sallyport for servers on MCP SDK 1.x (`@modelcontextprotocol/sdk`) with Express.
 * @packageDocumentation
 */
import {
  CustomOAuthError,
  InsufficientScopeError,
  InvalidTokenError,
  ServerError,
} from "@modelcontextprotocol/sdk/server/auth/errors.js";
import type { OAuthTokenVerifier } from "@modelcontextprotocol/sdk/server/auth/provider.js";
import type { AuthInfo } from "@modelcontextprotocol/sdk/server/auth/types.js";
import { z } from "zod";
import { BearerRefusal, metadataUrlOf, type Principal, requireScopes } from "../verify/index.ts";
import type { Auth } from "./auth-face.ts";
import { authInfoOf } from "./auth-info.ts";
import { endpointsMiddleware, type Middleware, protectMiddleware } from "./node-middleware.ts";
import type { NodeRequest } from "./node-request.ts";
import type { ProtectOptions } from "./principal-at.ts";
import type { MountOptions } from "./public-url.ts";

export { authInfoOf, type PrincipalAuthInfo, principalFrom, withPrincipal } from "./auth-info.ts";
export type { Middleware, MountOptions, ProtectOptions };

/**
 * Stands in for the SDK's `mcpAuthRouter`, for `app.use(authRouter(auth))` at the app's root: the endpoints have the same
 * paths. There is no provider to write; `ProxyOAuthServerProvider` and its options go.
 */
export const authRouter = (auth: Auth, options: MountOptions = {}): Middleware => endpointsMiddleware(auth, options);

/**
 * Stands in for the SDK's `requireBearerAuth`: sets `req.auth`, which the SDK's transports hand to tools as
 * `extra.authInfo`, and answers refusals itself, each with the status and the challenge that it needs.
 */
export function bearerAuth(auth: Auth, options: ProtectOptions = {}): Middleware {
  const protect = protectMiddleware(auth, options);
  return (incoming: NodeRequest & { auth?: AuthInfo; principal?: Principal }, outgoing, next) =>
    protect(incoming, outgoing, (error) => {
      if (incoming.principal) incoming.auth = authInfoOf(incoming.principal);
      next(error);
    });
}

/** A JSON-RPC request that calls a tool. */
const toolCall = z.object({
  method: z.literal("tools/call"),
  id: z.union([z.string(), z.number()]),
  params: z.looseObject({ name: z.string() }),
});

/**
 * Refuses calls of tools that need more scopes than the caller has, before the tool runs: with a step-up challenge where a
 * new sign-in can help, without one where it cannot. For behind {@link bearerAuth} and `express.json()`; the SDK itself
 * has no status for it.
 * @param tools scopes, as they are named in the settings, by the tool's name; tools that are not named need none
 */
export function toolScopes(tools: Readonly<Record<string, readonly string[]>>): Middleware {
  const needed = new Map(Object.entries(tools));
  const challenge = (resource: string) => ({ scope: "", resourceMetadata: metadataUrlOf(resource) });
  return (incoming, outgoing, next) => {
    const { principal, body, method } = incoming;
    // Tools are called by POST alone.
    if (method !== "POST") {
      next();
      return;
    }
    if (!principal || body === undefined) {
      next(new Error("toolScopes(…) belongs behind bearerAuth(auth) and express.json()"));
      return;
    }
    for (const message of Array.isArray(body) ? body : [body]) {
      const { data: call } = toolCall.safeParse(message);
      const refusal = call && requireScopes(principal, needed.get(call.params.name) ?? [], { challenge });
      if (!refusal) continue;
      outgoing.writeHead(refusal.status, refusal.headers()).end(refusal.body(call.id));
      return;
    }
    next();
  };
}

/**
 * Checks tokens for the SDK's own `requireBearerAuth`. The middleware has errors for less than there is to say: that a
 * token cannot be checked at the moment becomes its 500, and that nothing helps a 400. {@link bearerAuth} says both
 * right.
 * @param resource path of the configured resource, below the base URL
 */
export const tokenVerifier = (
  auth: Pick<Auth<object>, "baseUrl" | "verify">,
  { resource }: { readonly resource: string },
): OAuthTokenVerifier => ({
  async verifyAccessToken(token) {
    const url = `${auth.baseUrl()}${resource === "/" ? "" : resource}`;
    const headers = { authorization: `Bearer ${token}` };
    try {
      return authInfoOf(await auth.verify(new Request(url, { headers })));
    } catch (error) {
      throw error instanceof BearerRefusal ? sdkError(error) : error;
    }
  },
});

function sdkError({ status, challenge, code, message }: BearerRefusal): Error {
  if (status === 401) return new InvalidTokenError(message);
  if (status === 503) return new ServerError(message);
  return challenge === undefined ? new CustomOAuthError(code, message) : new InsufficientScopeError(message);
}
