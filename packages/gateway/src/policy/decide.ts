import { BearerRefusal, type BearerVerifier, type Principal, requireScopes } from "sallyport";

/** What is asked of a server, as far as it decides anything. */
export interface GatewayRequest {
  /** Name of the server. */
  readonly server: string;
  readonly httpMethod: "POST" | "GET" | "DELETE";
  /** JSON-RPC method; absent for GET, DELETE and for a posted JSON-RPC response. */
  readonly method?: string | undefined;
  /** The tool, prompt, resource or task that is meant, where the method has one. */
  readonly name?: string | undefined;
}

/** What is needed to decide, fixed by the configuration. */
export interface Policy {
  /** By name of the server. */
  readonly servers: ReadonlyMap<string, { readonly resource: string; readonly requiredScopes: readonly string[] }>;
  readonly challenges: Pick<BearerVerifier, "challenge">;
}

/** `because` is for the operator; it never goes to the client. */
export type Decision =
  | { readonly allow: true; readonly because: string }
  | { readonly allow: false; readonly because: string; readonly refusal: BearerRefusal };

const deny = (because: string, refusal = BearerRefusal.notPermitted()): Decision => ({
  allow: false,
  because,
  refusal,
});

const scopesHeld: Decision = { allow: true, because: "every scope that the server requires is there" };

/**
 * Methods that mean one named thing in every revision. Without its name it cannot be judged what is asked.
 * `resources/subscribe` is not among them: 2026-07-28 has removed it, and only the server can say so (404, -32601).
 */
const namedMethods = new Set(["tools/call", "prompts/get", "resources/read"]);

/**
 * Whether a principal may do what it asks. Every decision of the gateway goes through here, when a request comes in
 * and again while its response is open. Denies unless everything speaks for it.
 */
export function decide(principal: Principal, request: GatewayRequest, policy: Policy): Decision {
  const server = policy.servers.get(request.server);
  if (server === undefined) return deny("the server is not configured");
  if (principal.resource !== server.resource) return deny("the token is for another resource");
  const missing = requireScopes(principal, server.requiredScopes, policy.challenges);
  if (missing !== undefined) return deny("a scope that the server requires is missing", missing);
  if (principal.scopes.length === 0) return deny("no scope at all");
  if (request.method !== undefined && request.name === undefined && namedMethods.has(request.method)) {
    return deny("the method names nothing that could be judged");
  }
  return scopesHeld;
}
