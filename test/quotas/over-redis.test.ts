import { setTimeout as after } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWithRedis, type RedisServer, startRedis } from "../support/redis-server.ts";
import { type SourceProcess, spawnSource } from "../support/source-condition.ts";

const replicas = 3;
const hour = 3_600_000;

describeWithRedis("quotas over several processes and Redis", () => {
  let redis: RedisServer;
  let processes: readonly SourceProcess[];

  beforeAll(async () => {
    // Both halves of what is counted here shall be in one window.
    const left = hour - (Date.now() % hour);
    if (left < 20_000) await after(left);
    redis = await startRedis();
    processes = Array.from({ length: replicas }, () =>
      spawnSource(new URL("counting-process.ts", import.meta.url), [redis.url]),
    );
    await Promise.all(processes.map((process) => process.waitForLine((line) => line === "ready")));
  }, 60_000);
  afterAll(async () => {
    await Promise.all(processes.map((process) => process.stop()));
    await redis.close();
  });

  /** What passed at each, all beginning at one moment. */
  const takeAll = async (id: string, limit: number, times: number, burst: number) => {
    const at = Date.now() + 100;
    return await Promise.all(
      processes.map(async (process): Promise<{ readonly passed: number; readonly waited: number }> => {
        process.child.stdin.write(`${JSON.stringify({ at, id, limit, times, burst })}\n`);
        return JSON.parse(await process.waitForLine((line) => line.startsWith("{")));
      }),
    );
  };
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

  test.each([
    [1000, 2000, 50],
    [1000, 2000, 2000],
    [300, 900, 1],
    [20, 200, 7],
    [5, 100, 10],
  ])(
    "a limit of %i, asked for %i times each, %i at once: never fewer, and at most a block more for each",
    async (limit, times, burst) => {
      const block = Math.max(1, Math.floor(limit / 10));
      const all = await takeAll(`${limit} ${burst}`, limit, times, burst);
      expect(sum(all.map(({ passed }) => passed))).toBeGreaterThanOrEqual(limit);
      expect(sum(all.map(({ passed }) => passed))).toBeLessThanOrEqual(limit + replicas * block);
      // Once all know, nobody passes any more.
      expect(
        sum((await takeAll(`${limit} ${burst}`, limit, times, burst)).map(({ passed }) => passed)),
      ).toBeLessThanOrEqual(limit + replicas * block - sum(all.map(({ passed }) => passed)));
    },
  );

  test("an even stream below the limit passes whole, and hardly ever waits for the store", async () => {
    const all = await takeAll("even", 10_000, 3000, 3);
    expect(all.map(({ passed }) => passed)).toEqual([3000, 3000, 3000]);
    expect(sum(all.map(({ waited }) => waited))).toBeLessThan(900);
  });
});
