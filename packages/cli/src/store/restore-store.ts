import { createLogger, openKeys, restoreSqliteStore, systemClock, systemRandom } from "sallyport";
import { openAudit } from "../audit/open-audit.ts";
import { CommandFailure, errorCode, systemReason } from "../process/failure.ts";
import { writeError, writeLine } from "../process/output.ts";
import { readSettings } from "./read-settings.ts";
import { requireSqlite } from "./sqlite-path.ts";

/** Options of `sallyport store restore`. */
export interface RestoreOptions {
  readonly config?: string;
  readonly audit?: string;
}

/**
 * `sallyport store restore FILE`: puts the store back to a backup, while servers run or not.
 * @returns the exit status
 * @throws CommandFailure for settings or a store that cannot be used, and for a backup that is none or cannot be read
 */
export async function restoreStore(backup: string, options: RestoreOptions): Promise<number> {
  const config = await readSettings({ config: options.config, sealed: true });
  const path = requireSqlite(config.store);
  const logger = createLogger({ level: "warn", format: config.logFormat, write: writeError });
  const keys = await openKeys(config, { clock: systemClock });
  const deps = { keys, clock: systemClock, random: systemRandom, logger };
  const audit = await openAudit(options.audit, { secret: config.secret, logger });
  try {
    const { restored, kept } = await restoreSqliteStore({ ...deps, path, backup });
    audit.write({ time: new Date(systemClock.now()).toISOString(), action: "store.restored" });
    tell(restored, kept);
    return 0;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new CommandFailure(`cannot read ${backup}: ${systemReason(error)}`);
  } finally {
    await audit.close();
  }
}

function tell(restored: number, kept: number): void {
  writeLine(`restored ${restored} records; ${kept} stay as they are now (kill switches, signing keys, what has ended)`);
  writeLine("Sign-ins and registrations of after the backup are gone; whoever refreshed since then signs in again.");
  writeLine(
    "A sign-in that was ended after the backup and forgotten here, an hour later, counts again: if that must not",
  );
  writeLine("be, run `sallyport grants end --all`. Running servers go on; they know within the check interval.");
}
