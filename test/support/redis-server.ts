import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "vitest";
import { freePort } from "./free-port.ts";

/** Where the set-up step found it. */
export const redisProgram = process.env.SALLYPORT_TEST_REDIS ?? "/usr/bin/redis-server";

/** A redis-server of the tests' own: nothing is kept on disk. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  readonly process: ChildProcess;
  close(): Promise<void>;
}

/** Suites that need a redis-server. Skipped where there is none, but never under CI: the set-up step installs it. */
export const describeWithRedis: typeof describe.skip =
  existsSync(redisProgram) || process.env.CI ? describe : describe.skip;

/** @param args further arguments, such as `--cluster-enabled yes` */
export async function startRedis(args: readonly string[] = [], givenPort?: number): Promise<RedisServer> {
  const port = givenPort ?? (await freePort());
  const folder = await mkdtemp(join(tmpdir(), "sallyport-redis-"));
  const base = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"];
  const child = spawn(redisProgram, [...base, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let seen = "";
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`redis-server ended with ${code}: ${seen}`)));
    child.stdout?.on("data", (chunk: Buffer) => {
      seen += chunk.toString();
      if (/Ready to accept connections/.test(seen)) resolve();
    });
  });
  return {
    port,
    url: `redis://127.0.0.1:${port}/0`,
    process: child,
    async close() {
      child.kill("SIGKILL");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
