import { OAuthError } from "../errors/index.ts";
import { addBrowserCookie, readQuery } from "../http/index.ts";
import { IdentityProviderError } from "../identity/identity-provider.ts";
import { requireAllowance } from "../limits/index.ts";
import { type CheckedRequest, checkAuthorizationRequest } from "./authorization-request.ts";
import { beginSignIn, transactionLife } from "./begin-sign-in.ts";
import { browserUser } from "./browser-user.ts";
import { askForConsent } from "./consent-page-answer.ts";
import { type ConsentedRequest, consentedBefore, consentedByConfiguration } from "./consented-request.ts";
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
    const consented = isFramed(request)
      ? undefined
      : (consentedByConfiguration(checked) ?? (await consentedByMemory(deps, request, checked)));
    if (consented) {
      const { consent } = consented;
      report(deps, {
        action: "consent.skipped",
        client: checked.client.clientId,
        resource: checked.resource.url,
        ...(consent.by === "memory" ? { user: consent.user } : {}),
      });
      const begun = await beginSignIn(deps, consented).catch((error: unknown) => {
        throw unavailable(checked, error);
      });
      return redirect(begun.location, addBrowserCookie(request, deps, "tx", begun.cookie, transactionLife));
    }
    report(deps, { action: "authorize.shown", client: checked.client.clientId, resource: checked.resource.url });
    return askForConsent(deps, request, checked);
  };
}

/**
 * Whether the answer would be shown inside another page. A page of ours refuses that, and a redirect would not: nothing
 * is skipped there (Fetch Metadata, `Sec-Fetch-Dest`). What tells nothing is an old browser, which sends no Lax cookie
 * into a frame of another site.
 */
const isFramed = (request: Request): boolean => (request.headers.get("sec-fetch-dest") ?? "document") !== "document";

/** The user of this browser, by its cookie, has approved the same before. Who they are is checked at the callback. */
async function consentedByMemory(
  deps: AuthorizeDeps,
  request: Request,
  checked: CheckedRequest,
): Promise<ConsentedRequest | undefined> {
  if (deps.consentMemory.lifeFor(checked) === undefined) return undefined;
  const user = browserUser(deps, request);
  if (!user) return undefined;
  const scopes = [...deps.scopes.expand(checked.request.scopes)];
  const spelledOut: CheckedRequest = { ...checked, request: { ...checked.request, scopes } };
  return (await deps.consentMemory.covers(user, spelledOut.request))
    ? consentedBefore(spelledOut, user.sub)
    : undefined;
}

/** The identity provider could not be reached before anything was written: the client may simply try again. */
export function unavailable(checked: CheckedRequest, error: unknown): unknown {
  if (!(error instanceof IdentityProviderError)) return error;
  const reason = error.failure === "misconfigured" ? "provider_misconfigured" : "provider_unavailable";
  const to = { redirect: checked.redirect, state: checked.request.state };
  const text = "The sign-in service cannot be reached at the moment. Try again.";
  return new RedirectableError(to, new OAuthError("temporarily_unavailable", reason, text));
}
