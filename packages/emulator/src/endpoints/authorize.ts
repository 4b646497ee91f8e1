import { checkAuthorizationRequest, loginRequiredUrl } from "../authorize/authorization-request.ts";
import { completeAuthorization } from "../authorize/complete-authorization.ts";
import { readParameters } from "../http/parameters.ts";
import { currentSession } from "../http/session-cookie.ts";
import type { Emulation } from "../state/emulation.ts";
import type { AppContext } from "./app-env.ts";

/** GET /oauth2/authorize: with a live session straight back with a code, else to /login with the same parameters. */
export async function authorize(emulation: Emulation, c: AppContext): Promise<Response> {
  const { search, searchParams } = new URL(c.req.url);
  const request = checkAuthorizationRequest(emulation, readParameters(searchParams));
  if (typeof request === "string") return c.redirect(request, 302);
  const signedIn = request.prompt.has("login") ? undefined : currentSession(emulation, c.req.header("cookie"));
  if (signedIn !== undefined) return c.redirect(await completeAuthorization(emulation, request, signedIn), 302);
  if (request.prompt.has("none")) return c.redirect(loginRequiredUrl(request), 302);
  return c.redirect(`${emulation.addresses.url}/login${search}`, 302);
}
