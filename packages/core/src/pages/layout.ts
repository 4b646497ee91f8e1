import { html, raw } from "hono/html";
import type { Look } from "./look.ts";
import type { Texts } from "./texts/en.ts";

/** A piece of markup: what was put into it is escaped. */
export type Html = ReturnType<typeof html>;

/** Two doors, one behind the other. */
const mark = html`<svg viewBox="0 0 48 48" aria-hidden="true" focusable="false"><path d="M21 42V17a10.5 10.5 0 0 1 21 0v25z" fill="none" stroke="currentColor" stroke-width="3" stroke-linejoin="round"/><path d="M5 43.5V22a10.5 10.5 0 0 1 21 0v21.5z" fill="currentColor"/><circle cx="20.5" cy="29.5" r="2"/></svg>`;

/** What every page is made with: words and looks. */
export interface Dress {
  readonly texts: Texts;
  readonly look: Look;
}

/** One page: no script, nothing loaded from anywhere but a configured logo, one inline style. */
export function layout(page: { readonly title: string; readonly body: Html }, { texts, look }: Dress): string {
  const { title, body } = page;
  // The name stands beside it, so the image says nothing more.
  const picture = look.logo === undefined ? mark : html`<img src="${look.logo}" alt="">`;
  const whole = html`<!doctype html>
<html lang="${texts.lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>${raw(look.style)}</style>
<title>${title} · ${look.name}</title>
</head>
<body>
<main>
<p class="brand">${picture}<span>${look.name}</span></p>
${body}
${links(look, texts)}</main>
</body>
</html>
`;
  if (whole instanceof Promise) throw new TypeError("a page is built from plain values only");
  return whole.toString();
}

/** In a tab of their own: whoever comes back from them still has the page to answer. */
function links({ termsUrl, privacyUrl }: Look, texts: Texts): Html | string {
  const link = (url: string | undefined, text: string): Html | string =>
    url === undefined ? "" : html`<li><a href="${url}" target="_blank" rel="noopener noreferrer">${text}</a></li>`;
  if (termsUrl === undefined && privacyUrl === undefined) return "";
  return html`<ul class="links">${link(termsUrl, texts.terms)} ${link(privacyUrl, texts.privacy)}</ul>
`;
}

/** Puts markup into the `{name}` places of a text. What is put in is not searched for places again. */
export const fill = (text: string, parts: ReadonlyMap<string, Html>): readonly (string | Html)[] =>
  text.split(/(\{\w+\})/).map((piece) => parts.get(piece) ?? piece);
