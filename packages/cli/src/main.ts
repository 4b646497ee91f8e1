import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CommanderError } from "commander";
import { failureLines } from "./process/failure.ts";
import { tolerateClosedOutput, writeError } from "./process/output.ts";
import { createProgram } from "./program.ts";

/**
 * Runs the command line until the command is done, or for a server until it is stopped.
 * @param args without the program's name
 * @returns the exit status: 0, or 1 for a failure or wrong usage, told on stderr
 */
export async function main(args: readonly string[]): Promise<number> {
  tolerateClosedOutput();
  let status = 0;
  const program = createProgram((result) => {
    status = result;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    // Commander has already written what there is to say.
    if (error instanceof CommanderError) return error.exitCode;
    for (const line of failureLines(error)) writeError(`sallyport: ${line}`);
    return 1;
  }
}

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2));
}
