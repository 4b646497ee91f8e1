import { resealRecords } from "sallyport";
import { openAudit } from "../audit/open-audit.ts";
import { writeError, writeLine } from "../process/output.ts";
import { withStore } from "../store/with-store.ts";

/** Options of `sallyport keys reseal`. */
export interface ResealOptions {
  readonly config?: string;
  readonly audit?: string;
  readonly json?: boolean;
}

/**
 * `sallyport keys reseal`: seals every record under the active key-encryption key, while servers run or not.
 * @returns the exit status: 1 if a record cannot be read
 * @throws CommandFailure for settings or a store that cannot be used
 */
export async function resealKeys(options: ResealOptions): Promise<number> {
  return withStore({ config: options.config, memory: "its records are gone with a restart" }, async (opened) => {
    const audit = await openAudit(options.audit, { secret: opened.config.secret, logger: opened.logger });
    const { resealed, current, unreadable } = await resealRecords(opened).finally(() => {
      // Also of a run that broke off: what it sealed until then stays so.
      audit.write({
        time: new Date(opened.clock.now()).toISOString(),
        action: "records.resealed",
        key: opened.keys.dataKeys.activeKid,
      });
      return audit.close();
    });
    if (options.json) writeLine(JSON.stringify({ resealed, current, unreadable }, null, 2));
    else writeLine(`sealed anew: ${resealed}; under the active key before: ${current}`);
    if (unreadable === 0) return 0;
    writeError(
      `sallyport: ${unreadable} records cannot be read and stay as they are; \`sallyport store check\` names them`,
    );
    return 1;
  });
}
