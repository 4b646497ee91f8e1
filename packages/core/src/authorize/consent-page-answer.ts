import { isLoopbackRedirect, redirectHost } from "../clients/index.ts";
import { randomId } from "../crypto/index.ts";
import { addBrowserCookie } from "../http/index.ts";
import { answerPage, type ConsentModel, consentPage, textsFor } from "../pages/index.ts";
import type { CheckedRequest } from "./authorization-request.ts";
import { formLife, sealConsentForm } from "./consent-form.ts";
import type { AuthorizeDeps } from "./deps.ts";
import { hasBoxes } from "./ticked-scopes.ts";

/** A client that has been known for less is new, ms. */
const newFor = 86_400_000;

/** A page for a fresh form, which only this browser can answer. Nothing is stored: the request travels sealed inside. */
export function askForConsent(
  deps: AuthorizeDeps,
  request: Request,
  asked: CheckedRequest,
  signedInAs?: string,
): Response {
  // Spelled out, so that each has its place in the sealed form and can be left out.
  const scopes = [...deps.scopes.expand(asked.request.scopes)];
  const checked: CheckedRequest = { ...asked, request: { ...asked.request, scopes } };
  const cookie = randomId(deps.random);
  const form = sealConsentForm(deps, checked.request, cookie);
  const html = render(deps, request, checked, { request: form, nothingTicked: false, signedInAs });
  return answerPage(deps.look, 200, html, addBrowserCookie(request, deps, "page", cookie, formLife));
}

/** The same form once more, because no scope was ticked. */
export function askAgain(deps: AuthorizeDeps, request: Request, checked: CheckedRequest, form: string): Response {
  const html = render(deps, request, checked, { request: form, nothingTicked: true, signedInAs: undefined });
  return answerPage(deps.look, 400, html);
}

function render(
  deps: AuthorizeDeps,
  request: Request,
  checked: CheckedRequest,
  page: Pick<ConsentModel, "request" | "nothingTicked" | "signedInAs">,
): string {
  const { client, redirect, resource } = checked;
  const { scopes } = checked.request;
  const model: ConsentModel = {
    ...page,
    clientName: client.name,
    clientOrigin: client.origin,
    documentHost: client.origin === "document" ? new URL(client.clientId).host : "",
    newClient: client.knownSince !== undefined && deps.clock.now() - client.knownSince < newFor,
    redirectHost: redirectHost(redirect),
    loopback: isLoopbackRedirect(redirect),
    customScheme: !/^https?:/.test(redirect),
    resourceName: resource.name,
    resourceUrl: resource.url,
    scopes: scopes.map((name) => ({
      name,
      description: deps.scopes.describe(name),
      comesWith: parentsOf(deps, name, scopes).map((parent) => deps.scopes.describe(parent)),
    })),
    boxes: hasBoxes(scopes),
    remembered: deps.consentMemory.lifeFor(checked),
    action: `${deps.baseUrl}/consent`,
  };
  return consentPage(model, { texts: textsFor(request), look: deps.look });
}

/** The nearest of the offered scopes that include a scope. */
function parentsOf({ scopes }: AuthorizeDeps, name: string, offered: readonly string[]): readonly string[] {
  const above = offered.filter((other) => other !== name && scopes.expand([other]).includes(name));
  return above.filter((one) => !above.some((other) => other !== one && scopes.expand([one]).includes(other)));
}
