import { html } from "hono/html";
import { type Html, page } from "./layout.ts";

/** Cognito's error page, with a line for the developer about what to look at. */
export function errorPageBody(error: string | undefined, clientId: string | undefined): Html {
  const hint =
    error === "redirect_mismatch"
      ? "The redirect_uri or logout_uri is not registered for this client. It is matched character for character."
      : "The client_id is missing or unknown, or a parameter is missing.";
  return page(
    "Error",
    html`<h1>Error</h1>
<p role="alert">An error was encountered with the requested page.</p>
<p class="dim">${hint}</p>
<p class="dim">${error === undefined ? "" : `error: ${error}`} ${clientId === undefined ? "" : `client_id: ${clientId}`}</p>`,
  );
}
