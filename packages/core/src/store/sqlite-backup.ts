import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Clock, Logger, Random } from "../runtime/index.ts";
import { newVersion } from "./entry-version.ts";
import { cursorAfter, keyBefore, pageSize } from "./list-cursor.ts";
import { loadSqlite } from "./load-sqlite.ts";
import { knownVersion, openDatabase, rollBack } from "./sqlite-database.ts";
import { errorCode } from "./sqlite-errors.ts";
import { type Store, StoreUnavailable } from "./store.ts";

/** How long to wait for another process's write, ms. */
const busyTimeout = 10_000;

/**
 * Copies the store in a SQLite file to another file (0600), as it is at one moment, while other processes read and write
 * it. `VACUUM INTO`, and not SQLite's backup API: that one starts over whenever another process writes, and copies freed
 * pages too.
 * @param options.target must not be there. It appears there whole or stays empty, also after a crash.
 * @returns its size in bytes
 * Rejects with the system's error for the target (EEXIST, ENOENT, ENOSPC …), or with StoreUnavailable.
 */
export async function backupSqlite(options: {
  readonly path: string;
  readonly target: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}): Promise<number> {
  const { path, target, clock, random, logger } = options;
  const database = await openDatabase({ path, clock, logger, busyTimeout });
  const partial = `${target}.${newVersion(random)}.partial`;
  const made: string[] = [];
  try {
    for (const file of [target, partial]) {
      closeSync(openSync(file, "wx", 0o600));
      made.push(file);
    }
    database.prepare("VACUUM INTO ?").all(partial);
    const written = openSync(partial, "r+");
    fsyncSync(written);
    closeSync(written);
    renameSync(partial, target);
    return statSync(target).size;
  } catch (error) {
    for (const file of made) rmSync(file, { force: true });
    throw errorCode(error)?.startsWith("SQLITE_") ? notCopied(error) : error;
  } finally {
    database.close();
  }
}

const notCopied = (error: unknown): StoreUnavailable =>
  new StoreUnavailable(`The SQLite store could not be copied (${errorCode(error)}).`, { cause: error });

/** What a backup holds, to be looked through. */
export interface SqliteBackup extends Pick<Store, "get" | "scan" | "close"> {}

/**
 * Opens a backup for reading.
 * @throws Error where it is no whole backup of a store of this release
 */
export function openSqliteBackup(path: string, clock: Clock): SqliteBackup {
  const database = openWhole(path);
  const entry = database.prepare("SELECT value, version, expires_at FROM entries WHERE key = ? AND expires_at > ?");
  const keys = database.prepare(`SELECT key FROM entries WHERE key > ? ORDER BY key LIMIT ${pageSize}`);
  return {
    async get(key) {
      const [row] = entry.all(key, clock.now());
      return row && { value: String(row.value), version: String(row.version), expiresAt: Number(row.expires_at) };
    },
    async scan(cursor) {
      const page = keys.all(keyBefore(cursor)).map(({ key }) => String(key));
      const last = page.at(-1);
      return page.length === pageSize && last !== undefined
        ? { keys: page, cursor: cursorAfter(last) }
        : { keys: page };
    },
    close: async () => database.close(),
  };
}

function openWhole(path: string): DatabaseSync {
  const { DatabaseSync } = loadSqlite();
  // Asked first, for the system's own error: SQLite has one word for all.
  statSync(path);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true });
    const [checked] = database.prepare("PRAGMA quick_check(1)").all();
    if (checked?.quick_check !== "ok") throw new Error("a page is broken");
    knownVersion(database, path);
    return database;
  } catch (error) {
    database?.close();
    if (errorCode(error) === undefined && error instanceof Error && error.message.startsWith("store: ")) throw error;
    throw new Error(`store: ${path} is no whole backup (${errorCode(error) ?? "damaged"})`, { cause: error });
  }
}

/** What becomes of an entry when a store is restored, by its key and its value. */
export interface RestorePolicy {
  /** Of the store as it is: whether the entry is kept, whatever the backup says. */
  stays(key: string, value: string): boolean;
  /** Of the backup: whether the entry is brought back. */
  returns(key: string, value: string): boolean;
}

/**
 * Puts a store back to a backup in one transaction, while other processes use it: each sees all of it or nothing, and goes
 * on. Writers wait; one that waits longer than its patience fails as in an outage.
 * @param options.path the store's file; made where it is missing
 * @returns how many entries came back, and how many of the store's own were kept
 * Rejects with Error where the backup is none or is the store itself, StoreUnavailable where the store does not answer.
 */
export async function restoreSqlite(options: {
  readonly path: string;
  readonly backup: string;
  readonly policy: RestorePolicy;
  readonly clock: Clock;
  readonly logger: Logger;
}): Promise<{ readonly restored: number; readonly kept: number }> {
  const { policy, clock, logger } = options;
  const path = resolve(options.path);
  openWhole(options.backup).close();
  const backup = realpathSync(options.backup);
  const database = await openDatabase({ path, clock, logger, busyTimeout });
  try {
    if (realpathSync(path) === backup) throw new Error(`store: ${options.backup} is the store itself`);
    for (const name of ["stays", "returns"] as const) {
      database.function(name, { deterministic: true }, (key, value) =>
        Number(policy[name](String(key), String(value))),
      );
    }
    database.prepare("ATTACH ? AS backup").all(backup);
    database.exec("BEGIN IMMEDIATE");
    const now = clock.now();
    const change = (sql: string): number =>
      Number(database.prepare(sql).run(sql.includes(":now") ? { now } : {}).changes);
    change("DELETE FROM main.entries WHERE NOT stays(key, value)");
    const restored = change(`INSERT INTO main.entries (key, value, version, expires_at, user, client)
      SELECT key, value, version, expires_at, user, client FROM backup.entries
      WHERE expires_at > :now AND returns(key, value) ON CONFLICT (key) DO NOTHING`);
    change("DELETE FROM main.counters");
    change("INSERT INTO main.counters SELECT * FROM backup.counters WHERE expires_at > :now");
    const [counted] = database.prepare("SELECT count(*) AS total FROM main.entries").all();
    database.exec("COMMIT");
    return { restored, kept: Number(counted?.total) - restored };
  } catch (error) {
    rollBack(database);
    if (!errorCode(error)?.startsWith("SQLITE_")) throw error;
    throw new StoreUnavailable(`The SQLite store could not be restored (${errorCode(error)}).`, { cause: error });
  } finally {
    database.close();
  }
}
