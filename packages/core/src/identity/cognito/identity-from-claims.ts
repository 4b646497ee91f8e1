import type { Identity } from "../identity-provider.ts";
import type { AccessTokenClaims, IdTokenClaims } from "./verify-tokens.ts";

/** What the protocol needs, or what `Identity` has a field for. All that begins with `cognito:` goes the same way. */
const notAttributes = new Set([
  ...["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "azp", "nonce", "at_hash", "c_hash", "s_hash", "sid"],
  ...["acr", "amr", "auth_time", "token_use", "event_id", "origin_jti", "device_key", "version", "client_id", "scope"],
  ...["username", "email", "email_verified"],
]);

/**
 * Who signed in, from both tokens. Groups come from the access token: that is the one Cognito means for authorization.
 * An attribute that both have is taken from the ID token.
 */
export function identityFromClaims(id: IdTokenClaims, access: AccessTokenClaims): Identity {
  return {
    sub: id.sub,
    // Neither is promised in every token; sub is, and is the user name in pools where people sign in by e-mail.
    username: id["cognito:username"] ?? access.username ?? id.sub,
    groups: access["cognito:groups"] ?? id["cognito:groups"] ?? [],
    ...(id.email === undefined ? {} : { email: id.email }),
    ...(id.email_verified === undefined ? {} : { emailVerified: id.email_verified }),
    claims: Object.fromEntries(
      Object.entries({ ...access, ...id }).filter(([name]) => !notAttributes.has(name) && !name.startsWith("cognito:")),
    ),
  };
}
