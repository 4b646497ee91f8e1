// One process of a race: opens the store named by its argument, says "ready", then answers each order, a line of JSON,
// with a line of JSON.
import { createInterface } from "node:readline";
import { silentLogger, systemClock, systemRandom } from "../../packages/core/src/runtime/index.ts";
import { openStore } from "../../packages/core/src/store/index.ts";
import { parseOrder, perform } from "./race-orders.ts";

const [url = ""] = process.argv.slice(2);
const store = await openStore(url, { clock: systemClock, random: systemRandom, logger: silentLogger });
process.stdout.write("ready\n");

for await (const line of createInterface({ input: process.stdin })) {
  const order = parseOrder(line);
  // All contenders begin at one moment of the wall clock, not when the pipe happens to deliver.
  while (Date.now() < order.at);
  process.stdout.write(`${JSON.stringify(await perform(store, order))}\n`);
}
await store.close();
