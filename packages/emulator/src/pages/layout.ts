import { createHash } from "node:crypto";
import { html, raw } from "hono/html";

/** A piece of HTML in which everything from outside is escaped. */
export type Html = ReturnType<typeof html>;

const style = `
:root { color-scheme: light dark; --ground: #eef1f5; --card: #fff; --ink: #16191f; --dim: #545b64; --line: #8d99a8;
  --accent: #0b5cad; --on-accent: #fff; --bad: #b3170c; --bad-ground: #fdeceb; --note: #fff4d6; --note-ink: #5c4300; }
@media (prefers-color-scheme: dark) { :root { --ground: #0f141a; --card: #1a212b; --ink: #eef1f5; --dim: #aab4c0;
  --line: #66717f; --accent: #7db8f5; --on-accent: #0b1622; --bad: #ffb4ab; --bad-ground: #44201d; --note: #3a3117;
  --note-ink: #ffe3a1; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: clamp(.75rem, 5vw, 1.5rem); background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 25rem; background: var(--card); border-radius: .75rem; overflow: hidden;
  box-shadow: 0 1px 3px rgb(0 0 0 / .2), 0 8px 24px rgb(0 0 0 / .08); }
.note { margin: 0; padding: .75rem clamp(1.25rem, 8vw, 2rem); background: var(--note); color: var(--note-ink); font-size: .875rem; }
.body { padding: 1.5rem clamp(1.25rem, 8vw, 2rem) 2rem; }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 1rem; text-wrap: pretty; }
.dim { color: var(--dim); font-size: .875rem; overflow-wrap: anywhere; }
.pool { display: inline-block; }
.error { padding: .75rem 1rem; border-radius: .375rem; background: var(--bad-ground); color: var(--bad); }
label { display: block; margin: 0 0 .25rem; font-weight: 600; }
input { width: 100%; margin: 0 0 1rem; padding: .625rem .75rem; font: inherit; color: inherit;
  background: transparent; border: 1px solid var(--line); border-radius: .375rem; }
button { width: 100%; margin: .5rem 0 0; padding: .75rem; font: inherit; font-weight: 600; cursor: pointer; border: 0;
  border-radius: .375rem; background: var(--accent); color: var(--on-accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
`;

/**
 * Headers of every page. The policy has no `form-action`, because Chromium applies it to the whole chain of redirects
 * after the form; and with `no-referrer` Chromium would post the form with `Origin: null`.
 */
export const pageHeaders: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": [
    "default-src 'none'",
    `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** A whole page, which says plainly what it is. */
export function page(title: string, body: Html): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · local Cognito emulator</title>
<style>${raw(style)}</style>
</head>
<body>
<main>
<p class="note"><strong>Local Cognito emulator.</strong> This is not Amazon Cognito. Sign in with test users only.</p>
<div class="body">
${body}
</div>
</main>
</body>
</html>`;
}
