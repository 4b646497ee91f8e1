import { isLoopbackRedirect, redirectHost } from "../clients/index.ts";
import { randomId } from "../crypto/index.ts";
import { OAuthError } from "../errors/index.ts";
import { addBrowserCookie, htmlAnswer, readQuery } from "../http/index.ts";
import { IdentityProviderError } from "../identity/identity-provider.ts";
import { requireAllowance } from "../limits/index.ts";
import { consentPage, textsFor } from "../pages/index.ts";
import { type CheckedRequest, checkAuthorizationRequest } from "./authorization-request.ts";
import { beginSignIn, transactionLife } from "./begin-sign-in.ts";
import { formLife, sealConsentForm } from "./consent-form.ts";
import { consentedByConfiguration } from "./consented-request.ts";
import { type AuthorizeDeps, report } from "./deps.ts";
import { RedirectableError, redirect } from "./redirect-error.ts";

/**
 * `GET /authorize`: checks the request and answers with the consent page itself, 200 and no redirect before it. Nothing
 * is written to the store: the request travels sealed inside the page.
 */
export function showConsent(deps: AuthorizeDeps): (request: Request, address: string) => Promise<Response> {
  const check = async (request: Request, address: string): Promise<CheckedRequest> => {
    requireAllowance(deps.limits.authorize, address, "Too many sign-ins were begun from this address.");
    return checkAuthorizationRequest(deps, readQuery(new URL(request.url)));
  };

  return async (request, address) => {
    const checked = await check(request, address).catch((error: unknown) => {
      const cause = error instanceof RedirectableError ? error.error : error;
      if (cause instanceof OAuthError) report(deps, { action: "authorize.refused", reason: cause.reason });
      throw error;
    });
    const consented = consentedByConfiguration(checked);
    if (consented) {
      const begun = await beginSignIn(deps, consented).catch((error: unknown) => {
        throw unavailable(checked, error);
      });
      return redirect(begun.location, addBrowserCookie(request, deps, "tx", begun.cookie, transactionLife));
    }
    return page(deps, request, checked);
  };
}

function page(deps: AuthorizeDeps, request: Request, checked: CheckedRequest): Response {
  const { client, redirect: target, resource } = checked;
  const cookie = randomId(deps.random);
  const html = consentPage(
    {
      clientName: client.name,
      clientOrigin: client.origin,
      redirectHost: redirectHost(target),
      loopback: isLoopbackRedirect(target),
      customScheme: !/^https?:/.test(target),
      resourceName: resource.name,
      resourceUrl: resource.url,
      scopes: deps.scopes
        .expand(checked.request.scopes)
        .map((scope) => ({ name: scope, description: deps.scopes.describe(scope) })),
      request: sealConsentForm(deps, checked.request, cookie),
      action: `${deps.baseUrl}/consent`,
    },
    textsFor(request),
  );
  report(deps, { action: "authorize.shown", client: client.clientId, resource: resource.url });
  return htmlAnswer(200, html, addBrowserCookie(request, deps, "page", cookie, formLife));
}

/** The identity provider could not be reached before anything was written: the client may simply try again. */
export function unavailable(checked: CheckedRequest, error: unknown): unknown {
  if (!(error instanceof IdentityProviderError)) return error;
  const reason = error.failure === "misconfigured" ? "provider_misconfigured" : "provider_unavailable";
  const to = { redirect: checked.redirect, state: checked.request.state };
  const text = "The sign-in service cannot be reached at the moment. Try again.";
  return new RedirectableError(to, new OAuthError("temporarily_unavailable", reason, text));
}
