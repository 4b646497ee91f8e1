import { chmodSync, closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Clock, Logger } from "../runtime/index.ts";
import { loadSqlite } from "./load-sqlite.ts";
import { errorCode, sqliteCode } from "./sqlite-errors.ts";
import { StoreUnavailable } from "./store.ts";

/** The schema this release reads and writes. Whoever raises it adds to {@link upgrades} how the one before becomes it. */
const schemaVersion = 2;

const hintIndexes = `
  CREATE INDEX entries_by_user ON entries (user) WHERE user IS NOT NULL;
  CREATE INDEX entries_by_client ON entries (client) WHERE client IS NOT NULL;
`;

const schema = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE entries (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, version TEXT NOT NULL, expires_at INTEGER NOT NULL,
    user TEXT, client TEXT
  ) STRICT;
  CREATE INDEX entries_by_expiry ON entries (expires_at);
  ${hintIndexes}
  CREATE TABLE counters (key TEXT PRIMARY KEY, value INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT;
  CREATE INDEX counters_by_expiry ON counters (expires_at);
  INSERT INTO meta (name, value) VALUES ('schema_version', ${schemaVersion});
`;

/** From each earlier schema to the next. */
const upgrades: Readonly<Record<number, string>> = {
  // Hints had a table of their own, with a row for each that changed with every write of its entry.
  1: `${hintIndexes} DROP TABLE hints;`,
};

/**
 * KiB of pages that a connection keeps at most. SQLite's own 2 MiB do not hold the upper levels of the trees of a million
 * grants (some 12 MiB), which every lookup goes through.
 */
const pageCache = 32_768;

/** Milliseconds between two attempts to turn a new file to WAL. */
const retryDelay = 20;

/**
 * Opens, and where it is missing makes, the database file of a store.
 *
 * - The file is 0600 before SQLite sees it; SQLite gives -wal and -shm the mode of the file. A missing directory is
 *   made 0700. A file that others may read is closed to them, with a warning in the log.
 * - `journal_mode=WAL`: readers and the writer of several processes do not wait for each other.
 * - `synchronous=FULL`: each write is on the disk before it is answered. NORMAL would do for a killed process, whose
 *   writes the operating system holds; but after a power cut it may lose the last ones, and a lost write here is a
 *   revoked grant that lives again, or a rotated refresh token whose predecessor Cognito no longer takes. One sync
 *   a write is cheap beside what it guards: a handful at each sign-in or refresh, none at a steady request.
 *
 * @param options.busyTimeout how long a statement waits for another process's write, in milliseconds
 * @throws StoreUnavailable where the file cannot be opened or is no database; Error where it is of a newer schema, of
 *   another program, or on a file system without WAL
 */
export async function openDatabase(options: {
  path: string;
  clock: Clock;
  logger: Logger;
  busyTimeout: number;
}): Promise<DatabaseSync> {
  const { clock, logger, busyTimeout } = options;
  const path = resolve(options.path);
  const { DatabaseSync } = loadSqlite();
  let database: DatabaseSync | undefined;
  try {
    makePrivateFile(path, logger);
    database = new DatabaseSync(path, { timeout: busyTimeout });
    await setWal(database, path, clock, busyTimeout);
    database.exec(`PRAGMA synchronous = FULL; PRAGMA cache_size = -${pageCache}`);
    prepareSchema(database, path);
    return database;
  } catch (error) {
    database?.close();
    const code = errorCode(error);
    if (code === undefined) throw error;
    throw new StoreUnavailable(`store: cannot open the SQLite file ${path} (${code})`, { cause: error });
  }
}

function makePrivateFile(path: string, logger: Logger): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
  if (process.platform === "win32") return;
  // By path and never through a descriptor: closing any descriptor of a file drops this process's POSIX locks on it,
  // also those of another store in this process that has the file open (https://www.sqlite.org/howtocorrupt.html 2.2).
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & 0o077) === 0) continue;
    chmodSync(file, mode & 0o700);
    logger.warn("The store's file was open to other users of this machine; it is private now.", { file });
  }
}

async function setWal(database: DatabaseSync, path: string, clock: Clock, patience: number): Promise<void> {
  const start = clock.monotonic();
  for (;;) {
    // The clock's sleep keeps no process alive, and where a store is being opened there may be nothing else that does.
    const alive = setInterval(() => {}, 60_000);
    try {
      const mode = database.prepare("PRAGMA journal_mode = WAL").all()[0]?.journal_mode;
      if (mode === "wal") return;
      throw new Error(`store: the file system of ${path} has no shared memory for SQLite's WAL; use a local disk`);
    } catch (error) {
      // Two processes that turn a new file to WAL at once can meet a lock that SQLite's own timeout does not wait for.
      if (sqliteCode(error) !== "SQLITE_BUSY" || clock.monotonic() - start >= patience) throw error;
      await clock.sleep(retryDelay);
    } finally {
      clearInterval(alive);
    }
  }
}

function prepareSchema(database: DatabaseSync, path: string): void {
  // IMMEDIATE: of several processes that open a new file, one makes the tables and the others wait for it.
  database.exec("BEGIN IMMEDIATE");
  try {
    if (tablesOf(database).length === 0) database.exec(schema);
    else upgrade(database, knownVersion(database, path));
    database.exec("COMMIT");
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

const tablesOf = (database: DatabaseSync): readonly unknown[] =>
  database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .all()
    .map(({ name }) => name);

/**
 * The schema of a file that has tables.
 * @throws Error where it is not of this program, or newer than this release
 */
export function knownVersion(database: DatabaseSync, path: string): number {
  const found = tablesOf(database).includes("meta")
    ? database.prepare("SELECT value FROM meta WHERE name = 'schema_version'").all()[0]?.value
    : undefined;
  if (typeof found !== "number") {
    throw new Error(`store: ${path} is a database of another program; name another file in the setting "store"`);
  }
  if (found > schemaVersion) {
    throw new Error(
      `store: ${path} was written by a newer Sallyport (schema ${found}; this one knows up to ${schemaVersion}); ` +
        'run that release, or name another file in the setting "store"',
    );
  }
  return found;
}

function upgrade(database: DatabaseSync, from: number): void {
  if (from === schemaVersion) return;
  for (let version = from; version < schemaVersion; version += 1) database.exec(upgrades[version] ?? "");
  database.exec(`UPDATE meta SET value = ${schemaVersion} WHERE name = 'schema_version'`);
}

/** Ends a failed transaction. SQLite has ended it by itself after some errors, and a second end is then refused. */
export function rollBack(database: DatabaseSync): void {
  if (database.isOpen && database.isTransaction) database.exec("ROLLBACK");
}
