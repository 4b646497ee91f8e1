import { expect, test } from "vitest";
import { createExpiringMap } from "./expiring-map.ts";

function make(limit: number) {
  let now = 0;
  const map = createExpiringMap<string>({ now: () => now }, limit);
  return { map, at: (time: number) => (now = time) };
}

test("an entry ends at its time", () => {
  const { map, at } = make(10);
  map.set("a", "x", 100);
  at(99);
  expect(map.get("a")).toBe("x");
  at(100);
  expect([map.get("a"), map.take("a"), map.values()]).toEqual([undefined, undefined, []]);
});

test("take gives an entry once", () => {
  const { map } = make(10);
  map.set("a", "x", 100);
  expect([map.take("a"), map.take("a")]).toEqual(["x", undefined]);
});

test("at the limit ended entries go first, then the oldest", () => {
  const { map, at } = make(3);
  map.set("long", "x", 1000);
  map.set("short", "x", 10);
  map.set("new", "x", 1000);
  at(10);
  map.set("newer", "x", 1000);
  expect(map.get("long")).toBe("x");
  map.set("newest", "x", 1000);
  expect(map.get("long")).toBeUndefined();
  expect(map.size).toBe(3);
});

test("ended entries are swept without being asked for", () => {
  const { map, at } = make(1_000_000);
  for (let index = 0; index < 1000; index += 1) {
    at(index * 10);
    map.set(String(index), "x", index * 10 + 50);
  }
  expect(map.size).toBeLessThan(300);
});
