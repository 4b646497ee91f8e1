import { chmod, mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import type { LogFields } from "../../packages/core/src/runtime/index.ts";
import { silentLogger, systemClock, systemRandom } from "../../packages/core/src/runtime/index.ts";
import { type Store, StoreUnavailable, sqliteStore } from "../../packages/core/src/store/index.ts";
import { spawnSource } from "../support/source-condition.ts";
import { manualClock } from "./manual-clock.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const ttl = 60_000;
const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };

async function opened(options: Parameters<typeof sqliteStore>[0]): Promise<Store> {
  const store = await sqliteStore(options);
  onTestFinished(() => store.close());
  return store;
}

/** The file as another program sees it. */
function raw(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  onTestFinished(() => {
    if (database.isOpen) database.close();
  });
  return database;
}

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

test("the file, its companions and its new directory are for their owner only, whatever the umask", async () => {
  const before = process.umask(0);
  onTestFinished(() => {
    process.umask(before);
  });
  const folder = join(await temporaryFolder(), "new", "state");
  const path = join(folder, "store.db");
  const store = await opened({ ...deps, path });
  await store.put("a", "1", { ttl });
  expect(await modeOf(folder)).toBe("700");
  for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(await modeOf(file)).toBe("600");
});

test("a file that others could read is closed to them, with a warning that names it", async () => {
  const path = join(await temporaryFolder(), "store.db");
  await (await sqliteStore({ ...deps, path })).close();
  await chmod(path, 0o644);
  const warnings: LogFields[] = [];
  const logger = { ...silentLogger, warn: (_: string, fields: LogFields = {}) => void warnings.push(fields) };
  await opened({ ...deps, logger, path });
  expect(await modeOf(path)).toBe("600");
  expect(warnings).toEqual([{ file: path }]);
});

test("what is written is there after the store was closed and opened again", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const first = await sqliteStore({ ...deps, path });
  await first.put("a", "1", { ttl, index: { user: "u" } });
  await first.count("n", 3, { ttl });
  const entry = await first.get("a");
  await first.close();
  const second = await opened({ ...deps, path });
  expect(await second.get("a")).toEqual(entry);
  expect(await second.list("user", "u")).toEqual({ keys: ["a"] });
  expect(await second.count("n", 1, { ttl })).toEqual({ allowed: true, value: 4 });
});

test("writes are synced to the disk before they are answered", async () => {
  const path = join(await temporaryFolder(), "store.db");
  // The setting belongs to the connection, so that it can be asked only of the one the store opened.
  let connection: DatabaseSync | undefined;
  const exec = DatabaseSync.prototype.exec;
  DatabaseSync.prototype.exec = function (sql: string): void {
    connection = this;
    Reflect.apply(exec, this, [sql]);
  };
  onTestFinished(() => {
    DatabaseSync.prototype.exec = exec;
  });
  await opened({ ...deps, path });
  const full = 2;
  expect(connection?.prepare("PRAGMA synchronous").get()).toEqual({ synchronous: full });
  expect(connection?.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
});

test("expired rows of every table are removed in the background, a few at a time, live ones stay", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const clock = manualClock();
  const store = await opened({ ...deps, clock, path });
  for (let n = 0; n < 10; n += 1) await store.put(`short ${n}`, "1", { ttl: 1000, index: { user: "u" } });
  await store.count("short", 1, { ttl: 1000 });
  await store.put("long", "1", { ttl: 3_600_000, index: { user: "u" } });
  await store.count("long", 1, { ttl: 3_600_000 });
  const file = raw(path);
  const rows = (): unknown[] =>
    ["entries", "counters"].map((table) => file.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n);

  expect(rows()).toEqual([11, 2]);
  await clock.advance(75_000);
  // One batch of 4, so that requests and other writers get their turn; the rest soon after.
  expect(rows()).toEqual([7, 1]);
  await clock.advance(5);
  expect(rows()).toEqual([3, 1]);
  await clock.advance(5);
  expect(rows()).toEqual([1, 1]);
  expect(await store.get("long")).toBeDefined();
});

test("the sweep rests the longer the more time a batch took", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const clock = manualClock();
  // Each look at this clock finds it 10 ms on.
  let looks = 0;
  const monotonic = (): number => {
    looks += 1;
    return clock.monotonic() + 10 * looks;
  };
  const store = await opened({ ...deps, clock: { ...clock, monotonic }, path });
  for (let n = 0; n < 10; n += 1) await store.put(`short ${n}`, "1", { ttl: 1000 });
  const file = raw(path);
  const left = (): unknown => file.prepare("SELECT count(*) AS n FROM entries").get()?.n;
  await clock.advance(75_000);
  expect(left()).toBe(6);
  await clock.advance(79);
  expect(left()).toBe(6);
  await clock.advance(1);
  expect(left()).toBe(2);
});

test("a hint lives as long as the record after a swap, through the sweep", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const clock = manualClock();
  const store = await opened({ ...deps, clock, path });
  await store.put("a", "1", { ttl: 1000, index: { user: "u" } });
  const entry = await store.get("a");
  await store.swap("a", entry?.version ?? "", "2", { ttl: 3_600_000, index: { user: "u" } });
  await clock.advance(75_000);
  expect(await store.list("user", "u")).toEqual({ keys: ["a"] });
});

test("the sweep goes on after it failed once, and stops at close", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const clock = manualClock();
  const warnings: LogFields[] = [];
  const logger = { ...silentLogger, warn: (_: string, fields: LogFields = {}) => void warnings.push(fields) };
  const store = await opened({ ...deps, clock, logger, path, busyTimeout: 1 });
  await store.put("a", "1", { ttl: 1000 });
  const other = raw(path);
  other.exec("BEGIN IMMEDIATE");
  await clock.advance(75_000);
  expect(warnings).toEqual([{ code: "SQLITE_BUSY" }]);
  other.exec("ROLLBACK");
  await clock.advance(75_000);
  expect(other.prepare("SELECT key FROM entries").all()).toEqual([]);
  await store.close();
  await clock.advance(75_000);
  expect(warnings).toHaveLength(1);
});

test("a lock held by another process is StoreUnavailable, names the code and no value, and changes nothing", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const store = await opened({ ...deps, path, busyTimeout: 10 });
  await store.put("key-1", "value-1", { ttl });
  const other = raw(path);
  other.exec("BEGIN IMMEDIATE");
  for (const refused of [
    store.put("key-2", "value-2", { ttl }),
    store.put("key-2", "value-2", { ttl, index: { user: "user-2" } }),
    store.take("key-1"),
    store.count("key-2", 1, { ttl }),
  ]) {
    const error: unknown = await refused.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreUnavailable);
    expect(String(error)).toMatch(/SQLITE_BUSY/);
    expect(String(error)).not.toMatch(/key-|value-|user-/);
  }
  expect(await store.get("key-1")).toMatchObject({ value: "value-1" });
  other.exec("ROLLBACK");
  expect(await store.get("key-2")).toBeUndefined();
  expect(await store.put("key-2", "value-2", { ttl, index: { user: "user-2" } })).toBe(true);
  expect(await store.list("user", "user-2")).toEqual({ keys: ["key-2"] });
});

test("two stores of one process on one file see each other's writes, also after one is closed", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const [one, two] = [await opened({ ...deps, path }), await opened({ ...deps, path })];
  await one.put("a", "1", { ttl });
  expect(await two.take("a")).toMatchObject({ value: "1" });
  await one.close();
  const three = await opened({ ...deps, path });
  await two.put("b", "2", { ttl });
  expect(await three.get("b")).toMatchObject({ value: "2" });
});

test("opening waits for a process that has a new file locked, and not for ever", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const other = raw(path);
  other.exec("BEGIN EXCLUSIVE");
  const clock = manualClock();
  const patient = sqliteStore({ ...deps, clock, path, busyTimeout: 30 });
  const impatient = sqliteStore({ ...deps, clock, path, busyTimeout: 20 });
  const refusal = expect(impatient).rejects.toThrow(/store\.db \(SQLITE_BUSY\)/);
  await clock.advance(20);
  await refusal;
  other.exec("ROLLBACK");
  await clock.advance(20);
  const store = await patient;
  onTestFinished(() => store.close());
  expect(await store.put("a", "1", { ttl })).toBe(true);
});

test("a file of a newer schema is refused and left as it is", async () => {
  const path = join(await temporaryFolder(), "store.db");
  await (await sqliteStore({ ...deps, path })).close();
  const file = raw(path);
  file.exec("UPDATE meta SET value = 3 WHERE name = 'schema_version'");
  await expect(sqliteStore({ ...deps, path })).rejects.toThrow(/newer Sallyport \(schema 3; this one knows up to 2\)/);
  expect(file.prepare("SELECT value FROM meta").get()).toEqual({ value: 3 });
});

/** A file as the first schema had it, with an entry for each of the keys, and a counter. */
function fileOfSchema1(path: string, keys: readonly string[]): DatabaseSync {
  const file = raw(path);
  file.exec(`
    CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE entries (
      key TEXT PRIMARY KEY, value TEXT NOT NULL, version TEXT NOT NULL, expires_at INTEGER NOT NULL,
      user TEXT, client TEXT
    ) STRICT;
    CREATE INDEX entries_by_expiry ON entries (expires_at);
    CREATE TABLE hints (
      name TEXT NOT NULL, value TEXT NOT NULL, key TEXT NOT NULL, expires_at INTEGER NOT NULL,
      PRIMARY KEY (name, value, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX hints_by_expiry ON hints (expires_at);
    CREATE TABLE counters (key TEXT PRIMARY KEY, value INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT;
    CREATE INDEX counters_by_expiry ON counters (expires_at);
    INSERT INTO meta (name, value) VALUES ('schema_version', 1)`);
  const expiresAt = systemClock.now() + ttl;
  for (const key of keys) {
    file.prepare("INSERT INTO entries VALUES (?, 'sealed', 'v1', ?, 'u', 'c')").run(key, expiresAt);
    for (const [name, value] of Object.entries({ user: "u", client: "c" })) {
      file.prepare("INSERT INTO hints VALUES (?, ?, ?, ?)").run(name, value, key, expiresAt);
    }
  }
  file.prepare("INSERT INTO counters VALUES ('n', 3, ?)").run(expiresAt);
  return file;
}

test("a file of the first schema is brought up to date on opening, with all that it holds", async () => {
  const folder = await temporaryFolder();
  const path = join(folder, "store.db");
  const file = fileOfSchema1(path, ["a", "b"]);
  // Two processes may open it at once.
  const [store] = await Promise.all([opened({ ...deps, path }), opened({ ...deps, path })]);
  expect(await store.get("a")).toMatchObject({ value: "sealed", version: "v1" });
  expect(await store.list("user", "u")).toEqual({ keys: ["a", "b"] });
  expect(await store.list("client", "c")).toEqual({ keys: ["a", "b"] });
  expect(await store.swap("b", "v1", "changed", { ttl, index: { client: "c" } })).toBe(true);
  expect(await store.list("user", "u")).toEqual({ keys: ["a"] });
  expect(await store.count("n", 1, { ttl })).toEqual({ allowed: true, value: 4 });

  await (await sqliteStore({ ...deps, path: join(folder, "new.db") })).close();
  const schemaOf = (database: DatabaseSync) =>
    database
      .prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")
      .all()
      .map(({ name, sql }) => `${name} ${String(sql).replaceAll(/\s+/g, " ")}`);
  expect(schemaOf(file)).toEqual(schemaOf(raw(join(folder, "new.db"))));
  expect(file.prepare("SELECT value FROM meta").get()).toEqual({ value: 2 });
});

test("every statement finds its rows by an index, whatever the number of rows", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const statements: string[] = [];
  const prepare = DatabaseSync.prototype.prepare;
  DatabaseSync.prototype.prepare = function (sql: string) {
    statements.push(sql);
    return Reflect.apply(prepare, this, [sql]);
  };
  onTestFinished(() => {
    DatabaseSync.prototype.prepare = prepare;
  });
  await opened({ ...deps, path });
  DatabaseSync.prototype.prepare = prepare;

  const file = raw(path);
  // Equal to what is asked, or, where many are meant, from where the page or what is over begins.
  const byIndex = /^SEARCH \w+ USING .*(INDEX|INTEGER PRIMARY KEY).* \((\w+=\?.*|key>\?|expires_at<\?)\)$/;
  const concerned = statements.filter((sql) => /\b(entries|counters)\b/.test(sql));
  expect(concerned.length).toBeGreaterThan(8);
  for (const sql of concerned) {
    const steps = file
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map(({ detail }) => String(detail));
    const searched = steps.filter((step) => byIndex.test(step));
    // A new row is looked up by its primary key, of which the plan says nothing.
    if (!/^\s*INSERT/.test(sql)) expect(searched, sql).not.toEqual([]);
    expect(
      steps.filter((step) => !searched.includes(step) && !/^(LIST SUBQUERY|SCAN CONSTANT ROW)/.test(step)),
      sql,
    ).toEqual([]);
  }
});

test("a database of another program is refused and left as it is", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const file = raw(path);
  file.exec("CREATE TABLE accounts (name TEXT)");
  await expect(sqliteStore({ ...deps, path })).rejects.toThrow(/database of another program/);
  expect(file.prepare("SELECT name FROM sqlite_schema").all()).toHaveLength(1);
});

test("what cannot be opened says its path and the code", async () => {
  const folder = await temporaryFolder();
  const garbage = join(folder, "garbage.db");
  await writeFile(garbage, "this is no database ".repeat(300));
  await expect(sqliteStore({ ...deps, path: garbage })).rejects.toThrow(`${garbage} (SQLITE_NOTADB)`);
  await mkdir(join(folder, "folder.db"), { mode: 0o700 });
  const refusal: unknown = await sqliteStore({ ...deps, path: join(folder, "folder.db") }).catch(
    (error: unknown) => error,
  );
  expect(refusal).toBeInstanceOf(StoreUnavailable);
  expect(String(refusal)).toMatch(/folder\.db \(SQLITE_CANTOPEN\)/);
  await expect(sqliteStore({ ...deps, path: join(garbage, "below.db") })).rejects.toThrow(/\((EEXIST|ENOTDIR)\)/);
});

test("node:sqlite is loaded with the first store, prints no warning, and an open store keeps no process alive", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const child = spawnSource(new URL("open-and-leave.ts", import.meta.url), [path]);
  expect(await child.exited).toEqual({ code: 0, signal: null });
  expect(child.output("stdout")).toBe("sqlite loaded with the library: false, with the store: true\n");
  expect(child.output("stderr")).toBe("");
});

test("regression: a process that waits for another to open the file does not end meanwhile", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const reader = new DatabaseSync(path);
  // A file with a page and no table, so that there is something to hold and nothing to be taken for another program's.
  reader.exec("CREATE TABLE t (x); DROP TABLE t; BEGIN; SELECT * FROM sqlite_schema");
  const child = spawnSource(new URL("open-under-lock.ts", import.meta.url), [path]);
  await child.waitForLine((line) => line === "waits");
  reader.exec("ROLLBACK");
  reader.close();
  expect(await child.exited, child.output("stderr")).toEqual({ code: 0, signal: null });
  expect(child.output("stdout")).toContain("open\n");
});

test("of the warnings at loading node:sqlite, only the one about SQLite is held back", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const child = spawnSource(new URL("open-and-leave.ts", import.meta.url), [path, "warn"]);
  expect(await child.exited).toEqual({ code: 0, signal: null });
  const warnings = child
    .output("stderr")
    .split("\n")
    .filter((line) => line.includes("Warning:"));
  expect(warnings.map((line) => line.replace(/^\(node:\d+\) /, ""))).toEqual([
    "ExperimentalWarning: Another thing is an experimental feature",
    "Warning: SQLite is an experimental feature and might change at any time",
    "ExperimentalWarning: SQLite is an experimental feature, said later",
  ]);
});
