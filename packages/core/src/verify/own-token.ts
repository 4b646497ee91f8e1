import type { KeyObject } from "node:crypto";
import type { Reason } from "../errors/index.ts";
import { type AccessTokenClaims, type Keyring, parseAccessToken, verifySignature } from "../keys/index.ts";
import { UnreadableRecord } from "../records/index.ts";
import { StoreUnavailable } from "../store/store.ts";

/** Clocks of replicas may differ by this much, ms. */
const leeway = 60_000;

/** The claims of a token of ours whose signature holds, and the key that it holds under. */
export type OwnToken = AccessTokenClaims & { readonly kid: string };

/**
 * What door one asks of every token of ours, whatever it is for: form, type, signature, issuer. A key that is not known
 * here may be another replica's new one, so the keyring is read again.
 * @returns the claims, or the reason why it is not one of ours; `store_unavailable` says that it cannot be told now
 */
export async function readOwnToken(
  token: string,
  deps: { readonly keyring: Keyring; readonly issuer: string },
): Promise<OwnToken | Reason> {
  const parsed = parseAccessToken(token);
  if (typeof parsed === "string") return parsed;
  let key: KeyObject | undefined;
  try {
    await deps.keyring.current();
    key = deps.keyring.find(parsed.kid);
    if (!key) {
      await deps.keyring.refresh();
      key = deps.keyring.find(parsed.kid);
    }
  } catch (error) {
    if (!isOutage(error)) throw error;
    return "store_unavailable";
  }
  if (!key) return "token_signature_invalid";
  const claims = verifySignature(parsed, key);
  if (typeof claims === "string") return claims;
  return claims.iss === deps.issuer ? { ...claims, kid: parsed.kid } : "token_issuer_mismatch";
}

/** Whether an error of the keyring says only that it cannot be read now. */
export const isOutage = (error: unknown): boolean =>
  error instanceof StoreUnavailable || error instanceof UnreadableRecord;

/**
 * Whether a token of ours is over, or not good yet (RFC 7519 §4.1.4 and §4.1.5).
 * @param now ms
 */
export function timeFault(claims: AccessTokenClaims, now: number): Reason | undefined {
  if (claims.exp * 1000 <= now) return "token_expired";
  return Math.max(claims.iat, claims.nbf ?? 0) * 1000 > now + leeway ? "token_not_yet_valid" : undefined;
}
