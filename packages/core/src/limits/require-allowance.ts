import { OAuthError } from "../errors/index.ts";
import type { SharedLimit } from "./shared-limit.ts";
import type { Allowance, Limiter } from "./token-bucket.ts";

/** What a request has taken from a limit. */
export interface Taken {
  /** It turned out that this limit is not the one for it. More than once is once. */
  giveBack(): void;
}

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
): Taken {
  pass(limiter.take(key), text, code);
  let held = true;
  return {
    giveBack() {
      if (held) limiter.giveBack(key);
      held = false;
    },
  };
}

/**
 * The same over all replicas, for whoever is identified.
 * Rejects with OAuthError 429.
 */
export async function requireSharedAllowance(limit: SharedLimit, id: string, text: string): Promise<void> {
  pass(await limit.take(id), text, "temporarily_unavailable");
}

function pass(allowance: Allowance, text: string, code: "temporarily_unavailable" | "invalid_client"): void {
  if (allowance.ok) return;
  throw new OAuthError(code, "rate_limited", text, { status: 429, retryAfter: allowance.retryAfter });
}
