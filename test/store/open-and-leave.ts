// Opens the store named by its first argument, and leaves it open. With "warn", loading node:sqlite first warns as
// Node 22 does, so that the filter meets that warning on every Node.
import { silentLogger, systemClock, systemRandom } from "../../packages/core/src/runtime/index.ts";
import { openStore } from "../../packages/core/src/store/index.ts";

const [path = "", mode] = process.argv.slice(2);

if (mode === "warn") {
  const load = process.getBuiltinModule.bind(process);
  const getBuiltinModule = (id: string): object | undefined => {
    process.emitWarning("SQLite is an experimental feature and might change at any time", "ExperimentalWarning");
    process.emitWarning("Another thing is an experimental feature", "ExperimentalWarning");
    process.emitWarning("SQLite is an experimental feature and might change at any time");
    return load(id);
  };
  Object.assign(process, { getBuiltinModule });
}

const loaded = (): boolean => {
  const modules: unknown = Reflect.get(process, "moduleLoadList");
  return Array.isArray(modules) && modules.includes("NativeModule sqlite");
};

const before = loaded();
const store = await openStore(`sqlite:${path}`, { clock: systemClock, random: systemRandom, logger: silentLogger });
await store.put("a", "1", { ttl: 60_000 });
process.stdout.write(`sqlite loaded with the library: ${before}, with the store: ${loaded()}\n`);
if (mode === "warn") process.emitWarning("SQLite is an experimental feature, said later", "ExperimentalWarning");
