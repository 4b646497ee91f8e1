import { existsSync, readdirSync, truncateSync } from "node:fs";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { silentLogger, systemClock, systemRandom } from "../../packages/core/src/runtime/index.ts";
import { type Store, sqliteStore } from "../../packages/core/src/store/index.ts";
import {
  backupSqlite,
  openSqliteBackup,
  type RestorePolicy,
  restoreSqlite,
} from "../../packages/core/src/store/sqlite-backup.ts";
import { spawnSource } from "../support/source-condition.ts";
import { manualClock } from "./manual-clock.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const ttl = 600_000;
const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
/** All as in the backup. */
const replaceAll: RestorePolicy = { stays: () => false, returns: () => true };

async function room(clock = systemClock) {
  const folder = await temporaryFolder();
  const [path, target] = [join(folder, "store.db"), join(folder, "backup.db")];
  const store = await sqliteStore({ ...deps, clock, path });
  onTestFinished(() => store.close());
  const restore = (policy = replaceAll) => restoreSqlite({ ...deps, clock, path, backup: target, policy });
  return { folder, path, target, store, backup: () => backupSqlite({ ...deps, clock, path, target }), restore };
}

const valueAt = async (store: Pick<Store, "get">, key: string): Promise<string | undefined> =>
  (await store.get(key))?.value;

describe("a backup", () => {
  test("is one moment of a store that another process writes without end, and is for its owner only", async () => {
    const { folder, path, target, backup } = await room();
    const writer = spawnSource(new URL("acknowledging-writer.ts", import.meta.url), [`sqlite:${path}`, "w"]);
    await writer.waitForLine((line) => line === "50");
    const umask = process.umask(0);
    const size = await backup().finally(() => process.umask(umask));
    const acknowledged = writer.output("stdout").split("\n").filter(Boolean).length;
    await writer.waitForLine((line) => Number(line) > acknowledged + 20);

    const { mode, size: real } = await stat(target);
    expect([(mode & 0o777).toString(8), real]).toEqual(["600", size]);
    // One file: nothing of it is in a journal, and what it was made in is gone.
    expect(readdirSync(folder).sort()).toEqual(["backup.db", "store.db", "store.db-shm", "store.db-wal"]);
    const copy = new DatabaseSync(target, { readOnly: true });
    onTestFinished(() => copy.close());
    const count = (sql: string): number => Number(copy.prepare(`SELECT (${sql}) AS n`).all()[0]?.n);
    const counted = count("SELECT value FROM counters");
    expect(counted).toBeGreaterThanOrEqual(50);
    expect(count("SELECT count(*) FROM entries WHERE key LIKE 'w grant %' AND value = 'live'") - counted).toBeOneOf([
      0, 1,
    ]);
    expect(count("SELECT count(*) FROM entries WHERE key LIKE 'w transaction %'")).toBeLessThanOrEqual(1);
    expect(copy.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  });

  test("never takes the place of a file, and leaves none behind where it fails", async () => {
    const { folder, path, target, backup } = await room();
    await writeFile(target, "dear");
    await expect(backup()).rejects.toMatchObject({ code: "EEXIST" });
    expect(readdirSync(folder).filter((name) => name.startsWith("backup"))).toEqual(["backup.db"]);
    const elsewhere = join(folder, "missing", "backup.db");
    await expect(backupSqlite({ ...deps, path, target: elsewhere })).rejects.toMatchObject({ code: "ENOENT" });

    // The store breaks while it is read.
    const exec = DatabaseSync.prototype.prepare;
    onTestFinished(() => {
      DatabaseSync.prototype.prepare = exec;
    });
    DatabaseSync.prototype.prepare = function (sql, ...rest) {
      if (sql.startsWith("VACUUM")) throw Object.assign(new Error("disk I/O error"), { errcode: 10 });
      return Reflect.apply(exec, this, [sql, ...rest]);
    };
    const broken = join(folder, "broken.db");
    await expect(backupSqlite({ ...deps, path, target: broken })).rejects.toMatchObject({
      name: "StoreUnavailable",
      message: "The SQLite store could not be copied (SQLITE_IOERR).",
    });
    expect(readdirSync(folder).filter((name) => name.startsWith("broken"))).toEqual([]);
  });

  test("can be looked through without being changed", async () => {
    const { target, store, backup } = await room();
    for (let n = 0; n < 120; n += 1) await store.put(`key ${n}`, String(n), { ttl });
    await backup();
    const copy = openSqliteBackup(target, systemClock);
    const first = await copy.scan();
    const second = await copy.scan(first.cursor);
    expect(new Set([...first.keys, ...second.keys]).size).toBe(120);
    expect(second.cursor).toBeUndefined();
    expect(await copy.get("key 7")).toEqual(await store.get("key 7"));
    expect(await copy.get("key 120")).toBeUndefined();
    await copy.close();
    expect(existsSync(`${target}-wal`)).toBe(false);
  });
});

describe("a restore", () => {
  test("puts everything back in one step, under a process that goes on", async () => {
    const { store, backup, restore } = await room();
    await store.put("kept", "then", { ttl, index: { user: "u" } });
    await store.put("gone since", "then", { ttl, index: { user: "u", client: "c" } });
    await store.count("n", 3, { ttl });
    const then = await store.get("kept");
    await backup();
    await store.put("kept", "now", { ttl });
    await store.delete("gone since");
    await store.put("new", "now", { ttl, index: { user: "u" } });
    await store.count("n", 4, { ttl });
    const now = await store.get("kept");

    expect(await restore()).toEqual({ restored: 2, kept: 0 });
    expect(await store.get("kept")).toEqual(then);
    expect([await valueAt(store, "gone since"), await valueAt(store, "new")]).toEqual(["then", undefined]);
    expect(await store.count("n", 0, { ttl })).toEqual({ allowed: true, value: 3 });
    expect((await store.list("user", "u")).keys.toSorted()).toEqual(["gone since", "kept"]);
    expect((await store.list("client", "c")).keys).toEqual(["gone since"]);
    // Whoever has read before it writes nothing over it.
    expect(await store.swap("kept", now?.version ?? "", "lost", { ttl })).toBe(false);
    expect(await store.put("after", "it goes on", { ttl })).toBe(true);
  });

  test("leaves what is to stay, and brings back only what is to return", async () => {
    const { store, backup, restore } = await room();
    for (const key of ["a", "b", "stays"]) await store.put(key, "then", { ttl });
    await backup();
    for (const key of ["a", "stays", "stays too"]) await store.put(key, "now", { ttl });
    const policy: RestorePolicy = {
      stays: (key, value) => key.startsWith("stays") && value === "now",
      returns: (key, value) => key !== "b" && value === "then",
    };
    expect(await restore(policy)).toEqual({ restored: 1, kept: 2 });
    const found = await Promise.all(["a", "b", "stays", "stays too"].map((key) => valueAt(store, key)));
    expect(found).toEqual(["then", undefined, "now", "now"]);
  });

  test("brings nothing back that is over", async () => {
    const clock = manualClock();
    const { store, backup, restore } = await room(clock);
    await store.put("short", "then", { ttl: 1000 });
    await store.count("n", 1, { ttl: 1000 });
    await store.put("long", "then", { ttl });
    await backup();
    await clock.advance(1000);
    expect(await restore()).toEqual({ restored: 1, kept: 0 });
    expect(await store.count("n", 0, { ttl })).toEqual({ allowed: true, value: 0 });
  });

  test("makes the store's file where it was lost", async () => {
    const { folder, target, store, backup } = await room();
    await store.put("a", "then", { ttl });
    await backup();
    const path = join(folder, "new", "store.db");
    await restoreSqlite({ ...deps, path, backup: target, policy: replaceAll });
    const other = await sqliteStore({ ...deps, path });
    onTestFinished(() => other.close());
    expect(await valueAt(other, "a")).toBe("then");
  });

  test("from what is no whole backup changes nothing and says why", async () => {
    const { folder, path, target, store, backup, restore } = await room();
    for (let n = 0; n < 200; n += 1) await store.put(`key ${n}`, "then".repeat(100), { ttl });
    await backup();
    const from = (name: string) => restoreSqlite({ ...deps, path, backup: join(folder, name), policy: replaceAll });
    await expect(from("store.db")).rejects.toThrow("is the store itself");
    await expect(from("none.db")).rejects.toMatchObject({ code: "ENOENT" });
    await writeFile(join(folder, "empty.db"), "");
    await expect(from("empty.db")).rejects.toThrow("is a database of another program");
    await writeFile(join(folder, "text.db"), "a text of some length, and no database at all".repeat(100));
    await expect(from("text.db")).rejects.toThrow(/text\.db is no whole backup \(SQLITE_NOTADB\)/);
    const newer = new DatabaseSync(target);
    newer.exec("UPDATE meta SET value = 99");
    newer.close();
    await expect(restore()).rejects.toThrow("was written by a newer Sallyport");
    truncateSync(target, 20 * 1024);
    await expect(restore()).rejects.toThrow(/backup\.db is no whole backup/);
    expect(await valueAt(store, "key 199")).toBe("then".repeat(100));
  });

  test("that cannot be finished changes nothing", async () => {
    const { store, backup, restore } = await room();
    await store.put("a", "then", { ttl });
    await backup();
    await store.put("a", "now", { ttl });
    const failing: RestorePolicy = {
      stays: () => false,
      returns: () => {
        throw new Error("no");
      },
    };
    await expect(restore(failing)).rejects.toThrow("no");
    expect(await valueAt(store, "a")).toBe("now");
    expect(await store.put("b", "it goes on", { ttl })).toBe(true);
  });
});
