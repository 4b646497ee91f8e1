// Builds dist/ of every package with tsc, in the order of their dependencies.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";

for (const name of ["core", "emulator", "gateway", "cli"]) {
  rmSync(`packages/${name}/dist`, { recursive: true, force: true });
  const { status } = spawnSync("node_modules/.bin/tsc", ["-p", `packages/${name}/tsconfig.build.json`], {
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}
