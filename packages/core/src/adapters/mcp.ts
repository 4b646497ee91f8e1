/**
 * Sallyport and the server of MCP SDK v2 (`@modelcontextprotocol/server`).
 * @packageDocumentation
 */
import type { McpHttpHandler, ScopeChallengeHandler } from "@modelcontextprotocol/server";
import { refusalAnswer } from "../server/answer-refusable.ts";
import type { Sallyport } from "../server/sallyport.ts";
import { type BearerRefusal, metadataUrlOf, requireScopes } from "../verify/index.ts";
import { authInfoOf, principalFrom } from "./auth-info.ts";

export { authInfoOf, type PrincipalAuthInfo, principalFrom, withPrincipal } from "./auth-info.ts";

interface Refused {
  readonly refusal: BearerRefusal;
  readonly id: string | number;
}

/** What {@link needsScope} refused of a request, by the `extra` of its `authInfo`. */
const refused = new WeakMap<object, Refused>();

/**
 * Puts what `createMcpHandler` gives behind both doors: every tool finds the caller in `ctx.http.authInfo` and by
 * `getPrincipal()`, and what {@link needsScope} refuses is answered with its status and challenge.
 */
export const protectMcp = (
  auth: Pick<Sallyport<object>, "protect">,
  handler: Pick<McpHttpHandler, "fetch">,
): ((request: Request) => Promise<Response>) =>
  auth.protect(async (request, principal) => {
    const authInfo = authInfoOf(principal);
    const response = await handler.fetch(request, { authInfo });
    const found = refused.get(authInfo.extra);
    if (!found) return response;
    await response.body?.cancel();
    return refusalAnswer(found.refusal, found.id);
  });

/**
 * For `scopeChallenge` of a tool, a resource or a prompt: who lacks one of these scopes is refused before it runs, with a
 * step-up challenge where a new sign-in can help and without one where it cannot. Scopes that include them count.
 * For handlers behind {@link protectMcp}.
 * @param scopes names as they are under `scopes` in the settings
 */
export const needsScope =
  (...scopes: readonly [string, ...string[]]): ScopeChallengeHandler =>
  ({ authInfo, request }) => {
    const principal = principalFrom(authInfo);
    if (!principal || !authInfo?.extra) {
      throw new Error("needsScope(…) does not know the caller: put the handler behind protectMcp(auth, handler)");
    }
    const challenge = (resource: string) => ({ scope: "", resourceMetadata: metadataUrlOf(resource) });
    const refusal = requireScopes(principal, scopes, { challenge });
    if (!refusal) return undefined;
    // The SDK knows challenges only. protectMcp answers in its place, also where a challenge would be wrong.
    if (!refused.has(authInfo.extra)) refused.set(authInfo.extra, { refusal, id: request.id });
    return { scopes };
  };
