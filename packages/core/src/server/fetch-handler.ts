import { RedirectableError, redirectError } from "../authorize/index.ts";
import { randomId } from "../crypto/index.ts";
import { bearerChallenge, OAuthError } from "../errors/index.ts";
import { type CorsPolicy, clientAddress, corsHeaders, jsonAnswer, limitKey, trustedNetworks } from "../http/index.ts";
import { answerPage, errorModel, errorPage, textsFor } from "../pages/index.ts";
import { UnreadableRecord } from "../records/index.ts";
import { StoreUnavailable } from "../store/store.ts";
import { hostSpellings } from "../verify/index.ts";
import { type Route, routes, type ServerDeps } from "./routes.ts";

/**
 * Answers one request. `address` is the socket's peer, for the limits of whoever is not identified: where it is a trusted
 * proxy, who stands behind it counts. Without an address all callers count as one.
 */
export type FetchHandler = (request: Request, context?: { readonly address?: string }) => Promise<Response>;

/** The endpoints, and where they are. */
export interface Endpoints {
  readonly fetch: FetchHandler;
  /** Whether there is an endpoint or document at this place, whatever the method. */
  serves(url: Pick<URL, "host" | "pathname">): boolean;
}

/** Composes the endpoints to one `Request → Response` function that never throws. */
export function fetchHandler(deps: ServerDeps, cors: CorsPolicy): Endpoints {
  const proxies = trustedNetworks(deps.config.trustedProxies);
  const { here: own = [], further = [] } = Object.groupBy(routes(deps), ({ origin }) => (origin ? "further" : "here"));
  const byPath = Map.groupBy(own, (route) => route.path);
  // On the host of a resource's further URL nothing is served but what describes the resource: no page, no token.
  const byHost = new Map(
    [...Map.groupBy(further, ({ origin }) => origin)].flatMap(([origin = "", there]) =>
      hostSpellings(new URL(origin)).map((host) => [host, Map.groupBy(there, (route) => route.path)]),
    ),
  );

  const failed = (route: Route, request: Request, error: unknown): Response => {
    if (error instanceof RedirectableError) return redirectError(error, deps.issuer);
    const refusal = asOAuthError(error, deps);
    // What the endpoints foresaw they have reported themselves.
    if (refusal !== error) reportFault(deps, refusal);
    if (route.audience !== "browser" || wantsJson(request)) return errorAnswer(refusal, request);
    const reference = randomId(deps.random, 6);
    deps.logger.info("an error page was shown", { reference, reason: refusal.reason, path: route.path });
    const texts = textsFor(request);
    const page = errorPage(errorModel(refusal, reference, texts), { texts, look: deps.look });
    const answer = answerPage(deps.look, refusal.status, page);
    if (refusal.retryAfter !== undefined) answer.headers.set("Retry-After", String(refusal.retryAfter));
    return answer;
  };

  const routesAt = ({ host, pathname }: Pick<URL, "host" | "pathname">): readonly Route[] | undefined =>
    (byHost.get(host) ?? byPath).get(pathname);

  const fetch: FetchHandler = async (request, context = {}) => {
    const here = routesAt(new URL(request.url));
    if (!here) return jsonAnswer(404, { error: "not_found", error_description: "There is nothing at this path." });
    const [first] = here;
    const methods = here.map((route) => route.method);
    const headers = first && first.audience !== "browser" ? corsHeaders(cors, first.audience, request, methods) : {};
    if (request.method === "OPTIONS" && first?.audience !== "browser")
      return new Response(null, { status: 204, headers });
    const method = request.method === "HEAD" ? "GET" : request.method;
    const route = here.find((candidate) => candidate.method === method);
    if (!route) {
      const text = `Use ${methods.join(" or ")} here.`;
      const answer = jsonAnswer(405, { error: "invalid_request", error_description: text });
      answer.headers.set("Allow", methods.join(", "));
      return answer;
    }
    const answer = await Promise.resolve()
      .then(() => route.handle(request, limitKey(clientAddress(context.address, request.headers, proxies))))
      .catch((error: unknown) => failed(route, request, error));
    for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value);
    return request.method === "HEAD" ? new Response(null, answer) : answer;
  };
  return { fetch, serves: (url) => routesAt(url) !== undefined };
}

function reportFault(deps: ServerDeps, { reason, status }: OAuthError): void {
  deps.audit.write({ time: new Date(deps.clock.now()).toISOString(), action: "request.refused", reason, status });
}

/** What a fault becomes for the outside: an outage of the store is 503, never a refusal; anything unforeseen is 500. */
function asOAuthError(error: unknown, deps: ServerDeps): OAuthError {
  if (error instanceof OAuthError) return error;
  if (error instanceof StoreUnavailable || error instanceof UnreadableRecord) {
    deps.logger.error("the store did not serve a request; nothing was refused for it", { error: error.message });
    return new OAuthError(
      "temporarily_unavailable",
      "store_unavailable",
      "The server cannot reach its records. Try again.",
    );
  }
  const kind = error instanceof Error ? `${error.name}: ${error.message}` : "unknown";
  deps.logger.error("a request failed in a way that was not foreseen", { error: kind });
  return new OAuthError("server_error", "internal_error", "Something went wrong on the server.");
}

/** JSON of RFC 6749 §5.2. */
function errorAnswer(error: OAuthError, request: Request): Response {
  const answer = jsonAnswer(error.status, error);
  if (error.retryAfter !== undefined) answer.headers.set("Retry-After", String(error.retryAfter));
  const authorization = request.headers.get("authorization");
  const basic = authorization?.toLowerCase().startsWith("basic");
  // RFC 6749 §5.2: a client that tried HTTP authentication is told which scheme it was.
  if (error.status === 401 && basic) answer.headers.set("WWW-Authenticate", 'Basic realm="token endpoint"');
  // RFC 6750 §3.1: without a token, the challenge says no more than that one is needed.
  if (error.code === "invalid_token") {
    const fault = authorization === null ? {} : { error: error.code, errorDescription: error.message };
    answer.headers.set("WWW-Authenticate", bearerChallenge(fault));
  }
  return answer;
}

/** A program that looks at the authorization endpoint before it opens a browser can read JSON better than a page. */
function wantsJson(request: Request): boolean {
  const accept = request.headers.get("accept") ?? "";
  return accept.includes("application/json") && !accept.includes("text/html");
}
