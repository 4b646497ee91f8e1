import { expect, test } from "vitest";
import { type Clock, systemRandom } from "../runtime/index.ts";
import { memoryStore } from "./memory.ts";
import { observedStore } from "./observed-store.ts";
import { type Store, StoreUnavailable } from "./store.ts";

let now = 0;
const clock: Clock = { now: () => now, monotonic: () => now, sleep: async () => {} };
const store = memoryStore({ clock, random: systemRandom });

function observed(inner: Store) {
  const told: unknown[] = [];
  const observer = { store: (...call: unknown[]) => void told.push(call), remote: () => {} };
  return { told, store: observedStore(inner, observer, clock) };
}

test("every operation answers as it did, and is told with the time it took", async () => {
  const slow: Store = {
    ...store,
    get: async (key) => {
      now += 3;
      return store.get(key);
    },
  };
  const { told, store: seen } = observed(slow);
  expect(await seen.put("a", "1", { ttl: 1000, ifAbsent: true })).toBe(true);
  expect(await seen.put("a", "1", { ttl: 1000, ifAbsent: true })).toBe(false);
  const entry = await seen.get("a");
  expect(entry?.value).toBe("1");
  expect(await seen.swap("a", entry?.version ?? "", "2", { ttl: 1000 })).toBe(true);
  expect(await seen.count("n", 2, { ttl: 1000, limit: 1 })).toEqual({ allowed: false, value: 0 });
  expect((await seen.list("user", "nobody")).keys).toEqual([]);
  expect((await seen.scan()).keys).toContain("a");
  expect((await seen.take("a"))?.value).toBe("2");
  await seen.delete("a");
  expect(told).toEqual([
    ["put", 0, "ok"],
    ["put", 0, "ok"],
    ["get", 3, "ok"],
    ["swap", 0, "ok"],
    ["count", 0, "ok"],
    ["list", 0, "ok"],
    ["scan", 0, "ok"],
    ["take", 0, "ok"],
    ["delete", 0, "ok"],
  ]);
});

test.each([
  [new StoreUnavailable("away"), "unavailable"],
  [new TypeError("a fault"), "error"],
])("a rejection passes as it is, and is told: %s", async (fault, outcome) => {
  const { told, store: seen } = observed({ ...store, take: () => Promise.reject(fault) });
  await expect(seen.take("a")).rejects.toBe(fault);
  expect(told).toEqual([["take", 0, outcome]]);
});

test("whether a store knows problems stays visible", async () => {
  const { problems: _, ...plain } = store;
  expect(observed(plain).store.problems).toBeUndefined();
  const { store: seen } = observed({ ...store, problems: async () => ["unfit"] });
  expect(await seen.problems?.()).toEqual(["unfit"]);
});
