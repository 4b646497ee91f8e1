import { authenticateClient, clientCredentialsOf } from "../clients/index.ts";
import { OAuthError } from "../errors/index.ts";
import { jsonAnswer, type Parameters, readForm } from "../http/index.ts";
import type { MachineAuthentication } from "./authenticate-machine.ts";
import { authorizationCode } from "./authorization-code.ts";
import { clientCredentials } from "./client-credentials.ts";
import type { TokenDeps } from "./deps.ts";
import { refreshToken } from "./refresh-token.ts";
import { type TokenLimits, tokenLimits } from "./token-limits.ts";
import type { TokenResponse } from "./token-response.ts";

/** `POST /token` (RFC 6749 §3.2). Errors are thrown as OAuthError; the server writes them. */
export function tokenEndpoint(
  deps: TokenDeps,
  authenticateMachine: MachineAuthentication,
): (request: Request, address: string) => Promise<Response> {
  const answer = async (request: Request, form: Parameters, limits: TokenLimits): Promise<TokenResponse> => {
    const grantType = form.get("grant_type");
    if (grantType === undefined) throw new OAuthError("invalid_request", "malformed_request", "grant_type is missing");
    const supported = deps.capabilities.grantTypes.find((type) => type === grantType);
    if (supported === undefined) {
      const list = deps.capabilities.grantTypes.join(", ");
      throw new OAuthError("unsupported_grant_type", "grant_type_unsupported", `grant_type must be one of: ${list}`);
    }
    // Before anything is redeemed: a key that is gone meanwhile must not sign.
    await deps.keyring.current();
    const credentials = clientCredentialsOf(request.headers, form);
    if (supported === "client_credentials") {
      return clientCredentials(deps, authenticateMachine, credentials, form, limits);
    }
    const client = await authenticateClient(deps, credentials);
    await limits.client(client);
    if (!client.grantTypes.includes(supported)) {
      throw new OAuthError(
        "unauthorized_client",
        "grant_type_not_allowed",
        `this client did not register for ${supported}`,
      );
    }
    return supported === "authorization_code"
      ? authorizationCode(deps, client, form, limits)
      : refreshToken(deps, client, form, limits);
  };

  return async (request, address) => {
    let form: Parameters | undefined;
    try {
      const limits = tokenLimits(deps, address);
      form = await readForm(request, deps.config.maxBody);
      return jsonAnswer(200, await answer(request, form, limits));
    } catch (error) {
      if (error instanceof OAuthError) reportRefusal(deps, form, error);
      throw error;
    }
  };
}

function reportRefusal(deps: TokenDeps, form: Parameters | undefined, error: OAuthError): void {
  const time = new Date(deps.clock.now()).toISOString();
  deps.audit.write({ time, action: "token.refused", reason: error.reason, status: error.status, ...clientOf(form) });
}

/** Cut, since at a refusal it is whatever somebody sent. */
const clientOf = (form: Parameters | undefined): { client?: string } => {
  const client = form?.get("client_id");
  return client === undefined ? {} : { client: client.slice(0, 256) };
};
