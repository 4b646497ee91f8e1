import { chmodSync, closeSync, openSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { Clock } from "../runtime/index.ts";
import { loadSqlite } from "../store/load-sqlite.ts";

/** Milliseconds between two attempts to get the lock. */
const retryDelay = 25;

/**
 * Gets a lock that one holder on this machine has at a time. It is SQLite's lock on a file of its own: the operating
 * system ends it with the process, so that no crash leaves one behind and no age has to be guessed.
 * @param longest milliseconds to wait
 * @returns what gives the lock back; harmless a second time
 * @throws Error where it is not to be had in time
 */
export async function lockFile(path: string, clock: Clock, longest: number): Promise<() => void> {
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  const { DatabaseSync } = loadSqlite();
  const database = new DatabaseSync(path, { timeout: 0 });
  const until = clock.monotonic() + longest;
  try {
    for (;;) {
      if (tryLock(() => database.exec("BEGIN EXCLUSIVE"))) break;
      if (clock.monotonic() >= until) throw new Error(`another process holds ${path} and does not give it back`);
      // Node's own timer: the injected clock's lets the process end, and whoever waits here has work to do.
      await wait(retryDelay);
    }
  } catch (error) {
    database.close();
    throw error;
  }
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    database.close();
  };
}

function tryLock(begin: () => void): boolean {
  try {
    begin();
    return true;
  } catch (error) {
    if (error instanceof Error && /database is locked/.test(error.message)) return false;
    throw error;
  }
}
