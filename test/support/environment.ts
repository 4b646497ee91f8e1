import { randomBytes } from "node:crypto";
import { type CognitoEmulator, type PoolConfig, startCognitoEmulator } from "@sallyport/cognito-emulator";
import { gatewaySection } from "@sallyport/gateway";
import {
  type AuditEvent,
  combine,
  coreSection,
  createLogger,
  loadConfig,
  memoryAudit,
  openStore,
  type SallyportRuntime,
  type Store,
  systemRandom,
} from "sallyport";
import { gatewayRules } from "../../packages/cli/src/config/gateway-rules.ts";
import { startDemoServers } from "../../packages/cli/src/demo/index.ts";
import { demoPool, demoUsers } from "../../packages/cli/src/dev/demo-pool.ts";
import { demoSettings } from "../../packages/cli/src/dev/demo-settings.ts";
import { startServer } from "../../packages/cli/src/serve/start-server.ts";
import { freePort } from "./free-port.ts";
import { type TestClock, testClock } from "./test-clock.ts";

export { freePort } from "./free-port.ts";

type DemoSettings = ReturnType<typeof demoSettings>;

/** Everything that `npm start` starts, inside the test's own process: emulator, demo servers, gateway. */
export interface TestEnvironment {
  /** Origin and issuer of the gateway. */
  readonly url: string;
  readonly cognito: CognitoEmulator;
  /** Shared by the gateway and the emulator. */
  readonly clock: TestClock;
  readonly audit: readonly AuditEvent[];
  /** Every line logged, at debug level. */
  readonly log: readonly string[];
  /** Every line that the emulator logged, at debug level. */
  readonly cognitoLog: readonly string[];
  readonly users: typeof demoUsers;
  readonly machine: { readonly clientId: string; readonly clientSecret: string };
  /** The settings it runs with, to start a second replica or restart from. */
  readonly settings: DemoSettings;
  /**
   * Changes the settings of what runs, as a reload would.
   * Rejects with ConfigError where they are refused.
   */
  reconfigure(change: (settings: DemoSettings) => DemoSettings): Promise<void>;
  close(): Promise<void>;
}

/**
 * @param options.store default `memory:`
 * @param options.change last word on the settings
 * @param options.wrapStore stands between the gateway and the store that the setting names
 * @param options.pool last word on the user pool
 */
export async function startEnvironment(
  options: {
    readonly store?: string;
    readonly change?: (settings: DemoSettings) => DemoSettings;
    readonly runtime?: Partial<SallyportRuntime>;
    readonly wrapStore?: (store: Store) => Store;
    readonly pool?: (pool: PoolConfig) => PoolConfig;
  } = {},
): Promise<TestEnvironment> {
  const clock = testClock();
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const secret = () => randomBytes(32).toString("base64url");
  const clients = {
    clientId: "sallyportdemo",
    clientSecret: secret(),
    machineId: "demomachine",
    machineSecret: secret(),
  };
  const pool = demoPool(url, clients);
  const cognitoLog: string[] = [];
  const cognitoLogger = createLogger({ level: "debug", write: (line) => cognitoLog.push(line) });
  const cognito = await startCognitoEmulator({
    pool: options.pool?.(pool) ?? pool,
    port: 0,
    clock,
    logger: cognitoLogger,
  });
  const demo = await startDemoServers();
  const base = demoSettings({
    gatewayUrl: url,
    port,
    cognitoUrl: cognito.url,
    clients,
    secret: secret(),
    store: options.store ?? "memory:",
    servers: demo.servers,
  });
  const settings = options.change?.(base) ?? base;
  const audit = memoryAudit(100_000);
  const log: string[] = [];
  const logger = createLogger({ level: "debug", write: (line) => log.push(line) });
  const schema = combine([coreSection, gatewaySection]);
  const load = async (overrides: DemoSettings) =>
    (await loadConfig({ schema, rules: gatewayRules, env: {}, overrides })).config;
  const config = await load(settings);
  // Handed in, so that it says nothing of the time: a test moves the clock, and not the store's.
  const opened = await openStore(config.store, { clock, random: systemRandom, logger });
  const store = options.wrapStore?.(opened) ?? opened;
  const server = await startServer(config, { clock, logger, audit, store, ...options.runtime });
  return {
    url,
    cognito,
    clock,
    audit: audit.events,
    log,
    cognitoLog,
    users: demoUsers,
    machine: { clientId: clients.machineId, clientSecret: clients.machineSecret },
    settings,
    reconfigure: async (change) => server.reconfigure(await load(change(settings))),
    async close() {
      await server.close();
      await demo.close();
      await cognito.close();
    },
  };
}

/** A demo user by the part of the name before the `@`. */
export function demoUser(env: Pick<TestEnvironment, "users">, name: string): (typeof demoUsers)[number] {
  const found = env.users.find(({ username }) => username.startsWith(`${name}@`));
  if (!found) throw new Error(`there is no demo user ${name}`);
  return found;
}
