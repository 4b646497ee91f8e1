import { appendToRedirect, type ValidatedRedirect } from "../clients/index.ts";
import type { OAuthError } from "../errors/index.ts";
import { pageHeaders } from "../http/index.ts";

/** Where an answer of the authorization endpoint goes. Only a validated redirect can be such a place. */
export interface ReturnAddress {
  readonly redirect: ValidatedRedirect;
  readonly state: string | undefined;
}

/** An error that may be told to the client itself, because its redirect has been validated (RFC 6749 §4.1.2.1). */
export class RedirectableError extends Error {
  override readonly name = "RedirectableError";
  readonly to: ReturnAddress;
  readonly error: OAuthError;
  constructor(to: ReturnAddress, error: OAuthError) {
    super(error.message, { cause: error });
    this.to = to;
    this.error = error;
  }
}

/** The location of an authorization response, always with `iss` (RFC 9207 §2). */
export const returnLocation = (to: ReturnAddress, issuer: string, params: Readonly<Record<string, string>>): string =>
  appendToRedirect(to.redirect, { ...params, ...(to.state === undefined ? {} : { state: to.state }), iss: issuer });

/** 302 back to the client with an error. */
export const redirectError = (failure: RedirectableError, issuer: string): Response =>
  redirect(returnLocation(failure.to, issuer, { error: failure.error.code, error_description: failure.error.message }));

/**
 * A redirect, never cached.
 * @param status 303 where a form leads to something else than its answer (RFC 9110 §15.4.4)
 */
export const redirect = (location: string, setCookies: readonly string[] = [], status: 302 | 303 = 302): Response => {
  const headers = pageHeaders();
  headers.set("Location", location);
  for (const cookie of setCookies) headers.append("Set-Cookie", cookie);
  return new Response(null, { status, headers });
};
