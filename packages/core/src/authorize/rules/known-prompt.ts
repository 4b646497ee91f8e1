import { OAuthError } from "../../errors/index.ts";

/**
 * Rule 7: `prompt` (OpenID Connect Core §3.1.2.1). There is always something to show, so `none` cannot be served.
 * `consent` needs nothing more: the consent page is shown anyway.
 */
export function knownPrompt(parameter: string | undefined): "login" | "select_account" | "consent" | undefined {
  const values = (parameter ?? "").split(" ").filter((value) => value !== "");
  if (values.includes("none")) {
    if (values.length > 1) throw new OAuthError("invalid_request", "malformed_request", "prompt=none stands alone");
    throw new OAuthError("interaction_required", "interaction_required", "The user has to take part in this sign-in.");
  }
  // Others are left out, as any unknown parameter is (RFC 6749 §3.1).
  return (["login", "select_account", "consent"] as const).find((value) => values.includes(value));
}
