import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const launcher = fileURLToPath(new URL("../../packages/cli/bin/sallyport.js", import.meta.url));

/** Without configuration: not even the variables of this process. */
function run(file: string, args: readonly string[]) {
  const before = performance.now();
  const env = { PATH: process.env.PATH, HOME: process.env.HOME };
  const { status, stdout, stderr } = spawnSync(file, args, { cwd: checkout, env, encoding: "utf8" });
  return { status, stdout, stderr, took: performance.now() - before };
}
const sallyport = (...args: readonly string[]) => run(process.execPath, [launcher, ...args]);

test.each([
  { args: ["--help"], shows: ["dev", "serve", "config"] },
  {
    args: ["dev", "--help"],
    shows: ["--port", "8000", "--cognito-port", "9229", "--state", ".sallyport", "--ephemeral"],
  },
  { args: ["serve", "--help"], shows: ["--config", "--audit", "SALLYPORT_SECRET"] },
  { args: ["secret", "--help"], shows: ["--stdin", "--json", "secret_hashes"] },
  { args: ["config", "--help"], shows: ["check", "show"] },
  { args: ["config", "check", "--help"], shows: ["--config"] },
  { args: ["config", "show", "--help"], shows: ["--config", "--json"] },
  { args: ["grants", "--help"], shows: ["end"] },
  { args: ["grants", "end", "--help"], shows: ["--all", "--user", "--client", "--config", "--audit"] },
  { args: ["keys", "status", "--help"], shows: ["--config", "--json"] },
  { args: ["keys", "rotate", "--help"], shows: ["--config", "--now", "--keep", "--audit", "keys.publish_before"] },
  { args: ["policy", "--help"], shows: ["explain", "matrix", "test", "import"] },
  { args: ["policy", "explain", "--help"], shows: ["--tool", "--user", "--group", "--claim", "--machine", "--token"] },
  { args: ["policy", "matrix", "--help"], shows: ["--live", "--json", "--csv", "--config"] },
  { args: ["audit", "verify", "--help"], shows: ["--config", "--state", "--expect", "--json", "SALLYPORT_SECRET"] },
  { args: ["policy", "import", "--help"], shows: ["<file>", "--server"] },
  { args: ["help", "dev"], shows: ["--ephemeral"] },
])("sallyport $args answers with status 0 in under a second", ({ args, shows }) => {
  // Other tests run beside this one: the best of a few runs tells what the command itself takes.
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5 && best >= 1000; round += 1) {
    const { status, stdout, stderr, took } = sallyport(...args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const text of shows) expect(stdout).toContain(text);
    best = Math.min(best, took);
  }
  expect(best).toBeLessThan(1000);
});

test("npx finds it in the checkout", () => {
  const { version } = JSON.parse(readFileSync(new URL("../../packages/cli/package.json", import.meta.url), "utf8"));
  const { status, stdout } = run("npx", ["--no-install", "sallyport", "--version"]);
  expect({ status, stdout }).toEqual({ status: 0, stdout: `${version}\n` });
});

describe("wrong usage is told in one line", () => {
  test.each([
    [["frobnicate"], "sallyport: unknown command 'frobnicate'; see --help\n"],
    [["config", "frobnicate"], "sallyport: unknown command 'frobnicate'; see --help\n"],
    [["dev", "--prot", "1"], "sallyport: unknown option '--prot' (Did you mean --port?); see --help\n"],
    [["dev", "extra"], "sallyport: too many arguments for 'dev'. Expected 0 arguments but got 1; see --help\n"],
    [
      ["dev", "--port", "0"],
      "sallyport: option '--port <port>' argument '0' is invalid. It must be a number from 1 to 65535; see --help\n",
    ],
    [["serve", "--config"], "sallyport: option '--config <file>' argument missing; see --help\n"],
  ])("%j", (args, message) => {
    const { status, stdout, stderr } = sallyport(...args);
    expect({ status, stdout, stderr }).toEqual({ status: 1, stdout: "", stderr: message });
  });
});
