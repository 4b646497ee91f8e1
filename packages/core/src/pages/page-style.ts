import { mix, standingOut } from "./colours.ts";

/** Colours that change with the accent. */
interface Accent {
  readonly accent: string;
  readonly onAccent: string;
  readonly tint: string;
}

/** What is behind texts and buttons. */
const card = { light: "#ffffff", dark: "#172028" } as const;

const ownAccent: Readonly<Record<keyof typeof card, Accent>> = {
  light: { accent: "#0e5f63", onAccent: "#fff", tint: "#e9f3f3" },
  dark: { accent: "#78cfc7", onAccent: "#062523", tint: "#1a2d30" },
};

/** More than 4.5, so that as much is left under the pointer, where a button is a little lighter. */
const leastContrast = 5.25;

/** Variants of a configured colour for both schemes, each readable on its ground and with a text that is readable on it. */
export const accentOf = (colour: string): Readonly<Record<keyof typeof card, Accent>> => ({
  light: {
    accent: standingOut(colour, card.light, leastContrast),
    onAccent: "#fff",
    tint: mix(colour, card.light, 0.08),
  },
  dark: {
    accent: standingOut(colour, card.dark, leastContrast),
    onAccent: "#0b1116",
    tint: mix(colour, card.dark, 0.12),
  },
});

const variables = ({ accent, onAccent, tint }: Accent): string =>
  `--accent:${accent};--on-accent:${onAccent};--tint:${tint}`;

/**
 * The one inline style of every page; the CSP allows this text and no other. Colours keep a contrast of at least 4.5 to 1
 * (WCAG 2.2 AA) in both schemes.
 * @param accentColor as `#rrggbb`; our own without one
 */
export function pageStyle(accentColor?: string): string {
  const { light, dark } = accentColor === undefined ? ownAccent : accentOf(accentColor);
  return `
:root{color-scheme:light dark;--ground:#eef2f4;--card:#fff;--ink:#16212b;--soft:#4e5d6b;--line:#d5dde3;--edge:#74838f;
${variables(light)};--warn:#fff5dc;--warn-line:#c98a0a;--warn-ink:#4a3500}
@media (prefers-color-scheme:dark){:root{--ground:#0e1419;--card:#172028;--ink:#e9eef2;--soft:#a9b6c1;--line:#2c3944;--edge:#71808c;
${variables(dark)};--warn:#2b230e;--warn-line:#b88a22;--warn-ink:#f5e2ae}}
${rules}`;
}

const rules = `*{box-sizing:border-box}
html{font:100%/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;-webkit-text-size-adjust:100%}
body{display:grid;place-items:center;margin:0;min-height:100vh;padding:clamp(.75rem,4vh,3rem) .75rem;background:var(--ground);color:var(--ink)}
main{width:100%;max-width:32rem;min-width:0;padding:clamp(1.25rem,5vw,2.25rem);background:var(--card);border:1px solid var(--line);border-radius:16px;
box-shadow:0 1px 2px rgb(0 0 0/.05),0 12px 32px rgb(0 0 0/.07);overflow-wrap:anywhere}
.brand{display:flex;align-items:center;gap:.6rem;margin:0 0 1rem;color:var(--accent);font-weight:600;letter-spacing:.01em}
.brand svg{width:2.25rem;height:2.25rem;flex:none}
.brand img{max-width:10rem;height:2.25rem;object-fit:contain}
.brand circle{fill:var(--card)}
h1{margin:0 0 .75rem;font-size:1.375rem;line-height:1.3;font-weight:650;text-wrap:balance}
h2{margin:1.25rem 0 .25rem;font-size:1rem;font-weight:650}
p{margin:0 0 .75rem}
p,dd,small{text-wrap:pretty}
.soft,dt,small{color:var(--soft);font-size:.9rem}
small{font-size:.85rem}
.badge{display:inline-block;margin:0 .4rem .1rem 0;padding:.05rem .5rem;border:1px solid var(--warn-line);border-radius:99px;background:var(--warn);
color:var(--warn-ink);font-size:.8rem;font-weight:600;white-space:nowrap}
.destination{margin:1rem 0 .75rem;padding:.875rem 1rem;border-radius:10px;background:var(--tint)}
.destination span{display:block;color:var(--soft);font-size:.9rem}
.destination strong{font:600 1.125rem/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.warning{padding:.75rem 1rem;border-left:4px solid var(--warn-line);border-radius:4px 10px 10px 4px;background:var(--warn);color:var(--warn-ink)}
ul{margin:0;padding:0;list-style:none}
.scopes li{display:flex;gap:.625rem;padding:.2rem 0}
.scopes svg{width:1.125rem;height:1.125rem;margin-top:.2rem;flex:none;color:var(--accent)}
.scopes small{display:inline-block;max-width:100%}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
dl{margin:.75rem 0 0}
dd{margin:0 0 .5rem}
.server{display:flex;flex-wrap:wrap;align-items:baseline;gap:0 .75rem}
.server dd{margin:0}
.hints dt{color:var(--ink);font-weight:600;font-size:1rem}
a{color:var(--accent)}
fieldset{min-width:0;margin:1.25rem 0 0;padding:0;border:0}
legend{padding:0;font-weight:650}
fieldset .warning{margin-top:.5rem}
.scopes label{display:flex;gap:.625rem}
.scopes input{width:1.15rem;height:1.15rem;margin:.2rem 0 0;flex:none;accent-color:var(--accent)}
.approvals>li{padding:1rem 0;border-top:1px solid var(--line)}
.approvals dl{margin:.25rem 0 .75rem}
.approvals button{flex:none;min-height:2.5rem}
.links{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:1.25rem 0 0;font-size:.9rem}
.another{display:flex;gap:.625rem;margin:1rem 0;padding-top:1rem;border-top:1px solid var(--line)}
.another input{width:1.15rem;height:1.15rem;margin:.2rem 0 0;flex:none;accent-color:var(--accent)}
.another small{display:block}
.buttons{display:flex;flex-wrap:wrap;gap:.75rem}
button{flex:1 1 6.5rem;min-height:2.875rem;padding:.5rem 1.25rem;border:1px solid var(--edge);border-radius:10px;background:transparent;color:var(--ink);
font:inherit;font-weight:600;cursor:pointer}
button:hover{background:var(--tint)}
button[value=approve]{border-color:var(--accent);background:var(--accent);color:var(--on-accent)}
button[value=approve]:hover{filter:brightness(1.08)}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
.next{margin:1rem 0 0}
details{margin:1.25rem 0 0;padding-top:1rem;border-top:1px solid var(--line)}
summary{cursor:pointer;color:var(--soft);font-size:.9rem}
details p{margin:.5rem 0 0}
@media (forced-colors:active){button[value=approve]{border-width:3px}}
`;
