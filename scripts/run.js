// What the npm scripts run, in plain JavaScript for the machine's own Node: sets up what is missing, then goes on with
// the checkout's Node 24.
import { fileURLToPath } from "node:url";
import { launch, runChild } from "../packages/cli/bin/launch.js";

import { setUpPackages } from "./set-up-packages.js";
import { setUpPrograms } from "./set-up-programs.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const node = `${root}node_modules/node/bin/node`;
const [task, ...args] = process.argv.slice(2);

const onNode = (...rest) => runChild(node, ["--conditions=sallyport-source", ...rest]);

const tasks = {
  start: () => launch(["dev", ...args]),
  test: async () => {
    if (!setUpPrograms("test")) return 1;
    return onNode(`${root}node_modules/vitest/vitest.mjs`, "run", ...args);
  },
  check: () => onNode(`${root}scripts/check.ts`, ...args),
  bench: () => {
    if ((args[0] ?? "gateway") === "gateway" && !setUpPrograms("bench")) return 1;
    return onNode(`${root}bench/main.ts`, ...args);
  },
  build: () => onNode(`${root}scripts/build.ts`, ...args),
};

const run = tasks[task];
if (!run) throw new Error(`no such task: ${task}`);
process.chdir(root);

// A signal is passed on to whatever runs, and nothing more is begun.
let stopped = false;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    stopped = true;
  });
}
const ready = await setUpPackages(root);
const interrupted = 143;
const status = stopped ? interrupted : ready ? await run() : 1;
// A server that was told to end while it had hardly begun has done as it was told, like one that was ready.
process.exitCode = task === "start" && stopped && status >= 128 ? 0 : status;
