// The stores of the growth benchmark, and how many grants at once get into them.
import { closeSync, createReadStream, fsyncSync, openSync } from "node:fs";
import { stat } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { Redis } from "ioredis";
import { type Clock, silentLogger, systemRandom } from "../packages/core/src/runtime/index.ts";
import { openStore, type Store } from "../packages/core/src/store/index.ts";
import type { Row } from "./growth-grants.ts";

/** A store that is being filled past what a server does one by one. */
export interface Filling {
  write(rows: readonly Row[]): Promise<void>;
  /** The filled store, as a server opens it. */
  open(): Promise<Filled>;
}

export interface Filled {
  readonly store: Store;
  /** Of the file or of the server's memory; undefined where that cannot be told. */
  readonly bytes: number | undefined;
  /** Brings what lies on the disk into the memory of the operating system. */
  warm(): Promise<void>;
}

/** Reads a file once. The store is to be measured, not how much of its file the machine happens to hold in memory. */
export async function readOnce(path: string): Promise<void> {
  for await (const _ of createReadStream(path, { highWaterMark: 4_194_304 }));
}

/** Ends such a connection, and waits until all of it is on the disk: what is measured next is not to share it. */
export function closeSynced(database: DatabaseSync, path: string): void {
  database.close();
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
}

/** A connection that changes much in little time and would lose it with the machine. */
export function openUnsynced(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000");
  return database;
}

/** An SQLite file, filled by a connection of its own: a transaction for each batch, nothing synced. */
export async function fillSqlite(path: string, clock: Clock): Promise<Filling> {
  const open = (): Promise<Store> => openStore(`sqlite:${path}`, { clock, random: systemRandom, logger: silentLogger });
  // The store makes its tables itself.
  await (await open()).close();
  const database = openUnsynced(path);
  const insert = database.prepare(`INSERT INTO entries (key, value, version, expires_at, user, client)
    VALUES (:key, :value, :version, :expiresAt, :user, :client)`);
  return {
    async write(rows) {
      database.exec("BEGIN");
      for (const { index, ...row } of rows) {
        insert.run({ ...row, user: index.user ?? null, client: index.client ?? null });
      }
      database.exec("COMMIT");
    },
    async open() {
      closeSynced(database, path);
      return { store: await open(), bytes: (await stat(path)).size, warm: () => readOnce(path) };
    },
  };
}

/** A database of a Redis server, filled through the store: what is asked at once goes out at once. */
export async function fillRedis(url: string, clock: Clock): Promise<Filling> {
  const store = await openStore(url, { clock, random: systemRandom, logger: silentLogger });
  const before = await memoryOfRedis(url);
  return {
    async write(rows) {
      await Promise.all(
        rows.map(({ key, value, expiresAt, index }) => store.put(key, value, { ttl: expiresAt - clock.now(), index })),
      );
    },
    open: async () => ({ store, bytes: (await memoryOfRedis(url)) - before, warm: async () => {} }),
  };
}

async function memoryOfRedis(url: string): Promise<number> {
  const client = new Redis(url);
  const info = await client.info("memory");
  client.disconnect();
  return Number(/^used_memory:(\d+)/m.exec(info)?.[1]);
}
