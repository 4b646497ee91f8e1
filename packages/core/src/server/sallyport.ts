import { noAudit } from "../audit/index.ts";
import {
  ConfigError,
  type CoreConfig,
  changedSettings,
  coreSection,
  type Environment,
  formatProblem,
  liveCoreSettings,
  loadConfig,
  needRestart,
} from "../config/index.ts";
import { endGrants } from "../grants/index.ts";
import { observedCognitoFetch } from "../identity/cognito/observed-fetch.ts";
import { cognitoProvider } from "../identity/index.ts";
import { identityAssertions } from "../keys/index.ts";
import { systemNetwork } from "../net/index.ts";
import { openKeys } from "../records/index.ts";
import {
  clockDeviation,
  clockWatch,
  createLogger,
  type Fetch,
  type Logger,
  soundClock,
  systemClock,
  systemRandom,
} from "../runtime/index.ts";
import { openStore } from "../store/index.ts";
import { observedStore } from "../store/observed-store.ts";
import { type AnyClaims, BearerRefusal, type Principal, requireScopes } from "../verify/index.ts";
import { answerRefusable, refusalAnswer } from "./answer-refusable.ts";
import { compose } from "./compose.ts";
import type { Sallyport, SallyportRuntime } from "./face.ts";
import { type GivenParts, openLastingParts } from "./lasting-parts.ts";
import { getPrincipal, refuseRequest } from "./principal-context.ts";
import { createReadiness } from "./readiness.ts";
import { parseSettings, type SallyportSettings } from "./said-left-out.ts";
import { selfCheck } from "./self-check.ts";
import { viewSettings } from "./settings-view.ts";
import { withGlobalSignOut } from "./with-global-sign-out.ts";

export type { Sallyport, SallyportRuntime } from "./face.ts";

/** How long `close` waits for what is under way at Cognito, ms. */
const longestClose = 2_000;

/**
 * Starts from settings as a program writes them (camelCase, durations as `15s`).
 * @throws ConfigError with every problem of the settings at once
 */
async function start<Claims extends object = AnyClaims>(
  settings: SallyportSettings,
  runtime: Partial<SallyportRuntime> = {},
): Promise<Sallyport<Claims>> {
  const logger = runtime.logger ?? ownLogger(settings);
  const config = parseSettings(settings, (warning) => logger.warn(formatProblem(warning)));
  return createSallyport<Claims>(config, { ...runtime, logger });
}

async function load<Claims extends object>(
  source: { readonly file?: string; readonly env: Environment },
  runtime: Partial<SallyportRuntime>,
): Promise<Sallyport<Claims>> {
  const { config, warnings } = await loadConfig({ schema: coreSection, ...source });
  const logger = runtime.logger ?? ownLogger(config);
  for (const warning of warnings) logger.warn(formatProblem(warning));
  return createSallyport<Claims>(config, { ...runtime, logger });
}

/** Starts an authorization server in front of a Cognito user pool, from code, from the environment or from a file. */
export const sallyport = Object.assign(start, {
  /**
   * Starts from environment variables alone (`COGNITO_USER_POOL_ID`, `SALLYPORT_BASE_URL`, …).
   * @throws ConfigError with every problem of the settings at once
   */
  fromEnv: <Claims extends object = AnyClaims>(
    env: Environment = process.env,
    runtime: Partial<SallyportRuntime> = {},
  ): Promise<Sallyport<Claims>> => load({ env }, runtime),
  /**
   * Starts from a TOML file; environment variables win over it.
   * @throws ConfigError with every problem of the settings at once
   */
  fromFile: <Claims extends object = AnyClaims>(
    file: string,
    runtime: Partial<SallyportRuntime> = {},
  ): Promise<Sallyport<Claims>> => load({ file, env: process.env }, runtime),
});

/** Starts from a checked configuration. Reads the store (the signing keys are there) but never asks Cognito anything. */
export async function createSallyport<Claims extends object = AnyClaims>(
  config: CoreConfig,
  runtime: Partial<SallyportRuntime> = {},
): Promise<Sallyport<Claims>> {
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
  const { observer } = runtime;
  const keys = await openKeys(config, { clock, observer });
  const plainFetch: Fetch = runtime.fetch ?? ((input, init) => globalThis.fetch(input, init));
  const fetch = observer === undefined ? plainFetch : observedCognitoFetch(plainFetch, { observer, clock });
  const { timeout: timeoutMs } = config.cognito;
  const { saw: sawTime } = providerClock;
  const provider =
    runtime.identityProvider ?? cognitoProvider({ ...config.cognito, fetch, clock, logger, timeoutMs, sawTime });
  const given = runtime.identityProvider !== undefined;
  const identityProvider = await withGlobalSignOut(provider, given, config.cognito, { logger, clock, observer });
  const network = runtime.network ?? systemNetwork;
  const opened = runtime.store ?? (await openStore(config.store, { clock, random, logger, sawTime: storeClock.saw }));
  const store = observer === undefined ? opened : observedStore(opened, observer, clock);
  const passedIn = { clock, random, logger, audit, observer };
  try {
    return await composeAll<Claims>(
      config,
      { ...passedIn, keys, identityProvider, network, store, watches },
      plainFetch,
    );
  } catch (error) {
    if (runtime.store === undefined) await store.close();
    throw error;
  }
}

async function composeAll<Claims extends object>(
  config: CoreConfig,
  parts: GivenParts,
  plainFetch: Fetch,
): Promise<Sallyport<Claims>> {
  const { clock, random, logger, audit, store } = parts;
  let view = viewSettings(config);
  const lasting = await openLastingParts(parts, () => view);
  let answer = compose(view, lasting);
  const { verifier, keyring } = lasting;

  const verify = async (request: Request): Promise<Principal<Claims>> => {
    const url = new URL(request.url);
    const resource = view.resources.at(url);
    if (!resource) throw new RangeError(`${url.pathname} is not the path of a configured resource`);
    const principal = await verifier.check(request.headers.get("authorization") ?? undefined, resource.url);
    const refusal = requireScopes(principal, resource.requiredScopes, verifier);
    if (refusal) throw refusal;
    // Denied by default: who has lost every scope passes nowhere, also where no particular one is required.
    if (principal.scopes.length === 0) throw BearerRefusal.notPermitted();
    // What claims there are is the caller's word: nothing here could check a type.
    return principal as Principal<Claims>;
  };

  return {
    fetch: (request, context) => answer.fetch(request, context),
    serves: (url) => answer.serves(url),
    baseUrl: () => view.config.baseUrl,
    selfCheck: () => selfCheck(view, plainFetch),
    verify,
    getPrincipal: () => getPrincipal<Claims>(),
    async cognitoToken(principal = getPrincipal()) {
      if (!view.config.exposeCognitoToken) {
        const message = "must be true for auth.cognitoToken(): without it no token of Cognito's is kept";
        throw new ConfigError([{ setting: "exposeCognitoToken", source: "configuration", message }]);
      }
      if (principal.kind === "machine" || principal.grantId === undefined) refuseRequest(BearerRefusal.notPermitted());
      const answer = await lasting.judge.cognitoToken(principal.grantId);
      if ("token" in answer) return answer.token;
      if (answer.holds === "unknown") refuseRequest(BearerRefusal.unavailable(answer.reason));
      return refuseRequest(BearerRefusal.invalid(answer.reason, verifier.challenge(principal.resource)));
    },
    verifier,
    protect: (handler) => async (request) => {
      try {
        const principal = await verify(request);
        return await answerRefusable(request.method, principal, () => handler(request, principal), { clock });
      } catch (error) {
        if (!(error instanceof BearerRefusal)) throw error;
        return refusalAnswer(error);
      }
    },
    reconfigure(next) {
      const problems = needRestart(changedSettings(coreSection, view.config, next), liveCoreSettings);
      if (problems.length > 0) throw new ConfigError(problems);
      // All of it before any of it counts.
      const nextView = viewSettings(next);
      const nextAnswer = compose(nextView, lasting);
      view = nextView;
      answer = nextAnswer;
    },
    readiness: createReadiness({ store, keyring, clock, logger, deviation: () => clockDeviation(parts.watches) }),
    async identityAssertions() {
      const ring = await lasting.identityKeyring.open();
      return identityAssertions({ issuer: view.issuer, keyring: ring, clock, random });
    },
    counts: lasting.counts,
    endGrants: (scope) => endGrants(lasting.grantDeps, lasting.epochs, scope, view.config.cognito.globalSignOut),
    async close() {
      // A token that Cognito has rotated must still reach the store.
      const identityKeys = lasting.identityKeyring.opened().then((ring) => ring?.settled());
      const settled = Promise.all([lasting.settled(), keyring.settled(), identityKeys]);
      await Promise.race([settled, clock.sleep(longestClose)]);
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
