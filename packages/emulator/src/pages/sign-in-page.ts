import { html } from "hono/html";
import { type Html, page } from "./layout.ts";

/** The sign-in page: exactly one form, which works without JavaScript. */
export function signInPage(options: {
  /** Path and query that the form is posted to: the page's own. */
  action: string;
  /** The hidden field that binds the form to the browser. */
  csrf: string;
  clientName: string;
  poolId: string;
  /** The identity provider whose page this one stands for. */
  provider: string | undefined;
  /** Language asked for; the page has only one. */
  lang: string | undefined;
  signInWith: "username" | "email";
  username: string;
  /** Why the attempt before failed. */
  error?: string | undefined;
}): Html {
  const { action, csrf, clientName, poolId, provider, lang, signInWith, username, error } = options;
  const nameLabel = signInWith === "email" ? "Email address" : "Username";
  const inputType = signInWith === "email" ? "email" : "text";
  const onName = username === "";
  return page(
    "Sign in",
    html`<h1>Sign in</h1>
<p class="dim">to continue to ${clientName}<br>User pool <span class="pool">${poolId}</span></p>
${provider === undefined ? "" : html`<p>This page stands for the identity provider <strong>${provider}</strong>: only its users can sign in here.</p>`}
${lang === undefined ? "" : html`<p class="dim">Asked for in the language ${lang}; the emulator has English only.</p>`}
${error === undefined ? "" : html`<p class="error" id="error" role="alert">${error}</p>`}
<form method="post" action="${action}">
<input type="hidden" name="_csrf" value="${csrf}">
<label for="username">${nameLabel}</label>
<input id="username" name="username" type="${inputType}" value="${username}" autocomplete="username" required
autocapitalize="none" spellcheck="false"${error === undefined ? "" : html` aria-describedby="error"`}${onName ? html` autofocus` : ""}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required${onName ? "" : html` autofocus`}>
<button type="submit">Sign in</button>
</form>`,
  );
}
