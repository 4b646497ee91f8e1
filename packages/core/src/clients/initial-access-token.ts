import { constantTimeEqual, hmac, type RootKeys } from "../crypto/index.ts";
import { OAuthError } from "../errors/index.ts";

/** RFC 6750 §2.1; the scheme's name in any case (RFC 9110 §11.1). */
const bearer = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * Whether a registration may be made at all (RFC 7591 §3): where initial access tokens are configured, it must bring one.
 * A configured token may be weak: it is compared through a keyed hash, in constant time.
 * @throws OAuthError invalid_token (401)
 */
export function createInitialAccessCheck(
  tokens: readonly string[],
  keys: RootKeys,
): (authorization: string | undefined) => void {
  const hashOf = (token: string): Uint8Array => hmac(keys.active.lookup, `initial-access-token\0${token}`);
  const known = tokens.map(hashOf);
  return (authorization) => {
    if (known.length === 0) return;
    const presented = hashOf(bearer.exec(authorization ?? "")?.[1] ?? "");
    if (known.reduce((match, hash) => constantTimeEqual(hash, presented) || match, false)) return;
    throw new OAuthError(
      "invalid_token",
      "registration_token_invalid",
      "To register here, send an initial access token of this server's administrator as a Bearer token.",
    );
  };
}
