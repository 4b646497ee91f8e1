import { expect, test } from "vitest";
import { systemClock, systemRandom } from "../runtime/index.ts";
import { memoryStore } from "./memory.ts";
import { StoreUnavailable } from "./store.ts";

function atTime(): { clock: typeof systemClock; pass: (ms: number) => void } {
  let now = 1_800_000_000_000;
  return {
    clock: { ...systemClock, now: () => now },
    pass: (ms) => {
      now += ms;
    },
  };
}

test("a full memory store refuses a new entry and keeps every live one", async () => {
  const { clock } = atTime();
  const store = memoryStore({ clock, random: systemRandom, maxEntries: 3 });
  for (const key of ["a", "b"]) await store.put(key, key, { ttl: 1000 });
  await store.count("attempts", 1, { ttl: 1000 });
  await expect(store.put("c", "c", { ttl: 1000 })).rejects.toThrow(StoreUnavailable);
  await expect(store.count("more", 1, { ttl: 1000 })).rejects.toThrow(StoreUnavailable);
  expect(await store.get("a")).toMatchObject({ value: "a" });
  expect(await store.get("b")).toMatchObject({ value: "b" });
  expect(await store.count("attempts", 1, { ttl: 1000 })).toEqual({ allowed: true, value: 2 });
});

test("a full memory store still replaces, swaps, and reads at no cost of room", async () => {
  const { clock } = atTime();
  const store = memoryStore({ clock, random: systemRandom, maxEntries: 1 });
  await store.put("a", "1", { ttl: 1000 });
  expect(await store.put("a", "2", { ttl: 1000 })).toBe(true);
  const entry = await store.get("a");
  expect(await store.swap("a", entry?.version ?? "", "3", { ttl: 1000 })).toBe(true);
  expect(await store.count("other", 0, { ttl: 1000 })).toEqual({ allowed: true, value: 0 });
  await store.delete("a");
  expect(await store.put("b", "1", { ttl: 1000 })).toBe(true);
});

test("a full memory store drops what has expired to make room, counters included", async () => {
  const { clock, pass } = atTime();
  const store = memoryStore({ clock, random: systemRandom, maxEntries: 3 });
  await store.put("short", "1", { ttl: 1000 });
  await store.count("window", 1, { ttl: 2000 });
  await store.put("long", "1", { ttl: 60_000 });
  await expect(store.put("new", "1", { ttl: 1000 })).rejects.toThrow(StoreUnavailable);
  pass(1000);
  expect(await store.put("new", "1", { ttl: 60_000 })).toBe(true);
  await expect(store.put("newer", "1", { ttl: 1000 })).rejects.toThrow(StoreUnavailable);
  pass(1000);
  expect(await store.put("newer", "1", { ttl: 60_000 })).toBe(true);
  expect(await store.get("long")).toBeDefined();
  expect(await store.get("new")).toBeDefined();
});

test("a size that is none is refused", () => {
  for (const maxEntries of [0, -1, 1.5, Number.NaN]) {
    expect(() => memoryStore({ clock: systemClock, random: systemRandom, maxEntries })).toThrow(/maxEntries/);
  }
});
