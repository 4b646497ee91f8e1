import { resealRecords } from "sallyport";
import { writeError, writeLine } from "../process/output.ts";
import { withStore } from "../store/with-store.ts";

/**
 * `sallyport keys reseal`: seals every record under the active key-encryption key, while servers run or not.
 * @returns the exit status: 1 if a record cannot be read
 * @throws CommandFailure for settings or a store that cannot be used
 */
export async function resealKeys(options: { readonly config?: string; readonly json?: boolean }): Promise<number> {
  return withStore({ config: options.config, memory: "its records are gone with a restart" }, async (opened) => {
    const { resealed, current, unreadable } = await resealRecords(opened);
    if (options.json) writeLine(JSON.stringify({ resealed, current, unreadable }, null, 2));
    else writeLine(`sealed anew: ${resealed}; under the active key before: ${current}`);
    if (unreadable === 0) return 0;
    writeError(
      `sallyport: ${unreadable} records cannot be read and stay as they are; \`sallyport store check\` names them`,
    );
    return 1;
  });
}
