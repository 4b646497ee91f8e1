import { OAuthError } from "../errors/index.ts";
import type { Limiter } from "./token-bucket.ts";

/**
 * One more for this key, or 429 with `Retry-After` (RFC 6585 §4).
 * @param text what there was too much of
 * @throws OAuthError 429
 */
export function requireAllowance(
  limiter: Limiter,
  key: string,
  text: string,
  code: "temporarily_unavailable" | "invalid_client" = "temporarily_unavailable",
): void {
  const allowed = limiter.take(key);
  if (allowed.ok) return;
  throw new OAuthError(code, "rate_limited", text, { status: 429, retryAfter: allowed.retryAfter });
}
