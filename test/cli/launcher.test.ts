import { spawnSync } from "node:child_process";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/command.ts";

const bin = fileURLToPath(new URL("../../packages/cli/bin", import.meta.url));

/** A package as it is installed from the registry, without source, with a command of our own making. */
async function installed(main: string): Promise<string> {
  const folder = await temporaryFolder();
  await cp(bin, join(folder, "bin"), { recursive: true });
  await mkdir(join(folder, "dist"));
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  await writeFile(join(folder, "dist", "main.js"), main);
  return join(folder, "bin", "sallyport.js");
}

/** The same beside its source, which then is what runs, in a process of its own. */
async function checkedOut(main: string): Promise<string> {
  const file = await installed("throw new Error('built')");
  const source = join(file, "..", "..", "src");
  await mkdir(source);
  await writeFile(join(source, "main.ts"), main);
  return file;
}

const run = (file: string, ...args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
};

test("the built command runs in the launcher's process, with its arguments and its exit status", async () => {
  const file = await installed(
    "export const main = async (args) => { process.stdout.write(JSON.stringify([args, process.argv[1]])); return 3; };",
  );
  expect(run(file, "a", "--b")).toEqual({ status: 3, stdout: JSON.stringify([["a", "--b"], file]), stderr: "" });
});

test("source, where it is there, runs instead", async () => {
  const file = await checkedOut(
    "const args: readonly string[] = process.argv.slice(2); process.stdout.write(args.join()); process.exitCode = 4;",
  );
  expect(run(file, "a", "--b")).toEqual({ status: 4, stdout: "a,--b", stderr: "" });
});

test("a command that a signal ended has the status that shells give", async () => {
  const file = await checkedOut('process.kill(process.pid, "SIGKILL"); setTimeout(() => {}, 10_000);');
  expect(run(file).status).toBe(137);
});

test("a command that cannot be loaded is told in one line", async () => {
  const file = await installed("throw new Error('broken');");
  expect(run(file)).toEqual({ status: 1, stdout: "", stderr: "sallyport: broken\n" });
});
