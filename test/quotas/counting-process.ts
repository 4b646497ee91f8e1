// One replica as far as counting goes: opens the store named by its argument, says "ready", and for each order, a line
// of JSON, takes as often as it says and answers how many passed and how many had to wait for the store.
import { createInterface } from "node:readline";
import { setImmediate } from "node:timers/promises";
import { deriveRootKeys, openStore, sharedCounts, silentLogger, systemClock, systemRandom } from "sallyport";
import { z } from "zod";

const orders = z.object({
  /** When to begin, milliseconds since the Unix epoch. */
  at: z.number(),
  id: z.string(),
  limit: z.number(),
  times: z.number(),
  /** So many at once, before it looks what became of them. */
  burst: z.number(),
});

const [url = ""] = process.argv.slice(2);
const store = await openStore(url, { clock: systemClock, random: systemRandom, logger: silentLogger });
const counts = sharedCounts({ store, keys: deriveRootKeys(["x".repeat(43)]), clock: systemClock });
process.stdout.write("ready\n");

for await (const line of createInterface({ input: process.stdin })) {
  const { at, id, limit, times, burst } = orders.parse(JSON.parse(line));
  const rule = { label: "test", limit, window: 3_600_000 };
  let [passed, waited] = [0, 0];
  while (Date.now() < at);
  for (let n = 0; n < times; n += burst) {
    const taken = Array.from({ length: burst }, () => counts.take(rule, id));
    waited += taken.filter((one) => one instanceof Promise).length;
    for (const { ok } of await Promise.all(taken.map(async (one) => one))) passed += ok ? 1 : 0;
    await setImmediate();
  }
  process.stdout.write(`${JSON.stringify({ passed, waited })}\n`);
}
await store.close();
