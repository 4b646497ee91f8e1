import { OAuthError } from "../../errors/index.ts";

/** The S256 challenge is a base64url SHA-256: 43 characters (RFC 7636 §4.2). */
const challengeForm = /^[A-Za-z0-9_-]{43}$/;

/** Rule 4: PKCE with S256, always, for every client (OAuth 2.1 §4.1.1, RFC 7636 §4.3). `plain` is not offered. */
export function requirePkce(challenge: string | undefined, method: string | undefined): string {
  if (challenge === undefined) throw new OAuthError("invalid_request", "pkce_missing", "code_challenge is missing");
  // RFC 7636 §4.3: a challenge without a method would mean plain.
  if (method === undefined) {
    throw new OAuthError("invalid_request", "pkce_method_unsupported", "code_challenge_method is missing; use S256");
  }
  if (method !== "S256") {
    throw new OAuthError("invalid_request", "pkce_method_unsupported", "code_challenge_method must be S256");
  }
  if (!challengeForm.test(challenge)) {
    throw new OAuthError(
      "invalid_request",
      "pkce_malformed",
      "code_challenge must be the 43 base64url characters of a SHA-256",
    );
  }
  return challenge;
}
