import { html } from "hono/html";
import { type Dress, fill, type Html, layout } from "./layout.ts";

/** A scope on the consent page, taken as text. */
export interface OfferedScope {
  readonly name: string;
  readonly description: string;
  /** Descriptions of the offered scopes that bring it along as long as they are ticked. */
  readonly comesWith: readonly string[];
}

/** What the consent page tells, all of it taken as text. */
export interface ConsentModel {
  readonly clientName: string;
  /** `dynamic`: the client chose its name itself. */
  readonly clientOrigin: "registered" | "document" | "dynamic";
  /** Where a client of the origin `document` publishes what it is. */
  readonly documentHost: string;
  /** Known here for less than a day. */
  readonly newClient: boolean;
  /** Where the answer goes: a host, or the scheme of an app (`cursor:`). */
  readonly redirectHost: string;
  /** The answer goes to a program on the user's own machine. */
  readonly loopback: boolean;
  /** The answer goes to whichever app has claimed the scheme. */
  readonly customScheme: boolean;
  readonly resourceName: string;
  readonly resourceUrl: string;
  /** Box `scope.<index>` stands for the scope at that index. */
  readonly scopes: readonly OfferedScope[];
  /** Whether there is a box for each scope; without, all of them are approved or none. */
  readonly boxes: boolean;
  /** The page again, because no box was ticked. */
  readonly nothingTicked: boolean;
  /** Who has just signed in, where somebody else's approval was remembered. */
  readonly signedInAs: string | undefined;
  /** For how long the approval will be remembered, ms. */
  readonly remembered: number | undefined;
  /** The sealed request; goes back as it is. */
  readonly request: string;
  /** Address that the form is posted to; the remembered approvals are listed there. */
  readonly action: string;
}

const tick = html`<svg viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d="m4 10.5 4 4 8-9" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/></svg>`;

/**
 * Asks the user whether a client may have access: who asks, where the answer goes, for what (MCP, Security Best
 * Practices, confused deputy). "Deny" stands first in the source, so that the Enter key never approves.
 *
 * A box that is not ticked is not sent, so a form without any box could come from somebody who cleared them all as well
 * as from a program that never looked at them. The button of a page with boxes therefore posts to an address that says
 * so (`formaction`): there, no box means none.
 */
export function consentPage(model: ConsentModel, dress: Dress): string {
  const t = dress.texts.consent;
  const heading = fill(
    t.heading,
    new Map([
      ["{client}", html`<bdi>${model.clientName}</bdi>`],
      ["{resource}", html`<bdi>${model.resourceName}</bdi>`],
    ]),
  );
  const badge = model.clientOrigin === "dynamic" ? html`<span class="badge">${t.unverified}</span> ` : "";
  const host = new Map([["{host}", html`<strong>${model.documentHost}</strong>`]]);
  const kind = model.customScheme ? "customScheme" : model.loopback ? "loopback" : "web";
  const marker = model.boxes ? html` formaction="${model.action}?boxes=1"` : "";
  const body = html`<h1>${heading}</h1>
${model.signedInAs === undefined ? "" : otherUser(model.signedInAs, dress)}<p class="soft">${badge}${fill(t.identified[model.clientOrigin], host)}</p>
<p class="destination"><span>${t.destination[kind]}</span> <strong>${model.redirectHost}</strong></p>
${warnings(model, dress)}<form method="post" action="${model.action}">
<input type="hidden" name="request" value="${model.request}">
${scopeList(model, dress)}
<dl class="server"><dt>${t.server}</dt><dd><code>${model.resourceUrl}</code></dd></dl>
<label class="another"><input type="checkbox" name="another_account" value="1"><span>${t.anotherAccount} <small>${t.anotherAccountHint}</small></span></label>
<div class="buttons">
<button type="submit" name="decision" value="deny">${t.deny}</button>
<button type="submit" name="decision" value="approve"${marker}>${t.approve}</button>
</div>
</form>
<p class="soft next">${t.next}</p>
${model.remembered === undefined ? "" : rememberedNote(model.remembered, model.action, dress)}`;
  return layout({ title: t.title, body }, dress);
}

function warnings(model: ConsentModel, { texts }: Dress): Html[] {
  const { warning } = texts.consent;
  const given = [
    ...(model.customScheme ? [warning.customScheme] : model.loopback ? [warning.loopback] : []),
    ...(model.newClient ? [warning.newClient] : []),
  ];
  return given.map(
    (text) => html`<p class="warning" role="note">${text}</p>
`,
  );
}

const otherUser = (name: string, { texts }: Dress): Html => html`<p class="warning" role="status">${fill(
  texts.consent.otherUser,
  new Map([["{user}", html`<strong>${name}</strong>`]]),
)}</p>
`;

function rememberedNote(life: number, list: string, { texts }: Dress): Html {
  const [unit, count] =
    life >= 172_800_000 ? (["day", life / 86_400_000] as const) : (["hour", life / 3_600_000] as const);
  const format = new Intl.NumberFormat(texts.lang, {
    style: "unit",
    unit,
    unitDisplay: "long",
    maximumFractionDigits: 0,
  });
  const parts = new Map([
    ["{time}", html`${format.format(Math.max(1, count))}`],
    ["{list}", html`<a href="${list}">${texts.consent.rememberedList}</a>`],
  ]);
  return html`<p class="soft next">${fill(texts.consent.remembered, parts)}</p>`;
}

function scopeList(model: ConsentModel, { texts }: Dress): Html {
  const t = texts.consent;
  if (model.scopes.length === 0)
    return html`<h2>${t.scopes}</h2>
<p>${t.noScopes}</p>`;
  if (!model.boxes) {
    const items = model.scopes.map((scope) => html`<li>${tick}<span>${scopeText(scope, t.comesWith)}</span></li>`);
    return html`<h2>${t.scopes}</h2>
<ul class="scopes">${items}</ul>`;
  }
  const items = model.scopes.map((scope, index) => {
    const checked = model.nothingTicked ? "" : html` checked`;
    return html`<li><label><input type="checkbox" name="scope.${index}" value="1"${checked}><span>${scopeText(scope, t.comesWith)}</span></label></li>
`;
  });
  const problem = html`<p class="warning" role="alert" id="problem">${t.nothingTicked}</p>
`;
  return html`<fieldset${model.nothingTicked ? html` aria-describedby="problem"` : ""}>
<legend>${t.scopes}</legend>
${model.nothingTicked ? problem : ""}<ul class="scopes">
${items}</ul>
</fieldset>`;
}

function scopeText({ name, description, comesWith }: OfferedScope, text: string): Html {
  const technical = description === name ? "" : html`<small><code>${name}</code></small>`;
  const parents = comesWith.map(
    (parent) => html` <small>${fill(text, new Map([["{scope}", html`${parent}`]]))}</small>`,
  );
  return html`${description} ${technical}${parents}`;
}
