import { z } from "zod";
import { labelledHash, openHandle, randomId, sealHandle } from "../crypto/index.ts";
import { OAuthError } from "../errors/index.ts";
import { type AuthorizationRequest, authorizationRequestSchema } from "../records/index.ts";
import type { AuthorizeDeps } from "./deps.ts";

/** How long a consent page can be answered, ms. */
export const formLife = 900_000;

const purpose = "consent-form";

const schema = z.strictObject({
  id: z.string(),
  request: authorizationRequestSchema,
  /** SHA-256 of the page cookie. */
  cookieHash: z.string(),
  expiresAt: z.number(),
});

/** The request inside a consent page, sealed: nothing is stored until the user answers. */
export type ConsentForm = z.output<typeof schema>;

/** Seals a request into a page that only this browser can answer. */
export function sealConsentForm(deps: AuthorizeDeps, request: AuthorizationRequest, cookie: string): string {
  const form: ConsentForm = {
    id: randomId(deps.random),
    request,
    cookieHash: labelledHash("page-cookie", cookie),
    expiresAt: deps.clock.now() + formLife,
  };
  return sealHandle(deps.keys, purpose, form, deps.random);
}

/**
 * Opens the form that a page posted and finds the cookie of that page among those the browser sent.
 * @throws OAuthError consent_form_invalid, consent_form_expired, consent_cookie_missing or consent_wrong_browser
 */
export function openConsentForm(
  deps: AuthorizeDeps,
  sealed: string | undefined,
  pageCookies: readonly string[],
): ConsentForm {
  const opened = schema.safeParse(sealed === undefined ? undefined : openHandle(deps.keys, purpose, sealed));
  if (!opened.success) {
    throw new OAuthError("invalid_request", "consent_form_invalid", "This page was not made here or was changed.");
  }
  const form = opened.data;
  if (form.expiresAt <= deps.clock.now()) {
    throw new OAuthError("invalid_request", "consent_form_expired", "This page is older than 15 minutes.");
  }
  if (!pageCookies.some((cookie) => labelledHash("page-cookie", cookie) === form.cookieHash)) {
    const [reason, text] =
      pageCookies.length === 0
        ? (["consent_cookie_missing", "This browser did not keep the cookie of this page."] as const)
        : (["consent_wrong_browser", "This page was opened in another browser, or its cookie is gone."] as const);
    throw new OAuthError("invalid_request", reason, text, { status: 403 });
  }
  return form;
}
