import { z } from "zod";
import { matchRedirectUri, redirectHost } from "../clients/index.ts";
import { openHandle, sealHandle } from "../crypto/index.ts";
import { OAuthError } from "../errors/index.ts";
import { jsonAnswer, type Parameters, readQuery } from "../http/index.ts";
import { answerPage, rememberedPage, textsFor } from "../pages/index.ts";
import { browserUser } from "./browser-user.ts";
import { formLife } from "./consent-form.ts";
import { type AuthorizeDeps, report } from "./deps.ts";
import { redirect } from "./redirect-error.ts";

const purpose = "remembered-approvals";

const schema = z.strictObject({ sub: z.string(), expiresAt: z.number() });

/** What only a POST brings. */
const answers = ["request", "decision", "remembered", "forget"] as const;

/**
 * `GET /consent`: what is remembered for the user of this browser. A browser without our cookie learns of nothing. A GET
 * never answers a form.
 */
export function listRemembered(deps: AuthorizeDeps): (request: Request) => Promise<Response> {
  return async (request) => {
    const query = readQuery(new URL(request.url));
    if (answers.some((name) => query.has(name))) {
      const refusal = jsonAnswer(405, { error: "invalid_request", error_description: "Use POST to answer a form." });
      refusal.headers.set("Allow", "GET, POST");
      return refusal;
    }
    const user = browserUser(deps, request);
    const approvals = user ? await deps.consentMemory.list(user) : [];
    const handle = { sub: user?.sub ?? "", expiresAt: deps.clock.now() + formLife };
    const html = rememberedPage(
      {
        approvals: approvals.map(({ id, clientName, redirectUri, resource, scopes, approvedAt }) => ({
          id,
          clientName,
          redirectHost: hostOf(redirectUri),
          resourceName: deps.resources.byUrl(resource)?.name ?? resource,
          scopes: scopes.map((scope) => deps.scopes.describe(scope)),
          until: approvedAt + deps.config.consent.remember,
        })),
        remembered: sealHandle(deps.keys, purpose, handle, deps.random),
        action: `${deps.baseUrl}/consent`,
        logout: `${deps.baseUrl}/logout`,
      },
      { texts: textsFor(request), look: deps.look },
    );
    return answerPage(deps.look, 200, html);
  };
}

/**
 * `POST /consent` with `forget`: an id from the list, or `all`. The list says whose it is, and the browser's cookie must
 * say the same. What is forgotten already stays so: a repeat leads to the list as well.
 * @throws OAuthError consent_form_invalid, consent_form_expired or consent_wrong_browser
 */
export async function forgetConsent(deps: AuthorizeDeps, request: Request, form: Parameters): Promise<Response> {
  const sealed = form.get("remembered");
  const list = schema.safeParse(sealed === undefined ? undefined : openHandle(deps.keys, purpose, sealed)).data;
  if (!list) throw new OAuthError("invalid_request", "consent_form_invalid", "This list was not made here.");
  if (list.expiresAt <= deps.clock.now()) {
    throw new OAuthError("invalid_request", "consent_form_expired", "This list is older than 15 minutes.");
  }
  const user = browserUser(deps, request);
  if (user?.sub !== list.sub) {
    const text = "This list was opened in another browser, or somebody else has signed in since.";
    throw new OAuthError("invalid_request", "consent_wrong_browser", text, { status: 403 });
  }
  const which = form.get("forget") ?? "";
  const forgotten = await deps.consentMemory.forget(user.sub, which === "all" ? "all" : { id: which });
  if (forgotten > 0) report(deps, { action: "consent.forgotten", user: user.sub });
  return redirect(`${deps.baseUrl}/consent`, [], 303);
}

/** It was validated when it was approved. */
function hostOf(redirectUri: string): string {
  const redirect = matchRedirectUri([redirectUri], redirectUri);
  return redirect === undefined ? redirectUri : redirectHost(redirect);
}
