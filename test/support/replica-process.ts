// A gateway in a process of its own. The first line on stdin is what to run, each further line one order; it ends in an
// orderly way when stdin closes.
import { createInterface } from "node:readline";
import { gatewaySection } from "@sallyport/gateway";
import { combine, coreSection, createLogger, loadConfig } from "sallyport";
import { startServer } from "../../packages/cli/src/serve/start-server.ts";
import { parseReplicaOrder, parseReplicaStart } from "./replica-orders.ts";
import { testClock } from "./test-clock.ts";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async (): Promise<string | undefined> => {
  const line = await lines.next();
  return line.done ? undefined : line.value;
};
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const { settings, clockOffset } = parseReplicaStart((await next()) ?? "");
const clock = testClock();
clock.advance(clockOffset);
const logger = createLogger({ level: "debug", clock, write: (line) => process.stderr.write(`${line}\n`) });
const { config } = await loadConfig({ schema: combine([coreSection, gatewaySection]), env: {}, overrides: settings });
const server = await startServer(config, { clock, logger });
say(`ready ${server.port}`);
for (let line = await next(); line !== undefined; line = await next()) {
  clock.advance(parseReplicaOrder(line).advance);
  say("advanced");
}
await server.close();
