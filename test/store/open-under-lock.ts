// Opens the store named by its first argument while somebody else has its file locked. Says so at the first wait, and
// when it is open. Its monotonic clock stands still, so that patience is not what ends the wait.
import { silentLogger, systemClock, systemRandom } from "../../packages/core/src/runtime/index.ts";
import { sqliteStore } from "../../packages/core/src/store/index.ts";

const [path = ""] = process.argv.slice(2);
let waited = false;
const clock: typeof systemClock = {
  ...systemClock,
  monotonic: () => 0,
  sleep: (ms, signal) => {
    if (!waited) process.stdout.write("waits\n");
    waited = true;
    return systemClock.sleep(ms, signal);
  },
};
const store = await sqliteStore({ path, clock, random: systemRandom, logger: silentLogger, busyTimeout: 20 });
process.stdout.write("open\n");
await store.close();
