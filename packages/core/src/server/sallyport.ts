import { type AuditSink, noAudit } from "../audit/index.ts";
import { createConsentMemory } from "../authorize/index.ts";
import { capabilitiesOf } from "../capabilities/capabilities.ts";
import {
  createAssertionKeys,
  createAssertionVerifier,
  createClientDirectory,
  createMetadataDocuments,
  parseRedirectUri,
} from "../clients/index.ts";
import {
  ConfigError,
  type CoreConfig,
  type CoreConfigInput,
  coreSection,
  type Environment,
  formatProblem,
  loadConfig,
  parseCoreConfig,
} from "../config/index.ts";
import { hasOwnKeys } from "../config/own-keys.ts";
import type { RootKeys } from "../crypto/index.ts";
import { type EpochScope, endGrants, type GrantDeps, grantChecks } from "../grants/index.ts";
import { cognitoProvider, type IdentityProvider } from "../identity/index.ts";
import { keyringInterval, openKeyring, rotationPolicy } from "../keys/index.ts";
import { createLimiter, sharedLimit } from "../limits/index.ts";
import { createGuardedFetch, type Network, systemNetwork } from "../net/index.ts";
import { lookOf } from "../pages/index.ts";
import { consentMarkKind, grantKind, openKeys, recordStore, transactionKind } from "../records/index.ts";
import {
  type Clock,
  type ClockWatch,
  clockDeviation,
  clockWatch,
  createLogger,
  type Fetch,
  type Logger,
  type Random,
  soundClock,
  systemClock,
  systemRandom,
} from "../runtime/index.ts";
import { scopeCatalog } from "../scopes/index.ts";
import { openStore, type Store } from "../store/index.ts";
import {
  BearerRefusal,
  type BearerVerifier,
  createVerifier,
  type Principal,
  requireScopes,
  resourceCatalog,
} from "../verify/index.ts";
import { endpointPaths } from "./authorization-server-metadata.ts";
import { type FetchHandler, fetchHandler } from "./fetch-handler.ts";
import { createReadiness } from "./readiness.ts";
import type { ServerDeps } from "./routes.ts";
import { withGlobalSignOut } from "./with-global-sign-out.ts";

/** How long `close` waits for what is under way at Cognito, ms. */
const longestClose = 2_000;

/** What may be handed in instead of the machine's own; tests hand in all of it. */
export interface SallyportRuntime {
  readonly clock: Clock;
  readonly random: Random;
  readonly fetch: Fetch;
  /** Instead of the machine's resolver and sockets, for what clients publish elsewhere: metadata documents and keys. */
  readonly network: Network;
  readonly logger: Logger;
  readonly audit: AuditSink;
  /** Instead of the one that the setting `store` names. Closed with the rest. */
  readonly store: Store;
  /** Instead of Cognito. */
  readonly identityProvider: IdentityProvider;
}

/** An authorization server in front of a Cognito user pool, with the checks for what stands behind it. */
export interface Sallyport {
  /** Answers the authorization server's endpoints and all discovery documents. */
  readonly fetch: FetchHandler;
  /**
   * Puts a handler behind both doors. The resource is the one at the request's path.
   * @param handler gets the request and who makes it; never called without a valid token
   */
  protect(
    handler: (request: Request, principal: Principal) => Response | Promise<Response>,
  ): (request: Request) => Promise<Response>;
  /**
   * Who makes a request to a protected resource.
   * @throws BearerRefusal, ready to be answered
   */
  verify(request: Request): Promise<Principal>;
  /** The same for hot paths, without a Request object. */
  readonly verifier: BearerVerifier;
  /**
   * Ends every grant that exists now: of all, of a user (`sub`) or of a client. Holds everywhere within the check
   * interval (`tokens.grant_check_interval`). With `cognito.global_sign_out` a user is signed out at Cognito as well.
   * Rejects with StoreUnavailable if nothing was written; with IdentityProviderError if Cognito did not sign the user
   * out, though here the grants have ended.
   */
  endGrants(scope: EpochScope): Promise<void>;
  /**
   * What keeps this process from serving, in short texts for anybody (`store unavailable`, `keyring unreadable`,
   * `store unfit`, `clock off by 40 s`); empty: nothing. For `/readyz`: the details are logged, and whoever asks within a
   * second gets the same answer. Never rejects.
   */
  readiness(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/**
 * Starts from settings as a program writes them (camelCase, durations as `15s`).
 * @throws ConfigError with every problem of the settings at once
 */
async function start(settings: CoreConfigInput, runtime: Partial<SallyportRuntime> = {}): Promise<Sallyport> {
  const logger = runtime.logger ?? ownLogger(settings);
  const config = parseCoreConfig(settings, (warning) => logger.warn(formatProblem(warning)));
  return createSallyport(config, { ...runtime, logger });
}

async function load(
  source: { readonly file?: string; readonly env: Environment },
  runtime: Partial<SallyportRuntime>,
): Promise<Sallyport> {
  const { config, warnings } = await loadConfig({ schema: coreSection, ...source });
  const logger = runtime.logger ?? ownLogger(config);
  for (const warning of warnings) logger.warn(formatProblem(warning));
  return createSallyport(config, { ...runtime, logger });
}

/** Starts an authorization server in front of a Cognito user pool, from code, from the environment or from a file. */
export const sallyport = Object.assign(start, {
  /**
   * Starts from environment variables alone (`COGNITO_USER_POOL_ID`, `SALLYPORT_BASE_URL`, …).
   * @throws ConfigError with every problem of the settings at once
   */
  fromEnv: (env: Environment = process.env, runtime: Partial<SallyportRuntime> = {}): Promise<Sallyport> =>
    load({ env }, runtime),
  /**
   * Starts from a TOML file; environment variables win over it.
   * @throws ConfigError with every problem of the settings at once
   */
  fromFile: (file: string, runtime: Partial<SallyportRuntime> = {}): Promise<Sallyport> =>
    load({ file, env: process.env }, runtime),
});

/** Starts from a checked configuration. Reads the store (the signing keys are there) but never asks Cognito anything. */
export async function createSallyport(config: CoreConfig, runtime: Partial<SallyportRuntime> = {}): Promise<Sallyport> {
  const machineClock = runtime.clock ?? systemClock;
  const [storeClock, providerClock] = [clockWatch(machineClock), clockWatch(machineClock)];
  const watches = [storeClock, providerClock];
  const clock = soundClock(machineClock, watches);
  const random = runtime.random ?? systemRandom;
  const logger = runtime.logger ?? ownLogger(config);
  const audit = runtime.audit ?? noAudit;
  if (config.secret.length === 0) {
    const message =
      "is missing; set SALLYPORT_SECRET to at least 32 random bytes, such as the output of `openssl rand -base64 32`";
    throw new ConfigError([{ setting: "secret", source: "default", message }]);
  }
  const keys = await openKeys(config, { clock });
  const fetch = runtime.fetch ?? ((input, init) => globalThis.fetch(input, init));
  const { timeout: timeoutMs } = config.cognito;
  const { saw: sawTime } = providerClock;
  const provider =
    runtime.identityProvider ?? cognitoProvider({ ...config.cognito, fetch, clock, logger, timeoutMs, sawTime });
  const given = runtime.identityProvider !== undefined;
  const identityProvider = await withGlobalSignOut(provider, given, config.cognito, logger);
  const network = runtime.network ?? systemNetwork;
  const store = runtime.store ?? (await openStore(config.store, { clock, random, logger, sawTime: storeClock.saw }));
  try {
    return await compose(config, { clock, random, logger, audit, keys, identityProvider, network, store, watches });
  } catch (error) {
    if (runtime.store === undefined) await store.close();
    throw error;
  }
}

/** What everything else is made of. */
interface Parts extends Omit<SallyportRuntime, "fetch"> {
  readonly keys: RootKeys;
  /** What is known of the machine's clock, which `clock` puts right. */
  readonly watches: readonly ClockWatch[];
}

async function compose(config: CoreConfig, parts: Parts): Promise<Sallyport> {
  const { clock, random, logger, audit, keys, identityProvider, store } = parts;
  const { baseUrl, tokens } = config;
  const issuer = config.issuer ?? new URL(baseUrl).origin;
  const scopes = scopeCatalog(config);
  const resources = resourceCatalog(baseUrl, config.resources, scopes.defaultsOf, config.defaultResource);
  const grants = recordStore(grantKind, { store, keys, random });
  const accessTtlOf = (url: string): number => resources.byUrl(url)?.accessTtl ?? tokens.accessTtl;
  const isMachine: GrantDeps["isMachine"] = (id, kind) => {
    const machine = Object.hasOwn(config.machines, id) ? config.machines[id] : undefined;
    return machine !== undefined && hasOwnKeys(machine) === (kind === "registered_key");
  };
  const passedIn = { store, keys, clock, random, logger, audit };
  const rotation = { policy: rotationPolicy(config), audit };
  const keyring = await openKeyring({ ...passedIn, checkInterval: keyringInterval(config), rotation });
  const grantDeps: GrantDeps = { ...passedIn, grants, identityProvider, tokens, accessTtlOf, isMachine };
  const { epochs, judge, settled } = grantChecks(grantDeps, tokens, config.consent.remember);
  const perMinute = (limit: number) => createLimiter({ clock, perMinute: limit });
  const shared = (label: string, limit: number) => sharedLimit({ store, keys, clock, label, perMinute: limit });
  const capabilities = capabilitiesOf(config);
  const redirectPolicy = {
    callbackUrl: `${baseUrl}${endpointPaths.callback}`,
    customSchemes: config.registration.customSchemes,
  };
  checkRegisteredClients(config, redirectPolicy);

  const guardedFetch = createGuardedFetch({ network: parts.network, clock });
  const assertionKeys = createAssertionKeys({ fetch: guardedFetch, clock });
  const settings = config.metadataDocuments;
  const documents = capabilities.metadataDocuments
    ? createMetadataDocuments({ ...passedIn, settings, policy: redirectPolicy, fetch: guardedFetch, assertionKeys })
    : undefined;

  const deps: ServerDeps = {
    ...grantDeps,
    issuer,
    baseUrl,
    config,
    scopes,
    resources,
    keyring,
    judge,
    capabilities,
    clients: createClientDirectory({ ...passedIn, config, assertionKeys, documents }),
    assertions: createAssertionVerifier({ ...passedIn, audiences: [issuer, `${baseUrl}${endpointPaths.token}`] }),
    machineKeys: new Map(
      Object.entries(config.machines).flatMap(([id, machine]) =>
        hasOwnKeys(machine) ? [[id, assertionKeys(machine)]] : [],
      ),
    ),
    transactions: recordStore(transactionKind, { store, keys, random }),
    consentMarks: recordStore(consentMarkKind, { store, keys, random }),
    consentMemory: createConsentMemory({ ...passedIn, epochs, settings: config.consent }),
    look: lookOf(config.branding),
    registrationPolicy: { ...redirectPolicy, capabilities, scopes, settings: config.registration },
    limits: {
      register: perMinute(config.limits.register),
      authorize: perMinute(config.limits.authorize),
      consent: perMinute(config.limits.consent),
      token: perMinute(config.limits.token),
      introspect: perMinute(config.limits.introspect),
      failedClientAuth: perMinute(config.limits.failedClientAuth),
      client: shared("client", config.limits.client),
      principal: shared("principal", config.limits.principal),
      resourceServer: shared("resource-server", config.limits.introspect),
    },
  };
  const verifier = createVerifier({
    issuer,
    resources,
    scopes,
    keyring,
    judge,
    identityProvider,
    machines: config.machines,
    clock,
  });

  const verify = async (request: Request): Promise<Principal> => {
    const path = new URL(request.url).pathname;
    const resource = resources.all.find((candidate) => new URL(candidate.url).pathname === path);
    if (!resource) throw new RangeError(`${path} is not the path of a configured resource`);
    const principal = await verifier.check(request.headers.get("authorization") ?? undefined, resource.url);
    const refusal = requireScopes(principal, resource.requiredScopes, verifier);
    if (refusal) throw refusal;
    // Denied by default: who has lost every scope passes nowhere, also where no particular one is required.
    if (principal.scopes.length === 0) throw BearerRefusal.notPermitted();
    return principal;
  };

  return {
    fetch: fetchHandler(deps, { allowedOrigins: config.allowedOrigins }),
    verify,
    verifier,
    protect: (handler) => async (request) => {
      try {
        return await handler(request, await verify(request));
      } catch (error) {
        if (!(error instanceof BearerRefusal)) throw error;
        return new Response(error.body(), { status: error.status, headers: error.headers() });
      }
    },
    readiness: createReadiness({ store, keyring, clock, logger, deviation: () => clockDeviation(parts.watches) }),
    endGrants: (scope) => endGrants(grantDeps, epochs, scope, config.cognito.globalSignOut),
    async close() {
      // A token that Cognito has rotated must still reach the store.
      await Promise.race([Promise.all([settled(), keyring.settled()]), clock.sleep(longestClose)]);
      await store.close();
      await audit.close();
    },
  };
}

const ownLogger = ({
  logLevel,
  logFormat,
}: {
  logLevel?: CoreConfig["logLevel"] | undefined;
  logFormat?: CoreConfig["logFormat"] | undefined;
}): Logger =>
  createLogger({
    ...(logLevel === undefined ? {} : { level: logLevel }),
    ...(logFormat === undefined ? {} : { format: logFormat }),
    write: (line) => process.stderr.write(`${line}\n`),
  });

/** Configured redirect URIs keep to the same rules as registered ones. */
function checkRegisteredClients(config: CoreConfig, policy: Parameters<typeof parseRedirectUri>[1]): void {
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
