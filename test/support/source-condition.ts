import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, onTestFinished } from "vitest";

/** Arguments with which Node resolves this workspace's packages to their source. vitest.config.ts gives the same. */
const sourceArgs: readonly string[] = ["--conditions=sallyport-source"];

export type OutputName = "stdout" | "stderr";

export interface Exit {
  /** The exit status; null where a signal ended the process. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SourceProcess {
  readonly child: ChildProcessWithoutNullStreams;
  /** Settles when the process has ended and its output is read; never rejects. */
  readonly exited: Promise<Exit>;
  /** Everything it has written so far. */
  output(name: OutputName): string;
  /**
   * The next line, past ones included, that `predicate` accepts. A line is given out once, so that the same call waits
   * for the next. Rejects with the output so far if the process ends first, or after `timeout` milliseconds
   * (default 20,000).
   */
  waitForLine(predicate: (line: string, name: OutputName) => boolean, timeout?: number): Promise<string>;
  /** Sends `signal` (default SIGTERM), and SIGKILL to it and its own children after `patience` ms (default 5,000). */
  stop(signal?: NodeJS.Signals, patience?: number): Promise<Exit>;
}

interface Line {
  readonly name: OutputName;
  readonly text: string;
  taken: boolean;
}

const running = new Set<SourceProcess>();

// Three nets, so that no child is left: the end of the test, the end of the test file, the end of this process.
afterAll(async () => {
  await Promise.all([...running].map((process) => process.stop()));
});
process.on("exit", () => {
  for (const { child } of running) killGroup(child.pid);
});

/**
 * Starts a TypeScript or JavaScript file of this workspace on the Node that runs the tests, with {@link sourceArgs}.
 * It is stopped when the running test ends; started outside a test (in a `beforeAll`), when the test file ends.
 *
 * @param file a path, or a `file:` URL
 * @param args the arguments after the file, each as it is: no shell
 * @param options.env added to this process's environment; undefined removes a name
 * @param options.nodeArgs further arguments for Node itself
 * @param options.outlivesTest it is stopped only when the test file ends, wherever it was started
 */
export function spawnSource(
  file: string | URL,
  args: readonly string[] = [],
  options: {
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string | undefined>>;
    readonly nodeArgs?: readonly string[];
    readonly outlivesTest?: boolean;
  } = {},
): SourceProcess {
  const path = typeof file === "string" ? file : fileURLToPath(file);
  const child = spawn(process.execPath, [...sourceArgs, ...(options.nodeArgs ?? []), path, ...args], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    // A process group of its own, so that its children can be ended with it.
    detached: true,
  });
  // Writing to a child that has gone is told by `exited`, not by an error of the pipe.
  child.stdin.on("error", () => {});

  const output = { stdout: "", stderr: "" };
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const look of [...waiting]) look();
  };
  const read = async (name: OutputName): Promise<void> => {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      output[name] += chunk;
    });
    for await (const text of createInterface({ input: child[name] })) {
      lines.push({ name, text, taken: false });
      wake();
    }
  };
  const outputRead = Promise.allSettled([read("stdout"), read("stderr")]);

  let exit: Exit | undefined;
  const ended = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", (error) => {
      output.stderr += `${error}\n`;
      resolve({ code: null, signal: null });
    });
  });
  const exited = (async () => {
    const how = await ended;
    // A grandchild may hold the pipes open; it shall not hold up the test.
    await Promise.race([outputRead, after(1000, undefined, { ref: false })]);
    exit = how;
    wake();
    return how;
  })();

  const waitForLine: SourceProcess["waitForLine"] = async (predicate, timeout = 20_000) => {
    const shown = (): string => `\n--- stdout\n${output.stdout}--- stderr\n${output.stderr}`;
    return await new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        waiting.delete(look);
        finish();
      };
      const look = (): void => {
        const line = lines.find(({ taken, text, name }) => !taken && predicate(text, name));
        if (line) {
          line.taken = true;
          settle(() => resolve(line.text));
        } else if (exit) {
          const how = exit.signal ?? `status ${exit.code}`;
          settle(() => reject(new Error(`${path} ended (${how}) before the expected line${shown()}`)));
        }
      };
      const timer = setTimeout(() => {
        settle(() => reject(new Error(`${path} did not write the expected line in ${timeout} ms${shown()}`)));
      }, timeout);
      waiting.add(look);
      look();
    });
  };

  const stop: SourceProcess["stop"] = async (signal = "SIGTERM", patience = 5000) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const impatient = setTimeout(() => killGroup(child.pid), patience);
    await ended;
    clearTimeout(impatient);
    killGroup(child.pid);
    running.delete(started);
    return await exited;
  };

  const started: SourceProcess = { child, exited, output: (name) => output[name], waitForLine, stop };
  running.add(started);
  if (options.outlivesTest) return started;
  try {
    onTestFinished(async () => {
      await stop();
    });
  } catch {
    // Not inside a test: the end of the file stops it.
  }
  return started;
}

/** Ends what is left of a child's process group. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in it.
  }
}
