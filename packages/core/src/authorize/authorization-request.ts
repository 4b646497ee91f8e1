import type { Client, ValidatedRedirect } from "../clients/index.ts";
import { OAuthError } from "../errors/index.ts";
import type { Parameters } from "../http/index.ts";
import type { AuthorizationRequest } from "../records/index.ts";
import { requestedScopes } from "../scopes/index.ts";
import type { ProtectedResource } from "../verify/index.ts";
import type { AuthorizeDeps } from "./deps.ts";
import { RedirectableError } from "./redirect-error.ts";
import { codeResponse } from "./rules/code-response.ts";
import { knownClient } from "./rules/known-client.ts";
import { knownPrompt } from "./rules/known-prompt.ts";
import { oneResource } from "./rules/one-resource.ts";
import { registeredRedirect } from "./rules/registered-redirect.ts";
import { requirePkce } from "./rules/require-pkce.ts";

/** A request that has passed every rule, with what the rules found. */
export interface CheckedRequest {
  readonly request: AuthorizationRequest;
  readonly client: Client;
  readonly redirect: ValidatedRedirect;
  readonly resource: ProtectedResource;
}

const longestState = 4096;

/**
 * The rules of the authorization endpoint, in order (RFC 6749 §4.1.1, OAuth 2.1 §4.1.1, RFC 8707 §2).
 * @throws OAuthError before the redirect is validated, RedirectableError after
 */
export async function checkAuthorizationRequest(deps: AuthorizeDeps, query: Parameters): Promise<CheckedRequest> {
  const client = await knownClient(query.get("client_id"), deps.clients);
  const redirect = registeredRedirect(query.get("redirect_uri"), client);
  const state = query.get("state");
  try {
    if (state !== undefined && state.length > longestState) {
      throw new OAuthError("invalid_request", "malformed_request", `state is longer than ${longestState} characters`);
    }
    codeResponse(query.get("response_type"), query.get("response_mode"));
    const codeChallenge = requirePkce(query.get("code_challenge"), query.get("code_challenge_method"));
    const resource = oneResource(query.get("resource"), deps.resources);
    const scopes = [...requestedScopes(query.get("scope"), resource.path, deps.scopes, client.defaultScopes)];
    const prompt = knownPrompt(query.get("prompt"));
    const loginHint = query.get("login_hint");
    const request: AuthorizationRequest = {
      clientId: client.clientId,
      redirectUri: redirect,
      codeChallenge,
      resource: resource.url,
      scopes,
      ...(state === undefined ? {} : { state }),
      ...(prompt === undefined ? {} : { prompt }),
      ...(loginHint === undefined ? {} : { loginHint: loginHint.slice(0, 256) }),
    };
    return { request, client, redirect, resource };
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    const tooLong = state !== undefined && state.length > longestState;
    throw new RedirectableError({ redirect, state: tooLong ? undefined : state }, error);
  }
}

/**
 * Client, redirect and resource of a request that was checked earlier, looked up again: a registration may have gone and
 * a configuration changed in the meantime.
 * @throws OAuthError where one of them no longer stands
 */
export async function recheckRequest(deps: AuthorizeDeps, request: AuthorizationRequest): Promise<CheckedRequest> {
  const client = await knownClient(request.clientId, deps.clients);
  const redirect = registeredRedirect(request.redirectUri, client);
  const resource = oneResource(request.resource, deps.resources);
  return { request, client, redirect, resource };
}
