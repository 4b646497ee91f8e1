import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { silentLogger, systemClock, systemRandom } from "../../packages/core/src/runtime/index.ts";
import { createDynamoTable, memoryStore, openStore, type Store } from "../../packages/core/src/store/index.ts";
import { startDynamo } from "../support/dynamo-server.ts";
import { describeWithRedis, startRedis } from "../support/redis-server.ts";
import { type SourceProcess, spawnSource } from "../support/source-condition.ts";
import { type Order, parseAnswer, perform } from "./race-orders.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const ttl = 600_000;
const contenders = 3;

interface Race {
  readonly store: Store;
  /** Gives every contender the same job at one moment; one list of answers for each contender. */
  run(order: Pick<Order, "job" | "keys"> & Partial<Order>): Promise<boolean[][]>;
}

// Nobody made the file yet: the contenders also race to make it.
const overSqlite = async (): Promise<Race> => betweenProcesses(`sqlite:${join(await temporaryFolder(), "store.db")}`);

async function overRedis(): Promise<Race> {
  const redis = await startRedis();
  onTestFinished(() => redis.close());
  return betweenProcesses(redis.url);
}

async function overDynamo(): Promise<Race> {
  const dynamo = await startDynamo();
  onTestFinished(() => dynamo.close());
  await createDynamoTable(dynamo.url("race"), async () => {});
  return betweenProcesses(dynamo.url("race"));
}

async function betweenProcesses(url: string): Promise<Race> {
  const children = Array.from({ length: contenders }, () => start(url));
  await Promise.all(children.map((child) => child.waitForLine((line) => line === "ready")));
  const store = await openStore(url, deps);
  onTestFinished(() => store.close());
  return {
    store,
    run: async (order) => {
      const at = Date.now() + 15;
      return await Promise.all(
        children.map(async (child, n) => {
          child.child.stdin.write(`${JSON.stringify({ versions: [], ...order, at, name: String(n) })}\n`);
          return parseAnswer(await child.waitForLine((_, name) => name === "stdout"));
        }),
      );
    },
  };
}

const start = (url: string): SourceProcess => spawnSource(new URL("race-contender.ts", import.meta.url), [url]);

async function inOneProcess(): Promise<Race> {
  const store = memoryStore(deps);
  return {
    store,
    run: (order) =>
      Promise.all(
        Array.from({ length: contenders }, (_, n) =>
          perform(store, { versions: [], ...order, at: 0, name: String(n) }),
        ),
      ),
  };
}

const winnersPerKey = (answers: boolean[][]): number[] =>
  (answers[0] ?? []).map((_, key) => answers.filter((won) => won[key]).length);

const wins = (answers: boolean[][]): number => answers.flat().filter(Boolean).length;

const kinds: readonly (readonly [string, typeof describe.skip, () => Promise<Race>])[] = [
  ["sqlite, from several processes", describe, overSqlite],
  ["redis, from several processes", describeWithRedis, overRedis],
  ["dynamodb, from several processes", describe, overDynamo],
  ["memory", describe, inOneProcess],
];

for (const [name, suite, prepare] of kinds)
  suite(`races over ${name}`, () => {
    const keys = Array.from({ length: 40 }, (_, n) => `key ${n}`);
    const ones = keys.map(() => 1);

    test("take, put ifAbsent and swap: one contender wins each key", async () => {
      const { store, run } = await prepare();

      const put = await run({ job: "putIfAbsent", keys });
      expect(winnersPerKey(put)).toEqual(ones);
      for (const [n, key] of keys.entries()) {
        const winner = put.findIndex((won) => won[n]);
        expect(await store.get(key)).toMatchObject({ value: String(winner) });
      }
      // Who lost left no hint: each contender's list is what it won.
      for (let n = 0; n < contenders; n += 1) {
        const won = keys.filter((_, key) => put[n]?.[key]);
        expect((await store.list("user", String(n))).keys.toSorted()).toEqual(won.toSorted());
      }

      const versions: string[] = [];
      for (const key of keys) versions.push((await store.get(key))?.version ?? "");
      const swapped = await run({ job: "swapOnce", keys, versions });
      expect(winnersPerKey(swapped)).toEqual(ones);
      for (const [n, key] of keys.entries()) {
        const winner = swapped.findIndex((won) => won[n]);
        expect(await store.get(key)).toMatchObject({ value: String(winner) });
      }

      expect(winnersPerKey(await run({ job: "take", keys }))).toEqual(ones);
      for (const key of keys) expect(await store.get(key)).toBeUndefined();
    });

    test("swap in a loop loses no update", async () => {
      const { store, run } = await prepare();
      await store.put("sum", "0", { ttl });
      const answers = await run({ job: "increment", keys: Array.from({ length: 40 }, () => "sum") });
      expect(wins(answers)).toBe(40 * contenders);
      expect(await store.get("sum")).toMatchObject({ value: String(40 * contenders) });
    });

    test("count adds up exactly, and stops exactly at its limit", async () => {
      const { store, run } = await prepare();
      const each = Array.from({ length: 40 }, () => "counter");
      expect(wins(await run({ job: "count", keys: each }))).toBe(40 * contenders);
      expect(await store.count("counter", 0, { ttl })).toEqual({ allowed: true, value: 40 * contenders });

      const limited = each.map(() => "limited");
      expect(wins(await run({ job: "count", keys: limited, limit: 70 }))).toBe(70);
      expect(await store.count("limited", 0, { ttl })).toEqual({ allowed: true, value: 70 });
    });
  });

test("processes that open and close new files at once all succeed, and find each other's writes", async () => {
  const { run } = await overSqlite();
  const folder = await temporaryFolder();
  const urls = Array.from({ length: 20 }, (_, n) => `sqlite:${join(folder, `${n}.db`)}`);
  expect(winnersPerKey(await run({ job: "open", keys: urls }))).toEqual(urls.map(() => 1));
});

test("of a writer killed at any moment, every acknowledged write stands, and the next writer goes on", async () => {
  const path = join(await temporaryFolder(), "store.db");
  const store = await openStore(`sqlite:${path}`, deps);
  onTestFinished(() => store.close());
  for (const [name, rounds] of [
    ["first", 20],
    ["second", 7],
  ] as const) {
    const writer = spawnSource(new URL("acknowledging-writer.ts", import.meta.url), [`sqlite:${path}`, name]);
    await writer.waitForLine((line) => line === String(rounds));
    writer.child.kill("SIGKILL");
    expect(await writer.exited).toEqual({ code: null, signal: "SIGKILL" });

    const acknowledged = writer.output("stdout").split("\n").filter(Boolean);
    expect(acknowledged.length).toBeGreaterThan(rounds);
    for (const round of acknowledged) {
      expect(await store.get(`${name} grant ${round}`)).toMatchObject({ value: "live" });
      expect(await store.get(`${name} transaction ${round}`)).toBeUndefined();
    }
    const counted = (await store.count(name, 0, { ttl })).value;
    expect(counted).toBeGreaterThanOrEqual(acknowledged.length);
    // At most the last round was answered by the store and not said any more.
    expect(counted).toBeLessThanOrEqual(acknowledged.length + 1);
  }
  const check = new DatabaseSync(path);
  expect(check.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  check.close();
});
