import { expect, test } from "vitest";
import { deriveRootKeys } from "../crypto/index.ts";
import { systemClock, systemRandom } from "../runtime/index.ts";
import { memoryStore } from "../store/memory.ts";
import { type Store, StoreUnavailable } from "../store/store.ts";
import { type SharedLimit, sharedCounts, sharedLimit } from "./index.ts";

const keys = deriveRootKeys(["a root secret that only this test has"]);
const minute = 60_000;

/** Replicas on one store and one clock, and how often the store is asked. */
function replicas(count: number, perMinute: number, most?: number) {
  let now = 100 * minute;
  const clock = { ...systemClock, now: () => now, monotonic: () => now };
  const inner = memoryStore({ clock, random: systemRandom });
  const counted: { key: string; by: number }[] = [];
  let fault: "before" | "after" | "silent" | undefined;
  const store: Store = {
    ...inner,
    async count(key, by, options) {
      counted.push({ key, by });
      // Further away than another request of the same process.
      await new Promise((resolve) => setImmediate(resolve));
      if (fault === "silent") return new Promise(() => {});
      if (fault === "before") throw new StoreUnavailable("gone");
      const answer = await inner.count(key, by, options);
      if (fault === "after") throw new StoreUnavailable("gone");
      return answer;
    },
  };
  const replica = (label: string) =>
    sharedLimit(sharedCounts({ store, keys, clock, ...(most === undefined ? {} : { most }) }), label, perMinute);
  return {
    limits: Array.from({ length: count }, () => replica("test")),
    replica,
    counted,
    advance: (ms: number) => {
      now += ms;
    },
    break: (how: typeof fault) => {
      fault = how;
    },
  };
}

/** A store and a clock of their own. */
function stores() {
  const clock = { ...systemClock, now: () => 100 * minute };
  return { clock, store: memoryStore({ clock, random: systemRandom }) };
}

const [first, second] = [0, 1];
const at = (limits: readonly SharedLimit[], index: number): SharedLimit => {
  const limit = limits[index];
  if (!limit) throw new Error(`there is no replica ${index}`);
  return limit;
};

async function passes(limit: SharedLimit, times: number, id = "alice"): Promise<number> {
  const allowances = await Promise.all(Array.from({ length: times }, async () => limit.take(id)));
  return allowances.filter(({ ok }) => ok).length;
}

test.each([1, 2, 7, 10, 37, 199, 300])("one replica: exactly %i, however many come at once", async (perMinute) => {
  const { limits } = replicas(1, perMinute);
  expect(await passes(at(limits, first), perMinute - 1)).toBe(perMinute - 1);
  expect(await passes(at(limits, first), 50)).toBe(1);
});

test("steady traffic asks the store twice in a block, and never waits for it", async () => {
  const { limits, counted } = replicas(1, 300);
  const limit = at(limits, first);
  for (let n = 0; n < 300; n += 1) {
    expect(limit.take("alice")).toEqual({ ok: true });
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(counted.length).toBeLessThanOrEqual(20);
  expect(counted.length).toBeGreaterThanOrEqual(15);
  // Once it is known that there was too much, nobody needs to be asked.
  const asked = counted.length;
  expect(await passes(limit, 1000)).toBe(0);
  expect(counted).toHaveLength(asked);
});

test("a burst waits for the store where a block is used up", async () => {
  const { limits, counted } = replicas(1, 100);
  const taken = Array.from({ length: 30 }, () => at(limits, first).take("alice"));
  expect(taken.map((one) => one instanceof Promise)).toEqual([...Array(10).fill(false), ...Array(20).fill(true)]);
  expect((await Promise.all(taken.map(async (one) => one))).every(({ ok }) => ok)).toBe(true);
  expect(counted.reduce((sum, { by }) => sum + by, 0)).toBeGreaterThanOrEqual(20);
});

test("several replicas: never less than the limit, and no more than a block beyond it for each", async () => {
  const perMinute = 100;
  const block = 10;
  for (const count of [2, 3, 7]) {
    const { limits } = replicas(count, perMinute);
    let passed = 0;
    let refusedAt: number | undefined;
    // One after the other, each at another replica, as behind a load balancer.
    for (let n = 0; n < 400; n += 1) {
      const { ok } = await at(limits, n % count).take("alice");
      if (ok) passed += 1;
      else refusedAt ??= passed;
    }
    expect(refusedAt).toBeGreaterThanOrEqual(perMinute);
    expect(passed).toBeLessThanOrEqual(perMinute + count * block);
  }
});

test("the worst case of two replicas stays within that bound, all at once", async () => {
  const { limits } = replicas(2, 100);
  const passed = await Promise.all([passes(at(limits, first), 500), passes(at(limits, second), 500)]);
  expect(passed[0] + passed[1]).toBeGreaterThanOrEqual(100);
  expect(passed[0] + passed[1]).toBeLessThanOrEqual(120);
});

test("a replica that has not been asked yet learns at its first report that there was too much", async () => {
  const { limits } = replicas(2, 100);
  expect(await passes(at(limits, first), 200)).toBe(100);
  expect(await passes(at(limits, second), 200)).toBeLessThanOrEqual(10);
});

test("refused requests are told when the window ends, and then the next may pass", async () => {
  const { limits, advance } = replicas(1, 5);
  advance(12_300);
  await passes(at(limits, first), 5);
  expect(await at(limits, first).take("alice")).toEqual({ ok: false, retryAfter: 48 });
  advance(47_600);
  expect(await at(limits, first).take("alice")).toEqual({ ok: false, retryAfter: 1 });
  advance(400);
  expect(await passes(at(limits, first), 9)).toBe(5);
});

test("what was not reported ends with its window", async () => {
  const { limits, advance } = replicas(1, 100);
  await passes(at(limits, first), 9);
  advance(minute);
  expect(await passes(at(limits, first), 300)).toBe(100);
});

test("who waits for the store while the window ends is counted in the next one", async () => {
  const { limits, advance } = replicas(1, 1);
  const limit = at(limits, first);
  expect(limit.take("alice")).toEqual({ ok: true });
  expect(limit.take("alice")).toMatchObject({ ok: false });
  advance(minute);
  expect(await limit.take("alice")).toEqual({ ok: true });
  const { limits: two, advance: later } = replicas(1, 2);
  const other = at(two, first);
  void other.take("alice");
  const waiting = other.take("alice");
  expect(waiting).toBeInstanceOf(Promise);
  later(minute);
  expect(await waiting).toEqual({ ok: true });
  expect((await other.take("alice")).ok).toBe(true);
  expect((await other.take("alice")).ok).toBe(false);
});

test("ids do not share, nor do limits of another label", async () => {
  const { replica } = replicas(0, 3);
  const limit = replica("client");
  expect(await passes(limit, 9, "alice")).toBe(3);
  expect(await passes(limit, 9, "bob")).toBe(3);
  expect(await passes(replica("principal"), 9, "alice")).toBe(3);
  // Another replica, which has a block of one before it knows.
  expect(await passes(replica("client"), 9, "alice")).toBe(1);
});

test("keys in the store name nobody", async () => {
  const { limits, counted } = replicas(1, 1);
  await at(limits, first).take("alice@example.com");
  expect(counted).toHaveLength(1);
  expect(counted[0]?.key).toMatch(/^limit:[A-Za-z0-9_-]{8}\.[A-Za-z0-9_-]{43}:100$/);
});

test("what is given back can be taken again", async () => {
  const { store, clock } = stores();
  const counts = sharedCounts({ store, keys, clock });
  const rule = { label: "test", limit: 20, window: minute };
  for (let n = 0; n < 20; n += 1) expect((await counts.take(rule, "alice")).ok).toBe(true);
  expect((await counts.take(rule, "alice")).ok).toBe(false);
  counts.giveBack(rule, "alice");
  counts.giveBack(rule, "nobody");
  expect((await counts.take(rule, "alice")).ok).toBe(true);
  expect((await counts.take(rule, "alice")).ok).toBe(false);
});

test.each(["before", "after", "silent"] as const)(
  "an outage (%s the count): each replica goes on by its own count, without asking at every request",
  async (how) => {
    const { limits, counted, advance, ...broken } = replicas(2, 100);
    await passes(at(limits, first), 20);
    broken.break(how);
    for (const limit of limits) expect(await passes(limit, 300)).toBeLessThanOrEqual(100);
    expect(await passes(at(limits, first), 10)).toBe(0);
    const asked = counted.length;
    expect(asked).toBeLessThan(12);
    broken.break(undefined);
    advance(minute);
    expect(await passes(at(limits, first), 300)).toBe(100);
    expect(await passes(at(limits, second), 300)).toBeLessThanOrEqual(10);
  },
);

test("memory is bounded, and who makes many ids is counted all the same", async () => {
  const { limits, counted } = replicas(1, 100, 50);
  const limit = at(limits, first);
  await passes(limit, 3);
  await Promise.all(Array.from({ length: 50 }, async (_, n) => limit.take(`other ${n}`)));
  expect(counted.map(({ by }) => by)).toEqual([3]);
  // What had been forgotten here is known there.
  expect(await passes(limit, 200)).toBe(97);
});
