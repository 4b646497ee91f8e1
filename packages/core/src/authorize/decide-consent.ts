import { OAuthError } from "../errors/index.ts";
import {
  addBrowserCookie,
  browserCookies,
  checkSameOrigin,
  type Parameters,
  readForm,
  readQuery,
} from "../http/index.ts";
import { requireAllowance } from "../limits/index.ts";
import type { ConsentMark } from "../records/index.ts";
import { type CheckedRequest, recheckRequest } from "./authorization-request.ts";
import { beginSignIn, transactionLife } from "./begin-sign-in.ts";
import { type ConsentForm, formLife, openConsentForm } from "./consent-form.ts";
import { askAgain } from "./consent-page-answer.ts";
import { consentedByUser, denied } from "./consented-request.ts";
import { type AuthorizeDeps, report } from "./deps.ts";
import { redirect, returnLocation } from "./redirect-error.ts";
import { forgetConsent } from "./remembered-approvals.ts";
import { unavailable } from "./show-consent.ts";
import { tickedScopes } from "./ticked-scopes.ts";

/** The mark of an answered form outlives the form, ms. */
const markLife = 2 * formLife;

/**
 * `POST /consent`: the user's answer. Same origin, in the browser that got the page, once. Client and redirect are
 * validated again. A denial is final; a repeated approval (double click, back button) leads where the first one led and
 * begins nothing new, with the scopes of the first; a denial after an approval ends the sign-in that was begun. The forms
 * of the list of remembered approvals come here too.
 */
export function decideConsent(deps: AuthorizeDeps): (request: Request, address: string) => Promise<Response> {
  const decide = async (request: Request, address: string): Promise<Response> => {
    requireAllowance(deps.limits.consent, address, "Too many answers to consent pages came from this address.");
    checkSameOrigin(request, deps.baseUrl);
    const form = await readForm(request, deps.config.maxBody);
    if (form.has("forget")) return forgetConsent(deps, request, form);
    const consent = openConsentForm(deps, form.get("request"), browserCookies(request, "page", deps));
    const checked = await recheckRequest(deps, consent.request);
    const decision = form.get("decision");
    if (decision === "approve") return approve(deps, request, consent, checked, form);
    if (decision === "deny") return deny(deps, consent, checked);
    throw new OAuthError("invalid_request", "malformed_request", "decision must be approve or deny");
  };

  return (request, address) =>
    decide(request, address).catch((error: unknown) => {
      if (error instanceof OAuthError) report(deps, { action: "consent.refused", reason: error.reason });
      throw error;
    });
}

async function approve(
  deps: AuthorizeDeps,
  request: Request,
  consent: ConsentForm,
  checked: CheckedRequest,
  form: Parameters,
): Promise<Response> {
  const goOn = ({ location, transaction }: ConsentMark): Response => {
    if (!transaction) throw usedForm();
    const { cookie, continuation } = transaction;
    return redirect(location, [
      ...addBrowserCookie(request, deps, "tx", cookie, transactionLife),
      ...(continuation === undefined ? [] : addBrowserCookie(request, deps, "again", continuation, transactionLife)),
    ]);
  };
  const before = await deps.consentMarks.get(consent.id);
  if (before) return goOn(before.value);

  const fromBoxes = readQuery(new URL(request.url)).has("boxes");
  const scopes = tickedScopes(deps.scopes, consent.request.scopes, form, fromBoxes);
  if (scopes.length === 0 && consent.request.scopes.length > 0) {
    report(deps, { action: "consent.refused", reason: "consent_scopes_empty", client: checked.client.clientId });
    return askAgain(deps, request, checked, form.get("request") ?? "");
  }
  const approved: CheckedRequest = { ...checked, request: { ...checked.request, scopes: [...scopes] } };
  const consented = consentedByUser(approved, form.has("another_account"));
  const begun = await beginSignIn(deps, consented).catch((error: unknown) => {
    throw unavailable(checked, error);
  });
  const { location, ...transaction } = begun;
  const mark: ConsentMark = { decision: "approve", location, transaction };
  // The transaction is written first: a crash between the two leaves an unanswered form and nothing that can be used.
  if (await deps.consentMarks.put(consent.id, mark, { ttl: markLife, ifAbsent: true })) {
    report(deps, {
      action: "consent.approved",
      client: checked.client.clientId,
      resource: checked.resource.url,
      scope: scopes.join(" "),
    });
    await deps.clients.keepWhileUsed(checked.client.clientId, deps.clock.now());
    return goOn(mark);
  }
  await deps.transactions.delete(begun.handle);
  const first = await deps.consentMarks.get(consent.id);
  if (!first) throw usedForm();
  return goOn(first.value);
}

async function deny(deps: AuthorizeDeps, consent: ConsentForm, checked: CheckedRequest): Promise<Response> {
  const { code, message } = denied();
  const to = { redirect: checked.redirect, state: consent.request.state };
  const location = returnLocation(to, deps.issuer, { error: code, error_description: message });
  const mark: ConsentMark = { decision: "deny", location };
  const fresh = await deps.consentMarks.put(consent.id, mark, { ttl: markLife, ifAbsent: true });
  if (!fresh) {
    const before = await deps.consentMarks.get(consent.id);
    const begun = before?.value.transaction;
    if (begun) await deps.transactions.delete(begun.handle);
  }
  report(deps, { action: "consent.denied", reason: "consent_denied", client: checked.client.clientId });
  return redirect(location);
}

const usedForm = (): OAuthError =>
  new OAuthError("invalid_request", "consent_form_used", "This request was already answered.");
