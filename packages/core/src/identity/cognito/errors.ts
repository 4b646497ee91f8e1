import { IdentityProviderError, type IdentityProviderFailure } from "../identity-provider.ts";

/** Whose credentials a request carried: our own app client's, or those that a machine presented. */
export type Credentials = "own" | "machine";

const byCode: Readonly<Record<Credentials, ReadonlyMap<string, IdentityProviderFailure>>> = {
  own: new Map([
    ["invalid_grant", "refused"],
    ["invalid_client", "misconfigured"],
    ["unauthorized_client", "misconfigured"],
    ["temporarily_unavailable", "unavailable"],
    ["server_error", "unavailable"],
  ]),
  // Cognito answers invalid_grant where the scope exists and this app client may not have it.
  machine: new Map([
    ["invalid_grant", "refused"],
    ["invalid_client", "refused"],
    ["unauthorized_client", "refused"],
    ["invalid_scope", "refused"],
    ["temporarily_unavailable", "unavailable"],
    ["server_error", "unavailable"],
  ]),
};

/**
 * What an answer other than 200 of Cognito's OAuth endpoints means. Cognito says 400 for nearly everything, so the code
 * decides; throttling and server errors count as such whatever their body says.
 * @param what the request, without its query and body
 * @param body the answer's text; nothing of it but the OAuth error code goes into the error
 */
export function answerError(what: string, status: number, body: string, whose: Credentials): IdentityProviderError {
  if (status === 429 || status === 408 || status >= 500) {
    return new IdentityProviderError("unavailable", `${what} answered ${status}`);
  }
  const providerCode = oauthErrorCode(body);
  if (providerCode === undefined) {
    // 403 without an OAuth error is a web application firewall in front of the domain.
    return new IdentityProviderError(
      status === 403 ? "unavailable" : "invalid_response",
      `${what} answered ${status} without an OAuth error`,
    );
  }
  return new IdentityProviderError(
    byCode[whose].get(providerCode) ?? "invalid_response",
    `${what} answered ${status} ${providerCode}`,
    { providerCode },
  );
}

/** The `error` of an RFC 6749 §5.2 body, if it has that section's characters and at most 64 of them. */
function oauthErrorCode(body: string): string | undefined {
  const json = parseJson(body);
  if (typeof json !== "object" || json === null || !("error" in json)) return undefined;
  const code = json.error;
  return typeof code === "string" && /^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,64}$/.test(code) ? code : undefined;
}

/** The JSON value of a text, or `undefined` if it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a request that brought no answer means: always `unavailable`. The cause's own text is not taken over. */
export function networkError(what: string, error: unknown, timeoutMs: number): IdentityProviderError {
  if (error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError")) {
    return new IdentityProviderError("unavailable", `${what} gave no answer within ${timeoutMs} ms`);
  }
  const code = systemCode(error) ?? (error instanceof Error ? systemCode(error.cause) : undefined);
  return new IdentityProviderError("unavailable", `${what} failed${code === undefined ? "" : `: ${code}`}`);
}

/** Such as ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED. */
function systemCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" && /^[A-Z0-9_]{1,64}$/.test(error.code) ? error.code : undefined;
}
