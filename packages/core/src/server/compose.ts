import { createConsentMemory } from "../authorize/index.ts";
import { createAssertionVerifier, createClientDirectory } from "../clients/index.ts";
import { hasOwnKeys } from "../config/own-keys.ts";
import { lookOf } from "../pages/index.ts";
import { endpointPaths } from "./authorization-server-metadata.ts";
import { type Endpoints, fetchHandler } from "./fetch-handler.ts";
import type { LastingParts } from "./lasting-parts.ts";
import type { SettingsView } from "./settings-view.ts";

/**
 * Puts the endpoints together as the settings say, over the parts that last.
 * @throws ConfigError for settings that only the library can judge
 */
export function compose(view: SettingsView, lasting: LastingParts): Endpoints {
  const { config, issuer, scopes, resources, capabilities, accessTtlOf, isMachine, redirectPolicy } = view;
  const { store, keys, clock, random, logger, audit, assertionKeys, limits } = lasting;
  const { baseUrl, tokens, machines } = config;
  const passedIn = { store, keys, clock, random, logger, audit };
  return fetchHandler(
    {
      ...passedIn,
      grants: lasting.grants,
      identityProvider: lasting.identityProvider,
      tokens,
      exposeCognitoToken: config.exposeCognitoToken,
      accessTtlOf,
      isMachine,
      issuer,
      baseUrl,
      config,
      scopes,
      resources,
      keyring: lasting.keyring,
      identityKeyring: lasting.identityKeyring.opened,
      judge: lasting.judge,
      capabilities,
      clients: createClientDirectory({
        ...passedIn,
        config,
        assertionKeys,
        documents: capabilities.metadataDocuments ? lasting.documents(view) : undefined,
      }),
      assertions: createAssertionVerifier({ ...passedIn, audiences: [issuer, `${baseUrl}${endpointPaths.token}`] }),
      machineKeys: new Map(
        Object.entries(machines).flatMap(([id, machine]) =>
          hasOwnKeys(machine) ? [[id, assertionKeys(machine)]] : [],
        ),
      ),
      machineAuthentication: lasting.machineAuthentication,
      transactions: lasting.transactions,
      consentMarks: lasting.consentMarks,
      consentMemory: createConsentMemory({ ...passedIn, epochs: lasting.epochs, settings: config.consent }),
      look: lookOf(config.branding),
      registrationPolicy: { ...redirectPolicy, capabilities, scopes, settings: config.registration },
      limits: {
        register: limits.register(config.limits.register),
        authorize: limits.authorize(config.limits.authorize),
        consent: limits.consent(config.limits.consent),
        token: limits.token(config.limits.token),
        introspect: limits.introspect(config.limits.introspect),
        failedClientAuth: limits.failedClientAuth(config.limits.failedClientAuth),
        client: limits.client(config.limits.client),
        principal: limits.principal(config.limits.principal),
        resourceServer: limits.resourceServer(config.limits.introspect),
      },
    },
    { allowedOrigins: config.allowedOrigins },
  );
}
