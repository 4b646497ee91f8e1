import { constantTimeEqual, fromBase64Url, hkdf, type RootKeys, randomId, toBase64Url } from "../crypto/index.ts";
import { OAuthError, type Reason } from "../errors/index.ts";
import type { Grant, UsedToken } from "../records/index.ts";
import { changeGrant } from "./change-grant.ts";
import type { GrantDeps } from "./deps.ts";
import { endGrant } from "./end-grant.ts";
import { type HandleToken, handleToken } from "./handle-token.ts";
import type { LiveGrant } from "./redeem-code.ts";

/**
 * The most used tokens that are remembered, oldest out first. Only those inside the grace window are needed: any other
 * well-tagged older token proves a reuse by its tag alone.
 */
const ringSize = 128;

/**
 * Rotates a refresh token at its use (OAuth 2.1 §4.3.1). The first use writes the successor's hash in one
 * compare-and-set before anything is answered. Whoever repeats it within the grace window (a client that lost the
 * answer, a second process on the same keychain, another replica) derives the very same successor from the token it
 * presents: nothing readable is stored. If the successor was used by then, the repeat is refused and nothing ends. After
 * the window a well-tagged older token is a theft and ends the grant. A well-tagged newer one tells of a store that went
 * back in time: it is refused, and nothing ends.
 * @throws OAuthError invalid_grant
 */
export async function rotateRefreshToken(
  deps: GrantDeps,
  presented: HandleToken,
  check: (grant: Grant) => OAuthError | undefined,
): Promise<LiveGrant> {
  const salt = randomId(deps.random, 16);
  const outcome = await changeGrant<LiveGrant | OAuthError | "reuse">(deps, presented.grantId, (grant) => {
    const now = deps.clock.now();
    const { refresh } = grant;
    if (grant.state !== "live" || !refresh) return { result: refuse("grant_ended") };
    const fault = check(grant);
    if (fault) return { result: fault };

    if (presented.n === refresh.n && constantTimeEqual(presented.hash, refresh.hash)) {
      if (Math.min(refresh.idleUntil, grant.absoluteUntil) <= now) return { result: refuse("refresh_expired") };
      const used: UsedToken = { n: refresh.n, hash: refresh.hash, kid: deps.keys.active.kid, salt, usedAt: now };
      const next = successor(presented, used, deps.keys);
      if (!next) return { result: refuse("refresh_unknown") };
      const { code: _code, ...rest } = grant;
      const rotated: Grant = {
        ...(grant.code && grant.code.expiresAt > now ? grant : rest),
        refresh: {
          n: next.n,
          hash: next.hash,
          kid: next.key.kid,
          idleUntil: now + deps.tokens.refreshIdleTtl,
          used: [...refresh.used.filter((token) => now - token.usedAt <= deps.tokens.graceWindow), used].slice(
            -ringSize,
          ),
        },
      };
      return { grant: rotated, result: { grantId: presented.grantId, grant: rotated, refreshToken: next.text } };
    }

    // The tag was right, so the token was given out for this grant. A newer one than is known is no theft: the store has
    // forgotten a rotation, after a failover or from a backup. It may remember yet, so nothing ends.
    if (presented.n > refresh.n) return { result: refuse("refresh_ahead_of_store") };
    // It is an older one.
    const used = refresh.used.find((token) => token.n === presented.n && constantTimeEqual(token.hash, presented.hash));
    if (!used || now - used.usedAt > deps.tokens.graceWindow) return { result: "reuse" };
    if (refresh.n !== used.n + 1) return { result: refuse("refresh_successor_used") };
    const next = successor(presented, used, deps.keys);
    if (!next || next.hash !== refresh.hash) return { result: refuse("refresh_unknown") };
    return { result: { grantId: presented.grantId, grant, refreshToken: next.text } };
  });
  if (outcome === undefined) throw refuse("refresh_unknown");
  if (outcome === "reuse") {
    await endGrant(deps, presented.grantId, "refresh_reused");
    throw refuse("refresh_reused");
  }
  if (outcome instanceof OAuthError) throw outcome;
  return outcome;
}

/** The token that follows `presented`: the same for everyone who holds it and the named root key. */
function successor(presented: HandleToken, used: UsedToken, keys: RootKeys): HandleToken | undefined {
  const key = keys.find(used.kid);
  const secret = fromBase64Url(presented.secret);
  const salt = fromBase64Url(used.salt);
  if (!key || !secret || !salt) return undefined;
  const n = presented.n + 1;
  const material = new Uint8Array([...secret, ...key.successor]);
  const next = hkdf(material, salt, `refresh successor\0${presented.grantId}\0${n}`);
  return handleToken(presented.grantId, n, key, toBase64Url(next));
}

const refuse = (reason: Reason): OAuthError =>
  new OAuthError(
    "invalid_grant",
    reason,
    "The refresh token is not valid: it was used, has expired or was revoked. Sign in again.",
  );
