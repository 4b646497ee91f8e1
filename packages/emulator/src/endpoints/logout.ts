import { clientOf, errorPage, findRedirect } from "../authorize/find-redirect.ts";
import { readParameters } from "../http/parameters.ts";
import { endSession } from "../http/session-cookie.ts";
import type { Emulation } from "../state/emulation.ts";
import type { AppContext } from "./app-env.ts";

/**
 * GET /logout: ends the browser's session, and nothing else. With `logout_uri`, which must be registered and wins, it
 * goes there; with `redirect_uri` and `response_type` it goes to /login with the same parameters.
 */
export function logout(emulation: Emulation, c: AppContext): Response {
  const { search, searchParams } = new URL(c.req.url);
  const parameters = readParameters(searchParams);
  const { client_id: clientId, logout_uri: logoutUri, response_type: responseType } = parameters.values;
  const client = clientOf(emulation, clientId);
  if (client === undefined) return c.redirect(errorPage(emulation, "invalid_request", clientId), 302);

  let next: string;
  if (logoutUri !== undefined) {
    if (!client.logoutUrls.includes(logoutUri) || parameters.repeated.has("logout_uri")) {
      return c.redirect(errorPage(emulation, "redirect_mismatch", client.id), 302);
    }
    next = logoutUri;
  } else {
    const target = findRedirect(emulation, parameters);
    if (typeof target === "string") return c.redirect(target, 302);
    if (responseType === undefined) return c.redirect(errorPage(emulation, "invalid_request", client.id), 302);
    next = `${emulation.addresses.url}/login${search}`;
  }
  c.header("set-cookie", endSession(emulation, c.req.header("cookie")));
  return c.redirect(next, 302);
}
