import { join } from "node:path";
import { startCognitoEmulator } from "@sallyport/cognito-emulator";
import { createLogger, formatProblem } from "sallyport";
import { openAudit } from "../audit/open-audit.ts";
import { configFailure } from "../config/load-gateway-config.ts";
import { startDemoServers } from "../demo/index.ts";
import { type CloseStack, createCloseStack } from "../process/close-stack.ts";
import { CommandFailure, systemReason } from "../process/failure.ts";
import { checkPort } from "../process/listen-failure.ts";
import { writeError, writeLine } from "../process/output.ts";
import { listenForStop } from "../process/stop-signals.ts";
import { startServer } from "../serve/start-server.ts";
import { banner, paintFor } from "./banner.ts";
import { checkAnswers } from "./check-answers.ts";
import { demoGroups, demoPool, demoUsersWith } from "./demo-pool.ts";
import { demoClients, keepDemoSecrets, newDemoSecrets, readDemoSecrets } from "./demo-secrets.ts";
import { demoSettings } from "./demo-settings.ts";
import { type DevDescription, removeStaleDescription, writeDescription } from "./dev-json.ts";
import { loadDevConfig } from "./load-dev-config.ts";
import { openStateFolder } from "./state-folder.ts";

/** How long open requests have once the command is to end, and how long all of that end may take, in milliseconds. */
const deadlines = { requests: 1000, all: 4000 };

const host = "127.0.0.1";

/** Options of `sallyport dev`. */
export interface DevOptions {
  readonly port: number;
  readonly cognitoPort: number;
  /** Folder of everything that outlives the command. */
  readonly state: string;
  /** Keeps everything in memory; only `dev.json` is written. */
  readonly ephemeral?: boolean;
  readonly config?: string;
  /** A file, or `-` for stderr. Default: `audit.jsonl` in the state folder; with `ephemeral` nowhere. */
  readonly audit?: string;
}

/**
 * `sallyport dev`: the local Cognito, the demo servers and the gateway in this process, until it is stopped by a signal.
 * stdout gets one line, `ready <url>`, when everything answers; all else goes to stderr.
 * @returns the exit status
 * @throws CommandFailure for a file that cannot be used, a port that is taken, a folder that cannot be written to
 */
export async function runDev(options: DevOptions): Promise<number> {
  const stop = listenForStop(deadlines.all);
  const opened = createCloseStack();
  try {
    const description = await startEverything(options, opened, stop.signal);
    writeError(banner(description, options.state, paintFor(process.stderr)));
    writeLine(`ready ${description.gateway}`);
    await stop.stopped;
    return 0;
  } catch (error) {
    // Stopped while it started: that is no failure.
    if (stop.signal.aborted) return 0;
    throw error;
  } finally {
    await opened.close();
    stop.done();
  }
}

/** Everything that can be wrong with options, files and ports is found before anything is written or shown. */
async function startEverything(options: DevOptions, opened: CloseStack, signal: AbortSignal): Promise<DevDescription> {
  const { port, cognitoPort, ephemeral = false } = options;
  if (port === cognitoPort) throw new CommandFailure("--port and --cognito-port must be two different ports");
  const url = `http://localhost:${port}`;
  const cognitoUrl = `http://localhost:${cognitoPort}`;
  const kept = ephemeral ? undefined : await readDemoSecrets(options.state);
  const secrets = kept ?? newDemoSecrets();
  const clients = demoClients(secrets);

  const demo = await startDemoServers();
  opened.add(() => demo.close());
  const { config, warnings } = await loadDevConfig({
    demo: demoSettings({
      gatewayUrl: url,
      port,
      cognitoUrl,
      clients,
      secret: secrets.root,
      store: ephemeral ? "memory:" : `sqlite:${join(options.state, "store.db")}`,
      servers: demo.servers,
    }),
    file: options.config,
    env: process.env,
  });
  await checkPort(host, port, "choose another with --port");
  await checkPort(host, cognitoPort, "choose another with --cognito-port");
  signal.throwIfAborted();

  const state = await openStateFolder(options.state);
  opened.add(() => state.removeIfEmpty());
  await inFolder(options.state, async () => {
    await removeStaleDescription(state.path);
    if (!ephemeral && kept === undefined) await keepDemoSecrets(state.path, secrets);
  });
  const logger = createLogger({ level: config.logLevel, format: config.logFormat, write: writeError });
  const file = options.audit ?? (ephemeral ? undefined : join(state.path, "audit.jsonl"));
  const audit = await openAudit(file, { secret: config.secret, logger, stream: process.stderr });
  opened.add(() => audit.close());
  for (const warning of warnings) logger.warn(formatProblem(warning));

  const furtherGroups = Object.keys(config.groups).filter((name) => !demoGroups.includes(name));
  writeError(`starting a local Cognito at ${cognitoUrl} …`);
  const cognito = await startCognitoEmulator({ pool: demoPool(url, clients, furtherGroups), port: cognitoPort });
  opened.add(() => cognito.close());
  writeError(`starting the gateway at ${url} …`);
  const server = await startServer(config, { logger, audit }).catch((error: unknown) => {
    throw startFailure(error, options);
  });
  opened.add(() => server.close(deadlines.requests));
  await checkAnswers(
    {
      gateway: url,
      cognitoDiscovery: cognito.discoveryUrl,
      servers: config.servers.map(({ name }) => name),
      upstreams: demo.servers.filter((upstream) => config.servers.some((one) => one.url === upstream.url)),
    },
    signal,
  );

  const description: DevDescription = {
    gateway: url,
    issuer: config.issuer ?? url,
    cognito: {
      url: cognito.url,
      user_pool_id: cognito.userPoolId,
      client_id: clients.clientId,
      client_secret: clients.clientSecret,
    },
    users: demoUsersWith(furtherGroups).map(({ username, password, groups }) => ({ username, password, groups })),
    machine: { client_id: clients.machineId, client_secret: clients.machineSecret },
    servers: config.servers.map(({ name }) => ({ name, url: `${url}/${name}/mcp` })),
    upstreams: demo.servers.map((upstream) => ({ name: upstream.name, url: upstream.url })),
  };
  const remove = await inFolder(options.state, () => writeDescription(state.path, description));
  // Also where the process dies of something unforeseen.
  process.once("exit", remove);
  opened.add(() => {
    process.off("exit", remove);
    remove();
  });
  signal.throwIfAborted();
  return description;
}

function startFailure(error: unknown, { state, config }: DevOptions): unknown {
  // Only who changed or removed the secrets of the folder gets here.
  if (error instanceof Error && error.name === "UnreadableRecord") {
    const [store, secrets] = [join(state, "store.db"), join(state, "secrets.json")];
    return new CommandFailure(
      `${store} was written with other secrets than ${secrets} has; remove ${state} to start afresh`,
    );
  }
  return configFailure(error, config);
}

/** Does something in the state folder, and tells a failure of the system as one of the folder. */
async function inFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new CommandFailure(`the state folder ${folder} cannot be used: ${systemReason(error)}`);
  }
}
