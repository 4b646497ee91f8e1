import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { ConfigError } from "./config/config-error.ts";
import { loadConfigFile } from "./config/load-config-file.ts";
import type { Logger } from "./runtime.ts";
import { startCognitoEmulator } from "./start-cognito-emulator.ts";

/** What the command needs of the process that runs it. */
export interface CommandIo {
  readonly stdout: (line: string) => void;
  readonly stderr: (line: string) => void;
  /** Resolves when the command is to end, e.g. at SIGINT. */
  readonly stopped: Promise<void>;
}

const help = `cognito-emulator: a local Amazon Cognito user pool, for development and tests.

Usage: cognito-emulator --config FILE [options]

  --config FILE   the user pool, TOML or JSON (see the README of the package)
  --port PORT     where to listen; default: port of the file, else 9229; 0 takes any
  --verbose       log each request that was refused, with the reason
  --help          this text
  --version       the version

All state is in memory and ends with the command.`;

/**
 * Runs the command until it is stopped.
 * @param args without the program's name
 * @returns the exit status: 0, 1 for a failure, 2 for wrong usage
 */
export async function runCommand(args: readonly string[], io: CommandIo): Promise<number> {
  const options = readArguments(args);
  if (typeof options === "string") {
    io.stderr(`cognito-emulator: ${options} (see cognito-emulator --help)`);
    return 2;
  }
  if (options.help) {
    io.stdout(help);
    return 0;
  }
  if (options.version) {
    io.stdout(await version());
    return 0;
  }
  try {
    const file = await loadConfigFile(options.config);
    const logger = options.verbose ? lineLogger(io.stderr) : undefined;
    const emulator = await startCognitoEmulator({ ...file, port: options.port ?? file.port, logger });
    io.stderr(`issuer     ${emulator.issuer}`);
    io.stderr(`discovery  ${emulator.discoveryUrl}`);
    io.stderr(`users      ${emulator.pool.users().length}, clients ${emulator.pool.clients().length}`);
    io.stdout(`ready ${emulator.url}`);
    await io.stopped;
    await emulator.close();
    return 0;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    io.stderr(error instanceof ConfigError ? error.message : `cognito-emulator: ${error.message}`);
    return 1;
  }
}

type Arguments =
  | { help: true; version: boolean }
  | { help: false; version: true }
  | { help: false; version: false; config: string; port: number | undefined; verbose: boolean };

function readArguments(args: readonly string[]): Arguments | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        config: { type: "string" },
        port: { type: "string" },
        verbose: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
        version: { type: "boolean", default: false },
      },
    });
    if (values.help) return { help: true, version: false };
    if (values.version) return { help: false, version: true };
    if (values.config === undefined) return "--config FILE is needed";
    if (values.port !== undefined && !(/^\d{1,5}$/.test(values.port) && Number(values.port) <= 65_535)) {
      return "--port must be a number from 0 to 65535";
    }
    const port = values.port === undefined ? undefined : Number(values.port);
    return { help: false, version: false, config: values.config, port, verbose: values.verbose };
  } catch (error) {
    return error instanceof Error ? error.message : "the options cannot be read";
  }
}

async function version(): Promise<string> {
  const text = await readFile(new URL("../package.json", import.meta.url), "utf8");
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

function lineLogger(write: (line: string) => void): Logger {
  const log =
    (level: string): Logger["info"] =>
    (message, fields = {}) => {
      const rest = Object.entries(fields).flatMap(([name, value]) =>
        value === undefined ? [] : [` ${name}=${JSON.stringify(value)}`],
      );
      write(`${level} ${message}${rest.join("")}`);
    };
  return { debug: () => {}, info: log("info"), warn: log("warn"), error: log("error") };
}
