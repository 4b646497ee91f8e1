// Opens the store named by its first argument, writes one entry and says whether that worked. A process of its own, since
// Node reads at its start which authorities it trusts besides its own (NODE_EXTRA_CA_CERTS).
import { silentLogger, systemClock, systemRandom } from "../../packages/core/src/runtime/index.ts";
import { openStore } from "../../packages/core/src/store/index.ts";

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
try {
  const store = await openStore(process.argv[2] ?? "", deps);
  const written = await store.put("a", "1", { ttl: 60_000 });
  await store.close();
  process.stdout.write(written ? "written" : "not written");
} catch (error) {
  process.stdout.write(error instanceof Error ? error.message : "failed");
}
