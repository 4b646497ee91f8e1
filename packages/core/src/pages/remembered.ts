import { html } from "hono/html";
import { type Dress, fill, type Html, layout } from "./layout.ts";

/** One approval that need not be given again, all of it taken as text. */
export interface RememberedItem {
  readonly id: string;
  readonly clientName: string;
  readonly redirectHost: string;
  readonly resourceName: string;
  readonly scopes: readonly string[];
  /** ms */
  readonly until: number;
}

/** What the page of remembered approvals tells. */
export interface RememberedModel {
  readonly approvals: readonly RememberedItem[];
  /** Sealed, says whose they are; goes back as it is. */
  readonly remembered: string;
  /** Address that the form is posted to. */
  readonly action: string;
  readonly logout: string;
}

/** Lists the approvals that are remembered for the user of this browser, each with a way to forget it. */
export function rememberedPage(model: RememberedModel, dress: Dress): string {
  const t = dress.texts.remembered;
  const body = html`<h1>${t.title}</h1>
${model.approvals.length === 0 ? html`<p>${t.nothing}</p>` : list(model, dress)}
<p class="soft next"><a href="${model.logout}">${t.signOut}</a></p>`;
  return layout({ title: t.title, body }, dress);
}

function list(model: RememberedModel, dress: Dress): Html {
  const t = dress.texts.remembered;
  return html`<p>${t.intro}</p>
<form method="post" action="${model.action}">
<input type="hidden" name="remembered" value="${model.remembered}">
<ul class="approvals">
${model.approvals.map((approval) => item(approval, dress))}</ul>
<div class="buttons"><button type="submit" name="forget" value="all">${t.forgetAll}</button></div>
</form>
<p class="soft next">${t.effect}</p>`;
}

function item(approval: RememberedItem, { texts }: Dress): Html {
  const t = texts.remembered;
  const date = new Intl.DateTimeFormat(texts.lang, { dateStyle: "long", timeZone: "UTC" }).format(approval.until);
  const scopes = approval.scopes.map((scope) => html`<li>${scope}</li>`);
  const access = scopes.length === 0 ? texts.consent.noScopes : html`<ul>${scopes}</ul>`;
  const label = fill(t.forgetLabel, new Map([["{client}", html`${approval.clientName}`]]));
  return html`<li>
<strong><bdi>${approval.clientName}</bdi></strong>
<dl>
<dt>${t.destination}</dt><dd>${approval.redirectHost}</dd>
<dt>${t.resource}</dt><dd><bdi>${approval.resourceName}</bdi></dd>
<dt>${t.access}</dt><dd>${access}</dd>
<dt>${t.until}</dt><dd>${date}</dd>
</dl>
<button type="submit" name="forget" value="${approval.id}" aria-label="${label}">${t.forget}</button>
</li>
`;
}
