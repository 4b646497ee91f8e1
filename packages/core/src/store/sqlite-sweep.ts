import type { DatabaseSync } from "node:sqlite";
import type { Clock, Logger, Random } from "../runtime/index.ts";
import { errorCode } from "./sqlite-errors.ts";

/** Milliseconds between two sweeps; each waits between three and five quarters of it, so that processes drift apart. */
const interval = 60_000;
/**
 * Rows a statement removes at most: node:sqlite blocks the process, and a writer every other process. So few that a
 * request which meets a batch waits less than it takes by itself.
 */
const batch = 4;
/** After a full batch the next follows: not before so many milliseconds, nor so many times what the batch took. */
const leastPause = 5;
const pauseRatio = 8;

/**
 * Removes expired rows until `signal` is aborted. Nothing depends on it but the size of the file: reads never answer an
 * expired row. A failed sweep is logged and tried again at the next turn.
 *
 * No removal waits for the disk: one that a power cut undoes is done again.
 *
 * @param options.database a connection with `synchronous=FULL`, which it has again whenever another may use it
 */
export async function sweepExpired(options: {
  database: DatabaseSync;
  clock: Clock;
  random: Random;
  logger: Logger;
  signal: AbortSignal;
}): Promise<void> {
  const { database, clock, random, logger, signal } = options;
  const statements = ["entries", "counters"].map((table) =>
    database.prepare(`DELETE FROM ${table} WHERE rowid IN
      (SELECT rowid FROM ${table} WHERE expires_at <= :now LIMIT ${batch}) RETURNING 1`),
  );
  const checkpoint = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  let pause: number | undefined;
  for (;;) {
    await clock.sleep(pause ?? interval * (0.75 + random.fraction() / 2), signal);
    if (signal.aborted) return;
    pause = undefined;
    try {
      const begin = clock.monotonic();
      database.exec("PRAGMA synchronous = NORMAL");
      const removed = statements.map((statement) => statement.all({ now: clock.now() }).length);
      // Each row lies in pages of its own in three trees. Left to gather in the WAL, they would be moved to their places
      // within some request, a thousand at once.
      if (removed.some((rows) => rows > 0)) checkpoint.all();
      if (removed.includes(batch)) {
        // By what it took: so a slow disk is not pressed.
        pause = Math.max(leastPause, pauseRatio * (clock.monotonic() - begin));
      }
    } catch (error) {
      logger.warn("The store could not remove expired rows; it tries again.", { code: errorCode(error) });
    } finally {
      if (database.isOpen) database.exec("PRAGMA synchronous = FULL");
    }
  }
}
