import { html } from "hono/html";
import { fill, type Html, layout } from "./layout.ts";
import type { Texts } from "./texts/en.ts";

/** What the consent page tells, all of it taken as text. */
export interface ConsentModel {
  readonly clientName: string;
  /** `dynamic`: the client chose its name itself. */
  readonly clientOrigin: "registered" | "dynamic";
  /** Where the answer goes: a host, or the scheme of an app (`cursor:`). */
  readonly redirectHost: string;
  /** The answer goes to a program on the user's own machine. */
  readonly loopback: boolean;
  /** The answer goes to whichever app has claimed the scheme. */
  readonly customScheme: boolean;
  readonly resourceName: string;
  readonly resourceUrl: string;
  readonly scopes: readonly { readonly name: string; readonly description: string }[];
  /** The sealed request; goes back as it is. */
  readonly request: string;
  /** Address that the form is posted to. */
  readonly action: string;
}

const tick = html`<svg viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d="m4 10.5 4 4 8-9" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/></svg>`;

/**
 * Asks the user whether a client may have access: who asks, where the answer goes, for what (MCP, Security Best
 * Practices, confused deputy). "Deny" stands first in the source, so that the Enter key never approves.
 */
export function consentPage(model: ConsentModel, texts: Texts): string {
  const t = texts.consent;
  const kind = model.customScheme ? "customScheme" : model.loopback ? "loopback" : "web";
  const heading = fill(
    t.heading,
    new Map([
      ["{client}", html`<bdi>${model.clientName}</bdi>`],
      ["{resource}", html`<bdi>${model.resourceName}</bdi>`],
    ]),
  );
  const badge = model.clientOrigin === "dynamic" ? html`<span class="badge">${t.unverified}</span>` : "";
  const body = html`<h1>${heading}</h1>
<p class="soft">${badge}${t.identified[model.clientOrigin]}</p>
<p class="destination"><span>${t.destination[kind]}</span><strong>${model.redirectHost}</strong></p>
${kind === "web" ? "" : html`<p class="warning" role="note">${t.warning[kind]}</p>`}
<h2>${t.scopes}</h2>
${scopeList(model, texts)}
<dl class="server"><dt>${t.server}</dt><dd><code>${model.resourceUrl}</code></dd></dl>
<form method="post" action="${model.action}">
<input type="hidden" name="request" value="${model.request}">
<label class="another"><input type="checkbox" name="another_account" value="1"><span>${t.anotherAccount}<small>${t.anotherAccountHint}</small></span></label>
<div class="buttons">
<button type="submit" name="decision" value="deny">${t.deny}</button>
<button type="submit" name="decision" value="approve">${t.approve}</button>
</div>
</form>
<p class="soft next">${t.next}</p>`;
  return layout({ title: t.title, body, texts });
}

function scopeList({ scopes }: ConsentModel, texts: Texts): Html {
  if (scopes.length === 0) return html`<p>${texts.consent.noScopes}</p>`;
  const items = scopes.map(({ name, description }) => {
    const technical = description === name ? "" : html`<small><code>${name}</code></small>`;
    return html`<li>${tick}<span>${description} ${technical}</span></li>`;
  });
  return html`<ul class="scopes">${items}</ul>`;
}
