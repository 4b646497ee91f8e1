import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../store/temporary-folder.ts";
import { type SourceProcess, spawnSource } from "./source-condition.ts";

async function script(source: string): Promise<string> {
  const path = join(await temporaryFolder(), "script.ts");
  await writeFile(path, source);
  return path;
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const left: number[] = [];
const sleeper = "setInterval(() => {}, 1000); console.log('up');";

test("a child resolves with the source condition, and gets its arguments and environment as they are", async () => {
  const child = spawnSource(
    await script(
      "const name: string = process.env['GREETING'] ?? ''; console.log(JSON.stringify([process.execArgv, process.argv.slice(2), name]))",
    ),
    ["a b", "$HOME", ""],
    { env: { GREETING: "hello" }, nodeArgs: ["--no-deprecation"] },
  );
  expect(await child.exited).toEqual({ code: 0, signal: null });
  expect(JSON.parse(child.output("stdout"))).toEqual([
    ["--conditions=sallyport-source", "--no-deprecation"],
    ["a b", "$HOME", ""],
    "hello",
  ]);
});

test("each line is given out once, late or early, with the stream it came from", async () => {
  const child = spawnSource(await script("console.log('x'); console.error('x'); console.log('x'); console.log('end')"));
  await child.waitForLine((line) => line === "end");
  await child.waitForLine((line, name) => line === "x" && name === "stderr");
  await child.waitForLine((line) => line === "x");
  await child.waitForLine((line) => line === "x");
  await expect(child.waitForLine((line) => line === "x")).rejects.toThrow(
    /ended \(status 0\) before the expected line/,
  );
});

test("waiting ends with the process, or after its time, and shows the output so far", async () => {
  const failing = spawnSource(await script("console.error('the reason'); process.exit(3)"));
  await expect(failing.waitForLine(() => false)).rejects.toThrow(/ended \(status 3\).*the reason/s);
  const silent = spawnSource(await script(sleeper));
  await expect(silent.waitForLine((line) => line === "down", 300)).rejects.toThrow(/in 300 ms/);
});

test("a file that does not exist is told by the exit, not by a hang", async () => {
  const child = spawnSource("/nowhere/at-all.ts");
  expect((await child.exited).code).toBe(1);
  child.child.stdin.write("nobody reads this");
  expect(await child.stop()).toEqual({ code: 1, signal: null });
});

test("stop sends SIGTERM and answers how the process ended", async () => {
  const child = spawnSource(await script(`process.on('SIGTERM', () => process.exit(7)); ${sleeper}`));
  await child.waitForLine((line) => line === "up");
  expect(await child.stop()).toEqual({ code: 7, signal: null });
});

test.each([
  ["will not hear", "process.on('SIGTERM', () => {});", { code: null, signal: "SIGKILL" }],
  ["ends at once", "", { code: null, signal: "SIGTERM" }],
])("stop ends a process that %s, and its own children with it", async (_, onSignal, exit) => {
  const child = spawnSource(
    await script(`
      import { spawn } from "node:child_process";
      ${onSignal}
      const own = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
      own.once("spawn", () => console.log("both up"));
    `),
  );
  await child.waitForLine((line) => line === "both up");
  expect(await child.stop("SIGTERM", 100)).toEqual(exit);
  // Its own child writes to the same pipe, which ends only when both have let go of it.
  await expect.poll(() => child.child.stdout.closed).toBe(true);
});

test("a child that a test leaves running", async () => {
  const child = spawnSource(await script(sleeper));
  await child.waitForLine((line) => line === "up");
  left.push(child.child.pid ?? 0);
});

test("is gone in the next test", () => {
  expect(left.map(alive)).toEqual([false]);
});

let shared: SourceProcess;
beforeAll(() => {
  shared = spawnSource(new URL("idle.ts", import.meta.url));
});

test.each(["one test", "the next test"])("a child started before all tests is still there in %s", () => {
  expect(alive(shared.child.pid ?? 0)).toBe(true);
});
