// `npm run check`: everything that can be told without running the code. All of it is run, then all failures are named.
import { spawnSync } from "node:child_process";

const bin = (name: string): string => `node_modules/.bin/${name}`;
const steps: readonly (readonly [string, readonly string[]])[] = [
  ["types", [bin("tsc"), "-p", "tsconfig.json"]],
  ["format and lint", [bin("biome"), "check", "--error-on-warnings", "."]],
  ["floating promises", [bin("oxlint"), "--type-aware", "packages", "test", "bench", "scripts"]],
  ["import directions", [process.execPath, "scripts/check-imports.ts"]],
  ["unused exports and dependencies", [bin("knip")]],
  [
    "settings reference",
    [process.execPath, "--conditions=sallyport-source", "scripts/generate-reference.ts", "--check"],
  ],
  ["conformance page", [process.execPath, "scripts/generate-conformance.ts", "--check"]],
  ["build", [process.execPath, "--conditions=sallyport-source", "scripts/build.ts"]],
  ...["core", "emulator", "gateway", "cli"].map(
    (name) => [`package shape: ${name}`, [bin("publint"), "--strict", `packages/${name}`]] as const,
  ),
];

const failed = steps.filter(([name, [file = "", ...args]]) => {
  const started = Date.now();
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: "utf8" });
  const ok = status === 0;
  console.log(`${ok ? "ok  " : "FAIL"} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (!ok) console.log(`${stdout}${stderr}`);
  return !ok;
});
process.exitCode = failed.length === 0 ? 0 : 1;
