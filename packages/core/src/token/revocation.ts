import { authenticateClient, type ClientCredentials, clientCredentialsOf } from "../clients/index.ts";
import { OAuthError } from "../errors/index.ts";
import { endGrant, parseHandleToken } from "../grants/index.ts";
import { readForm } from "../http/index.ts";
import { requireAllowance } from "../limits/index.ts";
import { readOwnToken } from "../verify/index.ts";
import type { MachineAuthentication } from "./authenticate-machine.ts";
import type { TokenDeps } from "./deps.ts";

/**
 * `POST /revoke` (RFC 7009 §2), for every kind of client and for either token: the grant behind it ends, everywhere
 * within the check interval, and Cognito's refresh token with it. 200 as well for a token that is none (§2.2): the
 * client's wish is fulfilled. `token_type_hint` is not needed: the two kinds look different.
 */
export function revocationEndpoint(
  deps: TokenDeps,
  authenticateMachine: MachineAuthentication,
): (request: Request, address: string) => Promise<Response> {
  const authenticate = async (credentials: ClientCredentials): Promise<void> => {
    const { clientId } = credentials;
    if (Object.hasOwn(deps.config.machines, clientId)) await authenticateMachine(deps, credentials);
    else await authenticateClient(deps, credentials);
  };

  const revoke = async (request: Request, address: string): Promise<Response> => {
    requireAllowance(deps.limits.token, address, "Too many requests from this address.");
    const form = await readForm(request, deps.config.maxBody);
    const credentials = clientCredentialsOf(request.headers, form);
    await authenticate(credentials);
    const token = form.get("token");
    if (token === undefined) throw new OAuthError("invalid_request", "malformed_request", "token is missing");
    const grantId = await grantOf(deps, token);
    const grant = grantId === undefined ? undefined : (await deps.grants.get(grantId))?.value;
    if (grantId !== undefined && grant !== undefined) {
      // RFC 7009 §2.1, and RFC 6749 §5.2 for the code: another client's token is left alone.
      if (grant.clientId !== credentials.clientId) {
        throw new OAuthError("invalid_grant", "token_client_mismatch", "The token was issued to another client.");
      }
      await endGrant(deps, grantId, "grant_revoked");
      // This replica knows at once; the others within the check interval.
      await deps.judge.judgeAfresh(grantId);
    }
    return new Response(null, { status: 200, headers: { "Cache-Control": "no-store" } });
  };

  return (request, address) =>
    revoke(request, address).catch((error: unknown) => {
      if (error instanceof OAuthError) {
        const time = new Date(deps.clock.now()).toISOString();
        deps.audit.write({ time, action: "token.refused", reason: error.reason, status: error.status });
      }
      throw error;
    });
}

/** The grant that a refresh token or an access token of ours belongs to. An expired one still says which. */
async function grantOf(deps: TokenDeps, token: string): Promise<string | undefined> {
  const handle = parseHandleToken(token, deps.keys);
  if (handle) return handle.n > 0 ? handle.grantId : undefined;
  const claims = await readOwnToken(token, deps);
  // RFC 7009 §2.2.1: the client must know that the token still counts.
  if (claims === "store_unavailable") {
    throw new OAuthError("temporarily_unavailable", claims, "The token cannot be revoked at the moment. Try again.");
  }
  return typeof claims === "string" ? undefined : claims.sid;
}
