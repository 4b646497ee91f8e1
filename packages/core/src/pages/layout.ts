import { html, raw } from "hono/html";
import { pageStyle } from "./page-style.ts";
import type { Texts } from "./texts/en.ts";

/** A piece of markup: what was put into it is escaped. */
export type Html = ReturnType<typeof html>;

/** Two doors, one behind the other. */
const mark = html`<svg viewBox="0 0 48 48" aria-hidden="true" focusable="false"><path d="M21 42V17a10.5 10.5 0 0 1 21 0v25z" fill="none" stroke="currentColor" stroke-width="3" stroke-linejoin="round"/><path d="M5 43.5V22a10.5 10.5 0 0 1 21 0v21.5z" fill="currentColor"/><circle cx="20.5" cy="29.5" r="2"/></svg>`;

/** One page: no script, nothing loaded from anywhere, one inline style. */
export function layout(page: { readonly title: string; readonly body: Html; readonly texts: Texts }): string {
  const { title, body, texts } = page;
  const whole = html`<!doctype html>
<html lang="${texts.lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>${raw(pageStyle)}</style>
<title>${title} · ${texts.brand}</title>
</head>
<body>
<main>
<p class="brand">${mark}<span>${texts.brand}</span></p>
${body}
</main>
</body>
</html>
`;
  if (whole instanceof Promise) throw new TypeError("a page is built from plain values only");
  return whole.toString();
}

/** Puts markup into the `{name}` places of a text. What is put in is not searched for places again. */
export const fill = (text: string, parts: ReadonlyMap<string, Html>): readonly (string | Html)[] =>
  text.split(/(\{\w+\})/).map((piece) => parts.get(piece) ?? piece);
