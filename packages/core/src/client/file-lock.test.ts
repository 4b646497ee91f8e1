import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemClock } from "../runtime/index.ts";
import { lockFile } from "./file-lock.ts";

const freshPath = () => join(mkdtempSync(join(tmpdir(), "sallyport-lock-")), "lock");

it("has one holder at a time, also within a process, and gives up in time", async () => {
  const path = freshPath();
  const unlock = await lockFile(path, systemClock, 1_000);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await expect(lockFile(path, systemClock, 50)).rejects.toThrow(path);
  const waiting = lockFile(path, systemClock, 5_000);
  unlock();
  unlock();
  const second = await waiting;
  await expect(lockFile(path, systemClock, 0)).rejects.toThrow(path);
  second();
});

it("ends with a process that is killed", async () => {
  const path = freshPath();
  const script = `
    import { systemClock } from ${JSON.stringify(new URL("../runtime/index.ts", import.meta.url).href)};
    import { lockFile } from ${JSON.stringify(new URL("file-lock.ts", import.meta.url).href)};
    await lockFile(${JSON.stringify(path)}, systemClock, 1000);
    process.stdout.write("held");
    process.stdin.resume();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  await expect(lockFile(path, systemClock, 0)).rejects.toThrow(path);
  child.kill("SIGKILL");
  await once(child, "exit");
  (await lockFile(path, systemClock, 1_000))();
});
