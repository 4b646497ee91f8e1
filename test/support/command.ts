import { realpathSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, onTestFinished } from "vitest";
import { type Exit, type SourceProcess, spawnSource } from "./source-condition.ts";

const entry = new URL("../../packages/cli/src/main.ts", import.meta.url);
const checkout = new URL("../..", import.meta.url).pathname;

type Environment = Readonly<Record<string, string | undefined>>;

/** This process's settings for a gateway, if it has any, must not reach the command. */
const noSettings: Environment = Object.fromEntries(
  Object.keys(process.env)
    .filter((name) => /^(?:COGNITO_|FASTMCP_|SALLYPORT_(?!TEST_))/.test(name))
    .map((name) => [name, undefined]),
);

/** Starts the command `sallyport` from source, in a process of its own. */
export const startCommand = (
  args: readonly string[],
  options: { readonly env?: Environment; readonly cwd?: string } = {},
): SourceProcess =>
  spawnSource(entry, args, { ...options, env: { ...noSettings, NO_COLOR: undefined, ...options.env } });

/** Starts `npm start -- args` in the checkout, as its user would. */
export const startNpm = (args: readonly string[], options: { readonly env?: Environment } = {}): SourceProcess =>
  spawnSource(npmFile(), ["start", "--", ...args], { cwd: checkout, env: { ...noSettings, ...options.env } });

/** What a command said until it ended. */
export interface Outcome extends Exit {
  readonly stdout: string;
  /** Lines of stderr. */
  readonly lines: readonly string[];
}

/** Runs the command `sallyport` until it ends by itself. */
export async function runCommand(...args: Parameters<typeof startCommand>): Promise<Outcome> {
  const command = startCommand(...args);
  const exit = await command.exited;
  const lines = command
    .output("stderr")
    .split("\n")
    .filter((line) => line !== "");
  return { ...exit, stdout: command.output("stdout"), lines };
}

/** Waits for the line that says that everything answers. */
export const ready = (command: SourceProcess): Promise<string> =>
  command.waitForLine((line, name) => name === "stdout" && line.startsWith("ready "));

/** A folder that goes when the running test ends, or outside one (in a `beforeAll`) when the test file ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-cli-"));
  try {
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
  } catch {
    folders.push(folder);
  }
  return folder;
}

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** Whether somebody listens on a port of this machine. */
export const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });

/** Whether a process of the group is left. */
export function groupLives(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(-pid, 0);
  } catch {
    return false;
  }
}

function npmFile(): string {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    try {
      return realpathSync(join(folder, "npm"));
    } catch {
      // Not in this folder.
    }
  }
  throw new Error("there is no npm in PATH");
}
