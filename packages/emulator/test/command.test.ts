import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfigFile, startCognitoEmulator } from "../src/index.ts";

const launcher = fileURLToPath(new URL("../bin/cognito-emulator.js", import.meta.url));
const readme = fileURLToPath(new URL("../README.md", import.meta.url));

let folder: string;
let config: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cognito-emulator-"));
  config = join(folder, "pool.toml");
  const [, toml = ""] = /```toml\n([\s\S]*?)```/.exec(await readFile(readme, "utf8")) ?? [];
  await writeFile(config, toml);
});
afterAll(() => rm(folder, { recursive: true }));

function run(...args: string[]) {
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (data: Buffer) => (output.stdout += data.toString()));
  child.stderr.on("data", (data: Buffer) => (output.stderr += data.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, output, ended };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => child.stdout?.once("data", (data: Buffer) => resolve(data.toString())));
}

test("the README's file starts it; SIGTERM ends it with status 0", async () => {
  const { child, output, ended } = run("--config", config, "--port", "0");
  const [, url = ""] = /^ready (http:\/\/localhost:\d+)\n$/.exec(await firstLine(child)) ?? [];
  const discovery = await fetch(`${url}/us-east-1_AbCdEfGhI/.well-known/openid-configuration`);
  expect(await discovery.json()).toMatchObject({ issuer: `${url}/us-east-1_AbCdEfGhI` });
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(output.stderr).toContain("discovery");
});

test("--help, --version and wrong usage need no configuration", async () => {
  const rows: [string[], number, RegExp][] = [
    [["--help"], 0, /Usage: cognito-emulator/],
    [["--version"], 0, /^\d+\.\d+\.\d+\n$/],
    [[], 2, /--config FILE is needed/],
    [["--nonsense"], 2, /--nonsense/],
    [["--config", config, "--port", "x"], 2, /--port must be a number/],
    [["--config", join(folder, "none.toml")], 1, /it cannot be read/],
  ];
  for (const [args, status, text] of rows) {
    const { output, ended } = run(...args);
    expect([args, await ended]).toEqual([args, status]);
    expect(output.stdout + output.stderr).toMatch(text);
  }
});

test("a taken port is one line and status 1", async () => {
  const { pool } = await loadConfigFile(config);
  const first = await startCognitoEmulator({ port: 0, pool });
  const { output, ended } = run("--config", config, "--port", String(first.port));
  expect(await ended).toBe(1);
  expect(output.stderr).toMatch(/^cognito-emulator: .* the port is taken\n$/);
  await first.close();
});

test("the README's example does what it says", async () => {
  const [, example = ""] = /```ts\n([\s\S]*?)```/.exec(await readFile(readme, "utf8")) ?? [];
  const index = new URL("../src/index.ts", import.meta.url).href;
  const file = join(folder, "example.ts");
  const text = example.replace('"@sallyport/cognito-emulator"', JSON.stringify(index));
  await writeFile(file, `${text}\nconsole.log(Object.keys(await answer.json()).join());\n`);
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
  expect(await firstLine(child)).toBe("access_token,expires_in,token_type\n");
});
