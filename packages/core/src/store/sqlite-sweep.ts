import type { DatabaseSync } from "node:sqlite";
import type { Clock, Logger, Random } from "../runtime/index.ts";
import { errorCode } from "./sqlite-errors.ts";

/** Milliseconds between two sweeps; each waits between three and five quarters of it, so that processes drift apart. */
const interval = 60_000;
/** Milliseconds to the next batch where a batch was full. */
const pause = 250;
/** Rows a statement removes at most: node:sqlite blocks the process, and a writer every other process. */
const batch = 100;

/**
 * Removes expired rows until `signal` is aborted. Nothing depends on it but the size of the file: reads never answer an
 * expired row. A failed sweep is logged and tried again at the next turn.
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
  let full = false;
  for (;;) {
    await clock.sleep(full ? pause : interval * (0.75 + random.fraction() / 2), signal);
    if (signal.aborted) return;
    try {
      const removed = statements.map((statement) => statement.all({ now: clock.now() }).length);
      full = removed.some((rows) => rows === batch);
    } catch (error) {
      full = false;
      logger.warn("The store could not remove expired rows; it tries again.", { code: errorCode(error) });
    }
  }
}
