import { access, constants, mkdir, rmdir } from "node:fs/promises";
import { resolve } from "node:path";
import { CommandFailure, systemReason } from "../process/failure.ts";

/**
 * Makes the state folder (0700) if it is missing.
 * @returns its absolute path, and how to take it away again if it was made now and is empty
 * @throws CommandFailure if it cannot be made or written to
 */
export async function openStateFolder(
  folder: string,
): Promise<{ readonly path: string; readonly removeIfEmpty: () => Promise<void> }> {
  const path = resolve(folder);
  let made: string | undefined;
  try {
    made = await mkdir(path, { recursive: true, mode: 0o700 });
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new CommandFailure(
      `the state folder ${folder} cannot be used: ${systemReason(error)}; choose another with --state`,
    );
  }
  return {
    path,
    removeIfEmpty: async () => {
      // With something in it, it stays.
      if (made !== undefined) await rmdir(path).catch(() => {});
    },
  };
}
