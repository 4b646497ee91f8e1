import { z } from "zod";
import type { RootKeys } from "../crypto/index.ts";
import type { Clock, Logger, Random } from "../runtime/index.ts";
import { openSqliteBackup, type RestorePolicy, restoreSqlite } from "../store/sqlite-backup.ts";
import { checkStore } from "./check-store.ts";

/** What was switched off, ended, answered or used up: none of it may come back. The signing keys are dropped after a leak. */
const kept = new Set(["epoch", "keyring", "consent-mark", "assertion-id"]);

const grantState = z.object({ f: z.object({ state: z.string() }) });

const stateOf = (value: string): string | undefined => {
  try {
    return grantState.safeParse(JSON.parse(value)).data?.f.state;
  } catch {
    return undefined;
  }
};

const kindOf = (key: string): string => key.split(":", 1)[0] ?? "";

/** A store goes back to a backup, but nothing that had come to an end since begins again. */
const restorePolicy: RestorePolicy = {
  stays: (key, value) => kept.has(kindOf(key)) || (kindOf(key) === "grant" && stateOf(value) === "ended"),
  // What may be used once may have been used since.
  returns: (key, value) =>
    kindOf(key) !== "transaction" && !(kindOf(key) === "grant" && stateOf(value) === "code_issued"),
};

/**
 * Puts a SQLite store back to a backup, while servers use it. Kill switches, signing keys and grants that have ended stay as
 * they are now; codes and sign-ins that were under way at the backup do not come back.
 * @param options.path the store's file; made where it is missing
 * Rejects with Error where the backup is none, or holds records that these keys do not open: nothing is changed then.
 */
export async function restoreSqliteStore(options: {
  readonly path: string;
  readonly backup: string;
  readonly keys: RootKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}): Promise<{ readonly restored: number; readonly kept: number }> {
  const { keys, clock, random } = options;
  const store = openSqliteBackup(options.backup, clock);
  try {
    const { unreadable, faults } = await checkStore({ store, keys, clock, random });
    if (unreadable > 0) {
      const [first] = faults;
      throw new Error(
        `${unreadable} records of the backup cannot be read with these settings, and nothing was changed: ${first?.fault}`,
      );
    }
  } finally {
    await store.close();
  }
  return restoreSqlite({ ...options, policy: restorePolicy });
}
