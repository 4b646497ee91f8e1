import { AsyncLocalStorage } from "node:async_hooks";
import { type AnyClaims, BearerRefusal, metadataUrlOf, type Principal, requireScopes } from "../verify/index.ts";

interface RequestContext {
  readonly principal: Principal<object>;
  /** Told of every refusal before it is thrown: MCP SDKs make a tool's errors into results, and the status would be lost. */
  readonly refuse: (refusal: BearerRefusal) => void;
}

const requests = new AsyncLocalStorage<RequestContext>();

/**
 * Does the work of a request for whoever makes it: {@link getPrincipal} and the helpers beside it then answer anywhere
 * below, also after an `await`. `protect` and the adapters call it.
 * @param refuse told of what {@link requireGroup} and {@link requireScope} refuse, besides that they throw; default: nobody
 */
export const runWithPrincipal = <Result>(
  principal: Principal<object>,
  work: () => Result,
  refuse: (refusal: BearerRefusal) => void = () => {},
): Result => requests.run({ principal, refuse }, work);

function request(): RequestContext {
  const context = requests.getStore();
  if (context) return context;
  throw new Error(
    "There is no principal here: call this below auth.protect(…), an adapter of sallyport or runWithPrincipal(…), not at start-up or in a timer",
  );
}

/**
 * Who makes the request that is being served.
 * @typeParam Claims as given to `sallyport<Claims>()`; `auth.getPrincipal()` knows it without being told
 * @throws Error outside a request
 */
export const getPrincipal = <Claims extends object = AnyClaims>(): Principal<Claims> =>
  // Nothing can be checked here: what claims there are is the caller's word, from `sallyport<Claims>()` on.
  request().principal as Principal<Claims>;

/** Throws a refusal, once whoever answers the request that is being served, if any, has been told of it. */
export function refuseRequest(refusal: BearerRefusal): never {
  requests.getStore()?.refuse(refusal);
  throw refusal;
}

/**
 * Lets only members of a Cognito group pass. A new sign-in gives no group, so there is never a challenge.
 * @throws BearerRefusal with status 403; Error outside a request
 */
export function requireGroup(group: string): void {
  const { principal } = request();
  if (!principal.groups.includes(group)) refuseRequest(BearerRefusal.notPermitted());
}

/**
 * Lets pass only what has every one of these scopes; one that includes it counts.
 * @param scopes names as they are under `scopes` in the settings
 * @throws BearerRefusal with status 403: with a step-up challenge that names every scope the new token needs where a new
 *   sign-in can give them, without one where it cannot; Error outside a request
 */
export function requireScope(...scopes: readonly [string, ...string[]]): void {
  const { principal } = request();
  const challenge = (resource: string) => ({ scope: "", resourceMetadata: metadataUrlOf(resource) });
  const refusal = requireScopes(principal, scopes, { challenge });
  if (refusal) refuseRequest(refusal);
}
