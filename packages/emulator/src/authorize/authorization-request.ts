import type { Parameters } from "../http/parameters.ts";
import { withQuery } from "../http/redirect-url.ts";
import { requestedScopes } from "../scopes/requested-scopes.ts";
import type { Emulation } from "../state/emulation.ts";
import { findRedirect, type RedirectTarget } from "./find-redirect.ts";
import { promptValues } from "./prompt-values.ts";
import { ownDirectory, providerOf } from "./provider-of.ts";
import type { Refusal, Rule } from "./rule.ts";
import { requireClientScopes } from "./rules/require-client-scopes.ts";
import { requireKnownPrompt } from "./rules/require-known-prompt.ts";
import { requireKnownProvider } from "./rules/require-known-provider.ts";
import { requireResourceUrl } from "./rules/require-resource-url.ts";
import { requireResponseType } from "./rules/require-response-type.ts";
import { requireS256 } from "./rules/require-s256.ts";
import { requireSingleParameters } from "./rules/require-single-parameters.ts";

/** An authorization request that passed every rule. */
export interface AuthorizationRequest extends RedirectTarget {
  readonly responseType: "code" | "token";
  readonly scopes: readonly string[];
  readonly prompt: ReadonlySet<string>;
  readonly state?: string | undefined;
  readonly nonce?: string | undefined;
  readonly codeChallenge?: string | undefined;
  readonly resource?: string | undefined;
  readonly loginHint?: string | undefined;
  /** Where the user signs in: `COGNITO`, or one of the pool's identity providers. */
  readonly provider: string;
  /** Language asked for; the pages have only one. */
  readonly lang?: string | undefined;
  /** Whether the ID token is to say how the user signed in. */
  readonly wantsAcr: boolean;
}

const rules: readonly Rule[] = [
  requireSingleParameters,
  requireResponseType,
  requireS256,
  requireClientScopes,
  requireKnownPrompt,
  requireKnownProvider,
  requireResourceUrl,
];

/**
 * Checks the parameters of /oauth2/authorize and /login. A string is where the browser goes instead of on: the error
 * page, or the redirect URI with an error. Parameters that no rule knows are ignored.
 */
export function checkAuthorizationRequest(emulation: Emulation, parameters: Parameters): AuthorizationRequest | string {
  const target = findRedirect(emulation, parameters);
  if (typeof target === "string") return target;
  const { client } = target;
  const { values } = parameters;
  for (const rule of rules) {
    const refusal = rule({ client, parameters, settings: emulation.settings });
    if (refusal === undefined) continue;
    emulation.logger.info("authorization request refused", { client_id: client.id, rule: rule.name, ...refusal });
    return refusalUrl(target.redirectUri, values.state, refusal);
  }
  return {
    ...target,
    responseType: values.response_type === "token" ? "token" : "code",
    scopes: requestedScopes(client, values.scope) ?? [],
    prompt: promptValues(values.prompt),
    state: values.state,
    nonce: values.nonce,
    codeChallenge: values.code_challenge,
    resource: emulation.settings.resourceBinding ? values.resource : undefined,
    loginHint: values.login_hint,
    provider: providerOf(emulation.settings, parameters) ?? ownDirectory,
    lang: values.lang,
    wantsAcr: emulation.settings.emitAcr && values.acr_values !== undefined,
  };
}

/** The redirect of an error. Cognito puts the description first and the error last. */
function refusalUrl(redirectUri: string, state: string | undefined, { error, description }: Refusal): string {
  return withQuery(redirectUri, [
    ["error_description", description],
    ["state", state],
    ["error", error],
  ]);
}

/** `prompt=none` without a session: here the error comes first. */
export function loginRequiredUrl({ redirectUri, state }: AuthorizationRequest): string {
  return withQuery(redirectUri, [
    ["error", "login_required"],
    ["state", state],
  ]);
}
