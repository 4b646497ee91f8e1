import type { SQLInputValue, StatementSync } from "node:sqlite";
import type { Clock, Logger, Random } from "../runtime/index.ts";
import { checkCount, checkHints, checkText, expiryOf } from "./check-arguments.ts";
import { newVersion } from "./entry-version.ts";
import { cursorAfter, keyBefore, pageSize } from "./list-cursor.ts";
import { openDatabase, rollBack } from "./sqlite-database.ts";
import { unavailable } from "./sqlite-errors.ts";
import { sweepExpired } from "./sqlite-sweep.ts";
import type { Entry, IndexHints, Store } from "./store.ts";
import { StoreUnavailable } from "./store.ts";

type Row = Readonly<Record<string, unknown>>;

/** The record that a hint `h` points to, if it still stands and was last written with that hint. */
const hintedRecord = `SELECT 1 FROM entries AS e WHERE e.key = h.key AND e.expires_at > :now
  AND h.value = CASE h.name WHEN 'user' THEN e.user ELSE e.client END`;

/**
 * A store in one SQLite file (`node:sqlite`, WAL), shared by any number of processes of one machine. A write is on the
 * disk before it is answered. Every operation is one statement, and SQLite runs each as a transaction of its own; only
 * a write with index hints is a transaction of several, hints first. Expired rows are removed in the background.
 *
 * @param options.path the file; made (0600) if missing, its directory (0700) too
 * @param options.busyTimeout how long to wait for another process's write, in milliseconds, default 5000
 * @throws StoreUnavailable where the file cannot be opened; Error where it is not a store of this release
 */
export async function sqliteStore(options: {
  path: string;
  clock: Clock;
  random: Random;
  logger: Logger;
  busyTimeout?: number;
}): Promise<Store> {
  const { path, clock, random, logger, busyTimeout = 5000 } = options;
  const database = await openDatabase({ path, clock, logger, busyTimeout });
  const stopped = new AbortController();

  const select = database.prepare(
    "SELECT value, version, expires_at FROM entries WHERE key = :key AND expires_at > :now",
  );
  const upsert = database.prepare(`INSERT INTO entries (key, value, version, expires_at, user, client)
    VALUES (:key, :value, :version, :expiresAt, :user, :client)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version,
      expires_at = excluded.expires_at, user = excluded.user, client = excluded.client
    WHERE :replace OR entries.expires_at <= :now RETURNING 1`);
  const update = database.prepare(`UPDATE entries SET value = :value, version = :version, expires_at = :expiresAt,
    user = :user, client = :client WHERE key = :key AND version = :expected AND expires_at > :now RETURNING 1`);
  const remove = database.prepare("DELETE FROM entries WHERE key = :key RETURNING value, version, expires_at");
  const hint = database.prepare(`INSERT INTO hints (name, value, key, expires_at)
    VALUES (:name, :value, :key, :expiresAt) ON CONFLICT (name, value, key) DO UPDATE SET expires_at = excluded.expires_at`);
  const hinted = database.prepare(`SELECT h.key, EXISTS (${hintedRecord}) AS stands FROM hints AS h
    WHERE h.name = :name AND h.value = :value AND h.key > :after ORDER BY h.key LIMIT ${pageSize + 1}`);
  const dropStale = database.prepare(`DELETE FROM hints AS h
    WHERE h.name = :name AND h.value = :value AND h.key > :after AND h.key <= :last AND NOT EXISTS (${hintedRecord})`);
  const add = database.prepare(`INSERT INTO counters (key, value, expires_at)
    SELECT :key, :by, :expiresAt WHERE :limit IS NULL OR :by <= :limit
    ON CONFLICT (key) DO UPDATE SET
      value = CASE WHEN expires_at > :now THEN value ELSE 0 END + :by,
      expires_at = CASE WHEN expires_at > :now THEN expires_at ELSE :expiresAt END
    WHERE :limit IS NULL OR CASE WHEN expires_at > :now THEN value ELSE 0 END + :by <= :limit
    RETURNING value`);
  const everyKey = database.prepare("SELECT key FROM entries WHERE key > :after ORDER BY key LIMIT :most");
  const counter = database.prepare("SELECT value FROM counters WHERE key = :key AND expires_at > :now");

  // all(), never get(): get() stops at the first row, and the commit that then follows may fail unnoticed.
  const run = (statement: StatementSync, values: Record<string, SQLInputValue>): readonly Row[] => {
    try {
      return statement.all(values);
    } catch (error) {
      throw unavailable(error);
    }
  };

  /** Runs `write` as it is, or where there are hints, these and then `write` in one transaction: both or none. */
  const withHints = (key: string, expiresAt: number, hints: IndexHints, write: () => boolean): boolean => {
    const named = Object.entries({ user: hints.user, client: hints.client }).filter(([, value]) => value !== undefined);
    if (named.length === 0) return write();
    try {
      database.exec("BEGIN IMMEDIATE");
      for (const [name, value] of named) run(hint, { name, value: value ?? null, key, expiresAt });
      const wrote = write();
      database.exec(wrote ? "COMMIT" : "ROLLBACK");
      return wrote;
    } catch (error) {
      rollBack(database);
      throw unavailable(error);
    }
  };

  const columns = ({ user, client }: IndexHints): { user: string | null; client: string | null } => ({
    user: user ?? null,
    client: client ?? null,
  });

  void sweepExpired({ database, clock, random, logger, signal: stopped.signal });

  return {
    /** `SELECT … WHERE expires_at > now` */
    async get(key) {
      checkText("key", key);
      return entryOf(run(select, { key, now: clock.now() })[0]);
    },

    /** `INSERT … ON CONFLICT DO UPDATE`; with `ifAbsent` the update has `WHERE expires_at <= now` */
    async put(key, value, { ttl, ifAbsent = false, index = {} }) {
      checkText("key", key);
      checkText("value", value);
      checkHints(index);
      const expiresAt = expiryOf(clock, ttl);
      const values = { key, value, version: newVersion(random), expiresAt, ...columns(index) };
      const write = (): boolean => run(upsert, { ...values, replace: ifAbsent ? 0 : 1, now: clock.now() }).length > 0;
      return withHints(key, expiresAt, index, write);
    },

    /** `DELETE … RETURNING` */
    async take(key) {
      checkText("key", key);
      const entry = entryOf(run(remove, { key })[0]);
      return entry && entry.expiresAt > clock.now() ? entry : undefined;
    },

    /** `UPDATE … WHERE version = ? AND expires_at > now RETURNING` */
    async swap(key, expectedVersion, value, { ttl, index = {} }) {
      checkText("key", key);
      checkText("value", value);
      checkHints(index);
      const expiresAt = expiryOf(clock, ttl);
      const values = { key, value, version: newVersion(random), expiresAt, ...columns(index) };
      const write = (): boolean => run(update, { ...values, expected: expectedVersion, now: clock.now() }).length > 0;
      return withHints(key, expiresAt, index, write);
    },

    /** `DELETE` */
    async delete(key) {
      checkText("key", key);
      run(remove, { key });
    },

    /** `INSERT … ON CONFLICT DO UPDATE … WHERE value + by <= limit RETURNING`; a refusal then reads the value. */
    async count(key, by, { ttl, limit }) {
      checkText("key", key);
      checkCount(by, limit);
      const expiresAt = expiryOf(clock, ttl);
      const now = clock.now();
      const [added] = by === 0 ? [] : run(add, { key, by, expiresAt, now, limit: limit ?? null });
      if (added) return { allowed: true, value: wholeNumber(added, "value") };
      const [held] = run(counter, { key, now });
      const value = held ? wholeNumber(held, "value") : 0;
      return { allowed: by === 0 && (limit === undefined || value <= limit), value };
    },

    /** `SELECT` of a page of hints, each with whether its record stands; then one `DELETE` of those without. */
    async list(name, value, cursor) {
      checkText("index hint", value);
      const page = { name, value, after: keyBefore(cursor), now: clock.now() };
      const found = run(hinted, page);
      const hints = found.slice(0, pageSize).map((row) => ({ key: text(row, "key"), stands: row.stands === 1 }));
      const keys = hints.filter(({ stands }) => stands).map(({ key }) => key);
      const last = hints.at(-1)?.key;
      if (last === undefined) return { keys };
      if (keys.length < hints.length) run(dropStale, { ...page, last });
      return found.length > pageSize ? { keys, cursor: cursorAfter(last) } : { keys };
    },

    /** `SELECT … WHERE key > ? ORDER BY key LIMIT` */
    async scan(cursor) {
      const found = run(everyKey, { after: keyBefore(cursor), most: pageSize + 1 }).map((row) => text(row, "key"));
      const keys = found.slice(0, pageSize);
      const last = keys.at(-1);
      return found.length > pageSize && last !== undefined ? { keys, cursor: cursorAfter(last) } : { keys };
    },

    async close() {
      stopped.abort();
      if (database.isOpen) database.close();
    },
  };
}

function entryOf(row: Row | undefined): Entry | undefined {
  if (!row) return undefined;
  return { value: text(row, "value"), version: text(row, "version"), expiresAt: wholeNumber(row, "expires_at") };
}

function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value === "string") return value;
  throw new StoreUnavailable(`The SQLite store holds no text in the column ${column}.`);
}

function wholeNumber(row: Row, column: string): number {
  const value = row[column];
  if (typeof value === "number") return value;
  throw new StoreUnavailable(`The SQLite store holds no number in the column ${column}.`);
}
