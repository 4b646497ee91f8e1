// A gateway in a process of its own. The first line on stdin is what to run, each further line one order; it ends in an
// orderly way when stdin closes.
import { flushCompileCache } from "node:module";
import { createInterface } from "node:readline";
import { gatewaySection } from "@sallyport/gateway";
import {
  combine,
  coreSection,
  createLogger,
  createSallyport,
  keyManagement,
  loadConfig,
  noAudit,
  openKeys,
  openStore,
  rotationPolicy,
  systemRandom,
} from "sallyport";
import { serverResources } from "../../packages/cli/src/serve/server-resources.ts";
import { startServer } from "../../packages/cli/src/serve/start-server.ts";
import { crashStore } from "./crash-store.ts";
import { answerLine, parseReplicaOrder, parseReplicaStart, type ReplicaOrder } from "./replica-orders.ts";
import { testClock } from "./test-clock.ts";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async (): Promise<string | undefined> => {
  const line = await lines.next();
  return line.done ? undefined : line.value;
};
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const { settings, clockOffset, storeClock, crash } = parseReplicaStart((await next()) ?? "");
const clock = testClock();
clock.advance(clockOffset);
const logger = createLogger({ level: "debug", clock, write: (line) => process.stderr.write(`${line}\n`) });
const { config } = await loadConfig({ schema: combine([coreSection, gatewaySection]), env: {}, overrides: settings });
const passedIn = { clock, random: systemRandom, logger };
const store = crashStore(await openStore(config.store, passedIn), crash);
// A store that is handed in says nothing of the time: a test moves these clocks, and not the store's.
const server = await startServer(config, { clock, logger, ...(storeClock ? {} : { store }) });

const resources = [...config.resources, ...serverResources(config)];

async function carryOut(order: ReplicaOrder): Promise<readonly string[]> {
  if ("advance" in order) clock.advance(order.advance);
  else if ("watch" in order) store.watch(order.watch ?? undefined);
  else if ("tell" in order) return store.noted();
  else if ("rotate" in order) {
    const keys = await openKeys(config, { clock });
    const policy = rotationPolicy({ ...config, resources });
    await keyManagement({ ...passedIn, store, keys, policy, audit: noAudit }).rotate(order.rotate);
  } else {
    const auth = await createSallyport({ ...config, resources }, storeClock ? passedIn : { ...passedIn, store });
    await auth.endGrants({ user: order.endGrantsOf });
    if (storeClock) await auth.close();
  }
  return [];
}

say(`ready ${server.port}`);
// Whoever is killed writes no cache at its end, and the next one shall start as quickly as may be.
flushCompileCache();
for (let line = await next(); line !== undefined; line = await next()) {
  say(answerLine(await carryOut(parseReplicaOrder(line))));
}
await server.close();
await store.close();
