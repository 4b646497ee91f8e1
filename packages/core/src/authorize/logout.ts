import { OAuthError } from "../errors/index.ts";
import { checkSameOrigin, endBrowserCookies, type Parameters, readForm, readQuery } from "../http/index.ts";
import { requireAllowance } from "../limits/index.ts";
import { answerPage, logoutPage, signedOutPage, textsFor } from "../pages/index.ts";
import { browserUser } from "./browser-user.ts";
import { type AuthorizeDeps, report } from "./deps.ts";
import { logoutUri } from "./logout-uri.ts";
import { redirect } from "./redirect-error.ts";
import { continueSignIn } from "./sign-in-after-logout.ts";

/** Names under which others ask where to go after signing out (Cognito, OpenID Connect RP-Initiated Logout §2). */
const targets = ["logout_uri", "redirect_uri", "post_logout_redirect_uri"] as const;

/**
 * `GET /logout`: asks a browser that somebody signed in with, and tells any other that it is signed out; Cognito sends it
 * back here in the end. A visit alone signs nobody out, since any page could cause one. Whoever came over Cognito's
 * `/logout` to use another account goes on with the sign-in.
 */
export function showLogout(deps: AuthorizeDeps): (request: Request) => Promise<Response> {
  return async (request) => {
    await refusing(deps, async () => checkTargets(deps, readQuery(new URL(request.url))));
    const again = continueSignIn(deps, request);
    if (again) return again;
    const dress = { texts: textsFor(request), look: deps.look };
    const page = browserUser(deps, request) ? logoutPage(`${deps.baseUrl}/logout`, dress) : signedOutPage(dress);
    return answerPage(deps.look, 200, page);
  };
}

/**
 * `POST /logout`: ends this browser's cookies of ours and sends it on to end Cognito's session too. Grants stay: they are
 * the clients'. Where it goes is configured; an address in the request is refused (an open redirect otherwise).
 */
export function endSession(deps: AuthorizeDeps): (request: Request, address: string) => Promise<Response> {
  return (request, address) =>
    refusing(deps, async () => {
      requireAllowance(deps.limits.consent, address, "Too many forms came from this address.");
      checkSameOrigin(request, deps.baseUrl);
      checkTargets(deps, readQuery(new URL(request.url)));
      checkTargets(deps, await readForm(request, deps.config.maxBody));
      const user = browserUser(deps, request);
      const location = await deps.identityProvider.logoutUrl(logoutUri(deps));
      report(deps, { action: "session.ended", ...(user === undefined ? {} : { user: user.sub }) });
      return redirect(location.href, endBrowserCookies(request, deps, ["user", "tx", "page", "again"]), 303);
    });
}

function checkTargets(deps: AuthorizeDeps, parameters: Parameters): void {
  for (const name of targets) {
    const wanted = parameters.get(name);
    if (wanted === undefined || wanted === logoutUri(deps)) continue;
    const text = `${name} is not where this server sends people after signing out; leave it out`;
    throw new OAuthError("invalid_request", "logout_target_not_allowed", text);
  }
}

const refusing = <T>(deps: AuthorizeDeps, work: () => Promise<T>): Promise<T> =>
  work().catch((error: unknown) => {
    if (error instanceof OAuthError) report(deps, { action: "request.refused", reason: error.reason });
    throw error;
  });
