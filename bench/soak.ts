import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Suites that do in `npm test` only a part of what they can. */
const suites = ["test/races", "test/crashes", "test/outages"];

/** Runs those suites in full: every round of every race, and a death at every operation. Fails if one of them fails. */
export async function soak(): Promise<void> {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const vitest = `${root}node_modules/vitest/vitest.mjs`;
  const child = spawn(process.execPath, ["--conditions=sallyport-source", vitest, "run", ...suites], {
    cwd: root,
    env: { ...process.env, SALLYPORT_TEST_SOAK: "1" },
    stdio: "inherit",
  });
  const status = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
  if (status !== 0) process.exitCode = status;
}
