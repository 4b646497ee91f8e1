import { authenticationFailed, type ClientCredentials } from "../clients/index.ts";
import { OAuthError } from "../errors/index.ts";
import { issueMachineGrant } from "../grants/index.ts";
import type { Parameters } from "../http/index.ts";
import { requestedScopes } from "../scopes/index.ts";
import type { MachineAuthentication } from "./authenticate-machine.ts";
import type { TokenDeps } from "./deps.ts";
import type { TokenLimits } from "./token-limits.ts";
import { type TokenResponse, tokenResponse } from "./token-response.ts";

/**
 * `grant_type=client_credentials` (RFC 6749 §4.4): a machine's own Cognito credentials, or an assertion signed with its
 * registered key, for an audience-bound token. Where Cognito is to be asked, what costs nothing is checked first: it bills
 * each token.
 */
export async function clientCredentials(
  deps: TokenDeps,
  authenticate: MachineAuthentication,
  credentials: ClientCredentials,
  form: Parameters,
  limits: TokenLimits,
): Promise<TokenResponse> {
  const { clientId, clientSecret } = credentials;
  if (!Object.hasOwn(deps.config.machines, clientId)) throw authenticationFailed();
  const isBilled = !deps.machineKeys.has(clientId) && clientSecret !== undefined;
  const early = isBilled ? undefined : await authenticate(deps, credentials);
  const parameter = form.get("resource");
  const resource = parameter === undefined ? deps.resources.default : deps.resources.resolve(parameter);
  if (!resource) {
    const reason = parameter === undefined ? "resource_ambiguous" : "resource_unknown";
    throw new OAuthError("invalid_target", reason, "resource must name one of the protected resources");
  }
  const entitled = deps.scopes.ofMachine(clientId, resource.path);
  const scope = form.get("scope");
  // Without scope: everything that the administrator gave this machine here.
  const wanted =
    scope === undefined ? entitled : deps.scopes.expand(requestedScopes(scope, resource.path, deps.scopes));
  const asked = wanted.filter((name) => entitled.includes(name));
  if (asked.length === 0) throw notEntitled();
  const proof = early ?? (await authenticate(deps, credentials));
  await limits.machine(clientId);
  const session = proof.kind === "cognito_client" ? proof.session : undefined;
  const held = session && new Set(deps.scopes.expand(deps.scopes.fromProvider(session.scopes)));
  const scopes = asked.filter((name) => !held || held.has(name));
  if (scopes.length === 0) throw notEntitled();
  const live = await issueMachineGrant(deps, { clientId, resource: resource.url, scopes, until: session?.expiresAt });
  return tokenResponse(deps, live, scopes, "token.issued");
}

const notEntitled = (): OAuthError =>
  new OAuthError(
    "invalid_scope",
    "machine_not_entitled",
    "this client may have none of these scopes for this resource",
  );
