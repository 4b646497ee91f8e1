import { html } from "hono/html";
import type { OAuthError, Reason } from "../errors/index.ts";
import { type Dress, layout } from "./layout.ts";
import type { Texts } from "./texts/en.ts";

/** What an error page tells, all of it taken as text. */
export interface ErrorModel {
  readonly title: string;
  readonly whatHappened: string;
  readonly whatToDo: string;
  /** One way for each app, where it differs. */
  readonly hints: readonly { readonly client: string; readonly how: string }[];
  /** Wire code and description, for a developer. */
  readonly details: string;
  /** Finds the request in the log; says nothing by itself. */
  readonly reference: string;
}

type ErrorKind = keyof Texts["error"]["kinds"];

const kinds: Partial<Record<Reason, ErrorKind>> = {
  client_unknown: "unknownClient",
  client_document_refused: "clientDocument",
  client_document_invalid: "clientDocument",
  client_document_gone: "clientDocument",
  consent_wrong_browser: "otherBrowser",
  consent_cookie_missing: "noCookie",
  transaction_cookie_missing: "noCookie",
  transaction_cookie_mismatch: "otherBrowser",
  consent_form_expired: "over",
  consent_form_used: "over",
  transaction_unknown: "over",
  consent_form_invalid: "untrustedForm",
  cross_site_post: "untrustedForm",
  redirect_uri_not_registered: "wrongRedirect",
  logout_target_not_allowed: "wrongSignOut",
  rate_limited: "tooMany",
};

const kindOf = ({ reason, status }: OAuthError): ErrorKind =>
  kinds[reason] ?? (status === 503 ? "unavailable" : status >= 500 ? "internal" : "badRequest");

/**
 * The page for an error that no client can be told, because its redirect is not known to be right.
 * @param reference an id that stands in the log as well
 */
export function errorModel(error: OAuthError, reference: string, texts: Texts): ErrorModel {
  const kind = kindOf(error);
  return {
    ...texts.error.kinds[kind],
    hints: kind === "unknownClient" ? texts.error.clearRegistration : [],
    details: `${error.code}: ${error.message}`,
    reference,
  };
}

/** Says what happened and what to do next. */
export function errorPage(model: ErrorModel, dress: Dress): string {
  const t = dress.texts.error;
  const hints = model.hints.map(({ client, how }) => html`<dt>${client}</dt><dd>${how}</dd>`);
  const body = html`<h1>${model.title}</h1>
<p>${model.whatHappened}</p>
<h2>${t.next}</h2>
<p>${model.whatToDo}</p>
${hints.length === 0 ? "" : html`<dl class="hints">${hints}</dl>`}
<details>
<summary>${t.details}</summary>
<p><code>${model.details}</code></p>
</details>
<p class="soft next">${t.reference} <code>${model.reference}</code></p>`;
  return layout({ title: model.title, body }, dress);
}
