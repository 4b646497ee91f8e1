import { html } from "hono/html";
import { type Dress, layout } from "./layout.ts";

/** Asks whether to sign out. @param action address that the form is posted to */
export function logoutPage(action: string, dress: Dress): string {
  const t = dress.texts.logout;
  const body = html`<h1>${t.title}</h1>
<p>${t.what}</p>
<p class="soft">${t.apps}</p>
<form method="post" action="${action}">
<div class="buttons"><button type="submit">${t.confirm}</button></div>
</form>`;
  return layout({ title: t.title, body }, dress);
}

/** Says that this browser is signed out. */
export function signedOutPage(dress: Dress): string {
  const t = dress.texts.signedOut;
  return layout(
    {
      title: t.title,
      body: html`<h1>${t.title}</h1>
<p>${t.what}</p>`,
    },
    dress,
  );
}
