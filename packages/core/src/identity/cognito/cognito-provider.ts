import type { IdentityProvider } from "../identity-provider.ts";
import { authorizationUrl } from "./authorization-url.ts";
import { clientCredentials, scopesOf } from "./client-credentials.ts";
import { poolDiscovery } from "./discovery.ts";
import { cognitoEndpoints } from "./endpoints.ts";
import { exchangeCode } from "./exchange-code.ts";
import { poolKeySet } from "./key-set.ts";
import { logoutUrl } from "./logout-url.ts";
import { type CognitoProviderOptions, parseCognitoOptions } from "./options.ts";
import { providerFetch } from "./provider-fetch.ts";
import { refresh } from "./refresh.ts";
import { revoke } from "./revoke.ts";
import type { CognitoContext } from "./token-request.ts";
import { tokenVerifier } from "./verify-tokens.ts";

/**
 * An Amazon Cognito user pool as the identity provider. Asks nothing of it until it is needed.
 * @throws {CognitoOptionsError} if an option cannot be right
 */
export function cognitoProvider(options: CognitoProviderOptions): IdentityProvider {
  const settings = parseCognitoOptions(options);
  const { clock, logger } = options;
  const endpoints = cognitoEndpoints(settings);
  const { sawTime } = options;
  const fetch = providerFetch({ fetch: options.fetch, timeoutMs: settings.timeoutMs, clock, sawTime });
  const discovery = poolDiscovery({ userPoolId: settings.userPoolId, endpoints, fetch, clock, logger });
  const keys = poolKeySet({ discovery, fetch, clock, logger });
  const verifier = tokenVerifier({ discovery, keys, clock });
  const context: CognitoContext = { settings, endpoints, discovery, verifier, fetch, clock };

  return {
    authorizationUrl: async (request) => authorizationUrl(context, request),
    exchangeCode: (request) => exchangeCode(context, request),
    ready: () => verifier.ready(),
    refresh: (request) => refresh(context, request),
    revoke: (refreshToken) => revoke(context, refreshToken),
    clientCredentials: (request) => clientCredentials(context, request),
    verifyAccessToken: async (token) => {
      const access = await verifier.accessToken(token, {});
      return {
        clientId: access.client_id,
        sub: access.sub,
        ...(access.username === undefined ? {} : { username: access.username }),
        groups: access["cognito:groups"] ?? [],
        scopes: scopesOf(access.scope),
        ...(access.aud === undefined ? {} : { audience: access.aud }),
        expiresAt: access.exp,
      };
    },
    logoutUrl: async (returnTo) => logoutUrl(context, returnTo),
  };
}
