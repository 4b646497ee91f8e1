import { type Capabilities, capabilitiesOf } from "../capabilities/capabilities.ts";
import { parseRedirectUri } from "../clients/index.ts";
import { ConfigError, type CoreConfig } from "../config/index.ts";
import { hasOwnKeys } from "../config/own-keys.ts";
import type { GrantDeps } from "../grants/index.ts";
import { rotationPolicy } from "../keys/index.ts";
import { type ScopeCatalog, scopeCatalog } from "../scopes/index.ts";
import { type ResourceCatalog, resourceCatalog, type VerifierSettings } from "../verify/index.ts";
import { endpointPaths } from "./authorization-server-metadata.ts";

type RedirectPolicy = Parameters<typeof parseRedirectUri>[1];

/** What follows from the settings alone: no store, no clock, no I/O. Computed anew when they change; never changed. */
export interface SettingsView extends VerifierSettings {
  readonly config: CoreConfig;
  readonly issuer: string;
  readonly scopes: ScopeCatalog;
  readonly resources: ResourceCatalog;
  readonly capabilities: Capabilities;
  readonly redirectPolicy: RedirectPolicy;
  readonly rotation: ReturnType<typeof rotationPolicy>;
  readonly accessTtlOf: GrantDeps["accessTtlOf"];
  readonly isMachine: GrantDeps["isMachine"];
}

/** @throws ConfigError for settings that only the library can judge */
export function viewSettings(config: CoreConfig): SettingsView {
  const { baseUrl, tokens, machines, clients } = config;
  const scopes = scopeCatalog(config);
  const resources = resourceCatalog(baseUrl, config.resources, scopes.defaultsOf, config.defaultResource);
  const redirectPolicy: RedirectPolicy = {
    callbackUrl: `${baseUrl}${endpointPaths.callback}`,
    customSchemes: config.registration.customSchemes,
  };
  checkRegisteredClients(config, redirectPolicy);
  return {
    config,
    issuer: config.issuer ?? new URL(baseUrl).origin,
    scopes,
    resources,
    machines,
    clients,
    capabilities: capabilitiesOf(config),
    redirectPolicy,
    rotation: rotationPolicy(config),
    accessTtlOf: (url) => resources.byUrl(url)?.accessTtl ?? tokens.accessTtl,
    isMachine: (id, kind) => {
      const machine = Object.hasOwn(machines, id) ? machines[id] : undefined;
      return machine !== undefined && hasOwnKeys(machine) === (kind === "registered_key");
    },
  };
}

/** Configured redirect URIs keep to the same rules as registered ones. */
function checkRegisteredClients(config: CoreConfig, policy: RedirectPolicy): void {
  const problems = Object.entries(config.clients).flatMap(([clientId, { redirectUris }]) =>
    redirectUris.flatMap((uri, index) => {
      try {
        parseRedirectUri(uri, policy);
        return [];
      } catch (error) {
        const message = error instanceof Error ? error.message : "is not a redirect URI";
        return [{ setting: `clients.${clientId}.redirect_uris[${index}]`, source: "configuration", message }];
      }
    }),
  );
  if (problems.length > 0) throw new ConfigError(problems);
}
