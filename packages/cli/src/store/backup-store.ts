import { backupSqlite, createLogger, systemClock, systemRandom } from "sallyport";
import { CommandFailure, errorCode, systemReason } from "../process/failure.ts";
import { writeError, writeLine } from "../process/output.ts";
import { readSettings } from "./read-settings.ts";
import { requireSharedStore } from "./require-shared-store.ts";
import { requireSqlite } from "./sqlite-path.ts";

/**
 * `sallyport store backup FILE`: the store as it is at this moment, while servers run.
 * @returns the exit status
 * @throws CommandFailure for settings or a store that cannot be used, and for a file that is there or cannot be written
 */
export async function backupStore(target: string, options: { readonly config?: string }): Promise<number> {
  const { store, logFormat } = await readSettings({ config: options.config, sealed: false });
  const path = requireSqlite(store);
  requireSharedStore(store, "");
  const logger = createLogger({ level: "warn", format: logFormat, write: writeError });
  const size = await backupSqlite({ path, target, clock: systemClock, random: systemRandom, logger }).catch(
    (error: unknown) => {
      if (errorCode(error) === undefined) throw error;
      const reason =
        errorCode(error) === "EEXIST" ? "it is there already, and is not overwritten" : systemReason(error);
      throw new CommandFailure(`cannot write ${target}: ${reason}`);
    },
  );
  writeLine(`wrote ${target} (${size} bytes), for its owner only`);
  writeLine(
    "It opens with the root secrets of this moment (and with AWS KMS, where that is set): keep those elsewhere.",
  );
  return 0;
}
