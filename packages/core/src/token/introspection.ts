import { authenticationFailed, checkAuthentication, clientCredentialsOf, matchesHash } from "../clients/index.ts";
import { OAuthError, type Reason } from "../errors/index.ts";
import { jsonAnswer, readForm } from "../http/index.ts";
import type { AccessTokenClaims } from "../keys/index.ts";
import { requireAllowance, requireSharedAllowance } from "../limits/index.ts";
import { type Principal, principalOf, readOwnToken, timeFault } from "../verify/index.ts";
import type { TokenDeps } from "./deps.ts";

/** What is told of a token that counts (RFC 7662 §2.2). Times are seconds since the Unix epoch. */
interface ActiveToken {
  readonly active: true;
  readonly token_type: "Bearer";
  /** What counts now: a scope of the token that the groups no longer give is left out. Never empty. */
  readonly scope: string;
  readonly client_id: string;
  /** Absent for a machine. */
  readonly username?: string;
  readonly sub: string;
  readonly aud: string;
  readonly iss: string;
  readonly exp: number;
  readonly iat: number;
  readonly jti: string;
  /** Id of the grant, as in the token itself. */
  readonly sid: string;
  readonly principal: "user" | "machine";
}

/**
 * `POST /introspect` (RFC 7662): for configured resource servers, each of which learns only of access tokens whose
 * audience is one of its own resources. Both doors are asked, and afresh: an answer is never older than the request.
 * Everything else is `{"active":false}` and says nothing more (§2.2); what cannot be told now is 503, never "inactive".
 * `token_type_hint` is not needed: only one kind of token is ever active.
 */
export function introspectionEndpoint(deps: TokenDeps): (request: Request, address: string) => Promise<Response> {
  const report = (reason: Reason, status: number, server?: string): void => {
    const time = new Date(deps.clock.now()).toISOString();
    const client = server === undefined ? {} : { client: server.slice(0, 256) };
    deps.audit.write({ time, action: "token.introspected", reason, status, ...client });
  };

  return async (request, address) => {
    let server: string | undefined;
    try {
      const tooMany = (what: string): string => `Too many introspection requests ${what}.`;
      const place = requireAllowance(deps.limits.introspect, address, tooMany("from this address"));
      const form = await readForm(request, deps.config.maxBody);
      const credentials = clientCredentialsOf(request.headers, form);
      server = credentials.clientId;
      const known = Object.hasOwn(deps.config.resourceServers, server)
        ? deps.config.resourceServers[server]
        : undefined;
      if (!known) throw authenticationFailed();
      await checkAuthentication(deps, credentials, [
        { method: "client_secret", matches: matchesHash(known.secretHashes) },
      ]);
      await requireSharedAllowance(deps.limits.resourceServer, server, tooMany("of this server"));
      place.giveBack();
      const token = form.get("token");
      if (token === undefined) throw new OAuthError("invalid_request", "malformed_request", "token is missing");
      const answer = await introspect(deps, token, known.resources);
      if (typeof answer === "object") return jsonAnswer(200, answer);
      report(answer, 200, server);
      return jsonAnswer(200, { active: false });
    } catch (error) {
      if (error instanceof OAuthError) report(error.reason, error.status, server);
      throw error;
    }
  };
}

/** @param paths of the resources that the asking server is */
async function introspect(deps: TokenDeps, token: string, paths: readonly string[]): Promise<ActiveToken | Reason> {
  const claims = await readOwnToken(token, deps);
  if (claims === "store_unavailable") throw unknownNow(claims);
  if (typeof claims === "string") return claims;
  const resource = deps.resources.byUrl(claims.aud);
  if (!resource || !paths.includes(resource.path)) return "introspection_forbidden";
  const fault = timeFault(claims, deps.clock.now());
  if (fault) return fault;
  const judgement = await deps.judge.judgeAfresh(claims.sid);
  if (judgement.holds === "unknown") throw unknownNow(judgement.reason);
  if (judgement.holds === "no") return judgement.reason;
  const principal = principalOf(claims, resource, judgement, {
    scopes: deps.scopes,
    clients: deps.config.clients,
  });
  if (typeof principal === "string") return principal;
  // Denied by default: a server that looks at `active` alone must not let somebody in who has lost every scope.
  return principal.scopes.length === 0 ? "not_entitled" : activeToken(claims, principal);
}

const activeToken = (claims: AccessTokenClaims, { scopes, username }: Principal): ActiveToken => ({
  active: true,
  token_type: "Bearer",
  scope: scopes.join(" "),
  client_id: claims.client_id,
  ...(username === undefined ? {} : { username }),
  sub: claims.sub,
  aud: claims.aud,
  iss: claims.iss,
  exp: claims.exp,
  iat: claims.iat,
  jti: claims.jti,
  sid: claims.sid,
  principal: claims.principal,
});

const unknownNow = (reason: Reason): OAuthError =>
  new OAuthError("temporarily_unavailable", reason, "The token cannot be checked at the moment. Try again.");
