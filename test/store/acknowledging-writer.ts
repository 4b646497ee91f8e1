// Writes without end to the store named by its first argument, under keys that begin with the second, and says the number of each round when all of it was answered.
import { writeSync } from "node:fs";
import { silentLogger, systemClock, systemRandom } from "../../packages/core/src/runtime/index.ts";
import { openStore } from "../../packages/core/src/store/index.ts";

const [url = "", name = ""] = process.argv.slice(2);
const store = await openStore(url, { clock: systemClock, random: systemRandom, logger: silentLogger });
const ttl = 600_000;

for (let round = 0; ; round += 1) {
  await store.put(`${name} grant ${round}`, "code issued", { ttl, index: { user: "u" } });
  const entry = await store.get(`${name} grant ${round}`);
  await store.swap(`${name} grant ${round}`, entry?.version ?? "", "live", { ttl, index: { user: "u" } });
  await store.put(`${name} transaction ${round}`, "open", { ttl });
  await store.take(`${name} transaction ${round}`);
  await store.count(name, 1, { ttl });
  // Straight to the descriptor: what this process still buffers when it is killed was not said.
  writeSync(1, `${round}\n`);
}
