import type { SQLInputValue, StatementSync } from "node:sqlite";
import type { Clock, Logger, Random } from "../runtime/index.ts";
import { checkCount, checkHints, checkText, expiryOf } from "./check-arguments.ts";
import { newVersion } from "./entry-version.ts";
import { cursorAfter, keyBefore, pageSize } from "./list-cursor.ts";
import { openDatabase } from "./sqlite-database.ts";
import { unavailable } from "./sqlite-errors.ts";
import { sweepExpired } from "./sqlite-sweep.ts";
import type { Entry, IndexHints, IndexName, Store } from "./store.ts";
import { StoreUnavailable } from "./store.ts";

type Row = Readonly<Record<string, unknown>>;

/**
 * A store in one SQLite file (`node:sqlite`, WAL), shared by any number of processes of one machine. A write is on the
 * disk before it is answered. Every operation is one statement, and SQLite runs each as a transaction of its own. Hints
 * are indexed columns of the entry itself, so that no operation costs more the more entries there are. Expired rows are
 * removed in the background.
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
  // SQLite writes an index anew for each column that is named, changed or not: the usual case leaves the hints out.
  const rewrite = database.prepare(`UPDATE entries SET value = :value, version = :version, expires_at = :expiresAt
    WHERE key = :key AND version = :expected AND expires_at > :now AND user IS :user AND client IS :client RETURNING 1`);
  const update = database.prepare(`UPDATE entries SET value = :value, version = :version, expires_at = :expiresAt,
    user = :user, client = :client WHERE key = :key AND version = :expected AND expires_at > :now RETURNING 1`);
  const remove = database.prepare("DELETE FROM entries WHERE key = :key RETURNING value, version, expires_at");
  const hinted = (name: IndexName): StatementSync =>
    database.prepare(`SELECT rowid, key, expires_at > :now AS stands FROM entries
      WHERE ${name} = :value AND rowid > :after ORDER BY rowid LIMIT ${pageSize + 1}`);
  const lists = { user: hinted("user"), client: hinted("client") };
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
      return run(upsert, { ...values, replace: ifAbsent ? 0 : 1, now: clock.now() }).length > 0;
    },

    /** `DELETE … RETURNING` */
    async take(key) {
      checkText("key", key);
      const entry = entryOf(run(remove, { key })[0]);
      return entry && entry.expiresAt > clock.now() ? entry : undefined;
    },

    /** `UPDATE … WHERE version = ? AND expires_at > now RETURNING`: one that keeps the hints; where these differ, another. */
    async swap(key, expectedVersion, value, { ttl, index = {} }) {
      checkText("key", key);
      checkText("value", value);
      checkHints(index);
      const expiresAt = expiryOf(clock, ttl);
      const values = { key, value, version: newVersion(random), expiresAt, ...columns(index) };
      const conditions = { expected: expectedVersion, now: clock.now() };
      return [rewrite, update].some((statement) => run(statement, { ...values, ...conditions }).length > 0);
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

    /** `SELECT … WHERE user = ? AND rowid > ? ORDER BY rowid LIMIT`; what has expired since is left out of the page. */
    async list(name, value, cursor) {
      checkText("index hint", value);
      const found = run(lists[name], { value, after: rowBefore(cursor), now: clock.now() });
      const page = found.slice(0, pageSize);
      const keys = page.filter(({ stands }) => stands === 1).map((row) => text(row, "key"));
      const last = page.at(-1);
      return found.length > pageSize && last
        ? { keys, cursor: cursorAfter(`${wholeNumber(last, "rowid")}`) }
        : { keys };
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

/** The row after which a page starts. */
function rowBefore(cursor: string | undefined): number {
  const row = Number(/^\d{1,15}$/.exec(cursor === undefined ? "0" : keyBefore(cursor))?.[0]);
  if (Number.isInteger(row)) return row;
  throw new RangeError("store: the cursor is not one that a page of this store gave; start again without it");
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
