import { constantTimeEqual, randomId, s256 } from "../crypto/index.ts";
import { OAuthError, type Reason } from "../errors/index.ts";
import type { Grant } from "../records/index.ts";
import { changeGrant } from "./change-grant.ts";
import type { GrantDeps } from "./deps.ts";
import { endGrant } from "./end-grant.ts";
import { handleToken, parseHandleToken } from "./handle-token.ts";

/** A client that posts its code twice in a row does no harm; later than this a repeat is a theft. */
const retryWindow = 5_000;

/** A live grant as the token endpoint answers it. */
export interface LiveGrant {
  readonly grantId: string;
  readonly grant: Grant;
  /** Absent for a machine. */
  readonly refreshToken?: string;
}

/**
 * Redeems a code (RFC 6749 §4.1.3, RFC 7636 §4.6): of any number of attempts exactly one moves the grant from
 * `code_issued` to `live`. An attempt with a wrong client, redirect, verifier or resource changes nothing. After the
 * redemption, a repeat by the same client with the right verifier within 5 s changes nothing either; any other repeat
 * within the code's life ends the grant (RFC 6749 §4.1.2).
 * @throws OAuthError invalid_grant, or invalid_target for a resource that is not the authorized one
 */
export async function redeemCode(
  deps: GrantDeps,
  request: {
    readonly code: string;
    readonly clientId: string;
    readonly redirectUri: string | undefined;
    readonly codeVerifier: string;
    /** Canonical; undefined means the authorized one. */
    readonly resource: string | undefined;
  },
): Promise<LiveGrant> {
  const code = parseHandleToken(request.code, deps.keys);
  if (code?.n !== 0) throw refuse("code_malformed");
  const first = handleToken(code.grantId, 1, deps.keys.active, randomId(deps.random));

  const outcome = await changeGrant<LiveGrant | OAuthError | "replay">(deps, code.grantId, (grant) => {
    const now = deps.clock.now();
    const issued = grant.code;
    if (grant.state === "ended") return { result: refuse("grant_ended") };
    if (!issued) return { result: refuse("code_unknown") };
    if (!constantTimeEqual(issued.hash, code.hash)) return { result: refuse("code_unknown") };
    if (issued.expiresAt <= now) return { result: refuse("code_expired") };
    const fault = mismatch(grant, issued, request);
    if (issued.redeemedAt !== undefined) {
      const retry = !fault && now - issued.redeemedAt <= retryWindow;
      return { result: retry ? refuse("code_used") : "replay" };
    }
    if (fault) return { result: fault };
    const live: Grant = {
      ...grant,
      state: "live",
      code: { ...issued, redeemedAt: now },
      refresh: {
        n: 1,
        hash: first.hash,
        kid: first.key.kid,
        idleUntil: now + deps.tokens.refreshIdleTtl,
        used: [],
      },
    };
    return { grant: live, result: { grantId: code.grantId, grant: live, refreshToken: first.text } };
  });
  if (outcome === undefined) throw refuse("code_unknown");
  if (outcome === "replay") {
    await endGrant(deps, code.grantId, "code_replayed");
    throw refuse("code_replayed");
  }
  if (outcome instanceof OAuthError) throw outcome;
  return outcome;
}

/**
 * The grant whose code waits to be redeemed by exactly this client with exactly this verifier, if there is one. Changes
 * nothing and decides nothing: {@link redeemCode} judges anew.
 */
export async function codeHolder(
  deps: GrantDeps,
  request: { readonly code: string; readonly clientId: string; readonly codeVerifier: string },
): Promise<Grant | undefined> {
  const code = parseHandleToken(request.code, deps.keys);
  if (code?.n !== 0) return undefined;
  const grant = (await deps.grants.get(code.grantId))?.value;
  if (grant?.state !== "code_issued" || !grant.code || grant.clientId !== request.clientId) return undefined;
  return constantTimeEqual(s256(request.codeVerifier), grant.code.challenge) ? grant : undefined;
}

function mismatch(
  grant: Grant,
  issued: NonNullable<Grant["code"]>,
  request: Parameters<typeof redeemCode>[1],
): OAuthError | undefined {
  if (grant.clientId !== request.clientId) return refuse("code_client_mismatch");
  // OAuth 2.1 §4.1.3 no longer asks for redirect_uri here; where it is sent it must be the one of the request.
  if (request.redirectUri !== undefined && request.redirectUri !== issued.redirectUri)
    return refuse("code_redirect_mismatch");
  if (!constantTimeEqual(s256(request.codeVerifier), issued.challenge)) return refuse("pkce_mismatch");
  if (request.resource !== undefined && request.resource !== grant.resource) {
    return new OAuthError("invalid_target", "code_resource_mismatch", "resource is not the one that was authorized");
  }
  return undefined;
}

const refuse = (reason: Reason): OAuthError =>
  new OAuthError(
    "invalid_grant",
    reason,
    "The authorization code is not valid: it was used, has expired, or belongs to another request.",
  );
