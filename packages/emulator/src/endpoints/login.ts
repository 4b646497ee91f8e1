import { type AuthorizationRequest, checkAuthorizationRequest } from "../authorize/authorization-request.ts";
import { completeAuthorization } from "../authorize/complete-authorization.ts";
import { errorPage } from "../authorize/find-redirect.ts";
import { ownDirectory } from "../authorize/provider-of.ts";
import { isForm, readParameters } from "../http/parameters.ts";
import { beginSession } from "../http/session-cookie.ts";
import { checkForm, protectForm } from "../http/sign-in-form-check.ts";
import { pageHeaders } from "../pages/layout.ts";
import { signInPage } from "../pages/sign-in-page.ts";
import type { Emulation } from "../state/emulation.ts";
import type { User } from "../state/user-directory.ts";
import type { AppContext } from "./app-env.ts";

/** GET /login with the parameters of /oauth2/authorize: the sign-in page. */
export async function showLogin(emulation: Emulation, c: AppContext): Promise<Response> {
  const request = checkAuthorizationRequest(emulation, readParameters(new URL(c.req.url).searchParams));
  if (typeof request === "string") return c.redirect(request, 302);
  return render(emulation, c, request, { username: request.loginHint ?? "" });
}

/** POST /login, to the address the page was shown at: checks the password and goes on to the redirect URI. */
export async function submitLogin(emulation: Emulation, c: AppContext): Promise<Response> {
  const request = checkAuthorizationRequest(emulation, readParameters(new URL(c.req.url).searchParams));
  if (typeof request === "string") return c.redirect(request, 302);
  if (!isForm(c.req.header("content-type"))) return c.redirect(errorPage(emulation, "invalid_request"), 302);
  const { values } = readParameters(new URLSearchParams(await c.req.text()));
  const { username = "", password = "", _csrf: field = "" } = values;

  const cookies = c.req.header("cookie");
  const form = checkForm(emulation, cookies, field);
  if (form !== "ok") {
    const error =
      form === "timed_out" ? "Your sign-in timed out. Sign in again." : "Your session changed. Sign in again.";
    return render(emulation, c, request, { username, error });
  }
  const known = emulation.users.withPassword(username.trim(), password);
  const user = (known?.identityProvider ?? ownDirectory) === request.provider ? known : undefined;
  const error = user === undefined ? "Incorrect username or password." : userProblem(user);
  if (user === undefined || error !== undefined) {
    emulation.logger.info("sign-in refused", { client_id: request.client.id, reason: error });
    return render(emulation, c, request, { username, error });
  }
  const { session, cookie } = beginSession(emulation, cookies, user);
  c.header("set-cookie", cookie);
  return c.redirect(await completeAuthorization(emulation, request, { user, session }), 302);
}

function userProblem({ enabled, status }: User): string | undefined {
  if (!enabled) return "User is disabled.";
  if (status === "UNCONFIRMED") return "User is not confirmed.";
  return status === "RESET_REQUIRED" ? "Password reset required for the user" : undefined;
}

async function render(
  emulation: Emulation,
  c: AppContext,
  { client, provider, lang }: AuthorizationRequest,
  { username, error }: { username: string; error?: string | undefined },
): Promise<Response> {
  const { field, cookie } = protectForm(emulation, c.req.header("cookie"));
  c.header("set-cookie", cookie);
  const body = await signInPage({
    action: `/login${new URL(c.req.url).search}`,
    csrf: field,
    clientName: client.name,
    poolId: emulation.settings.id,
    provider: provider === ownDirectory ? undefined : provider,
    lang,
    signInWith: provider === ownDirectory ? emulation.settings.signInWith : "username",
    username,
    error,
  });
  return c.html(body, error === undefined ? 200 : 400, pageHeaders);
}
