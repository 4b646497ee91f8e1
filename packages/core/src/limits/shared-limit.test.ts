import { expect, test } from "vitest";
import { deriveRootKeys } from "../crypto/index.ts";
import { systemClock, systemRandom } from "../runtime/index.ts";
import { memoryStore } from "../store/memory.ts";
import { type Store, StoreUnavailable } from "../store/store.ts";
import { mostKeys } from "./bounded-map.ts";
import { type SharedLimit, sharedLimit } from "./index.ts";

const keys = deriveRootKeys(["a root secret that only this test has"]);
const minute = 60_000;

/** Replicas on one store and one clock, and how often the store is asked. */
function replicas(count: number, perMinute: number) {
  let now = 100 * minute;
  const clock = { ...systemClock, now: () => now };
  const inner = memoryStore({ clock, random: systemRandom });
  const counted: { key: string; by: number }[] = [];
  let fault: "before" | "after" | undefined;
  const store: Store = {
    ...inner,
    async count(key, by, options) {
      counted.push({ key, by });
      // Further away than another request of the same process.
      await new Promise((resolve) => setImmediate(resolve));
      if (fault === "before") throw new StoreUnavailable("gone");
      const answer = await inner.count(key, by, options);
      if (fault === "after") throw new StoreUnavailable("gone");
      return answer;
    },
  };
  const replica = (label: string) => sharedLimit({ store, keys, clock, label, perMinute });
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

const [first, second] = [0, 1];
const at = (limits: readonly SharedLimit[], index: number): SharedLimit => {
  const limit = limits[index];
  if (!limit) throw new Error(`there is no replica ${index}`);
  return limit;
};

async function passes(limit: SharedLimit, times: number, id = "alice"): Promise<number> {
  const allowances = await Promise.all(Array.from({ length: times }, () => limit.take(id)));
  return allowances.filter(({ ok }) => ok).length;
}

test.each([1, 2, 7, 10, 37, 199, 300])("one replica: exactly %i, however many come at once", async (perMinute) => {
  const { limits } = replicas(1, perMinute);
  expect(await passes(at(limits, first), perMinute - 1)).toBe(perMinute - 1);
  expect(await passes(at(limits, first), 50)).toBe(1);
});

test("steady traffic asks the store once in a block", async () => {
  const { limits, counted } = replicas(1, 300);
  await passes(at(limits, first), 29);
  expect(counted).toHaveLength(0);
  await passes(at(limits, first), 271);
  expect(counted.map(({ by }) => by)).toEqual(Array(10).fill(30));
  // Once it is known that there was too much, nobody needs to be asked.
  expect(await passes(at(limits, first), 1000)).toBe(0);
  expect(counted).toHaveLength(10);
});

test("several replicas: never less than the limit, and no more than a block less one beyond it for each", async () => {
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
    expect(passed).toBeLessThanOrEqual(perMinute + count * (block - 1));
  }
});

test("the worst case of two replicas stays within that bound, all at once", async () => {
  const { limits } = replicas(2, 100);
  const passed = await Promise.all([passes(at(limits, first), 500), passes(at(limits, second), 500)]);
  expect(passed[0] + passed[1]).toBeGreaterThanOrEqual(100);
  expect(passed[0] + passed[1]).toBeLessThanOrEqual(118);
});

test("a replica that has not been asked yet learns at its first report that there was too much", async () => {
  const { limits } = replicas(2, 100);
  expect(await passes(at(limits, first), 200)).toBe(100);
  expect(await passes(at(limits, second), 200)).toBe(9);
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
  const { limits, counted, advance } = replicas(1, 100);
  await passes(at(limits, first), 9);
  advance(minute);
  expect(await passes(at(limits, first), 300)).toBe(100);
  expect(counted[0]).toMatchObject({ by: 10 });
});

test("ids do not share, nor do limits of another label", async () => {
  const { replica } = replicas(0, 3);
  const limit = replica("client");
  expect(await passes(limit, 9, "alice")).toBe(3);
  expect(await passes(limit, 9, "bob")).toBe(3);
  expect(await passes(replica("principal"), 9, "alice")).toBe(3);
  expect(await passes(replica("client"), 9, "alice")).toBe(0);
});

test("keys in the store name nobody", async () => {
  const { limits, counted } = replicas(1, 1);
  await at(limits, first).take("alice@example.com");
  expect(counted).toHaveLength(1);
  expect(counted[0]?.key).toMatch(/^limit:[A-Za-z0-9_-]{8}\.[A-Za-z0-9_-]{43}:100$/);
});

test.each(["before", "after"] as const)(
  "an outage (%s the count) is no refusal, and what it swallowed is not held against anyone",
  async (how) => {
    const { limits, ...broken } = replicas(1, 20);
    broken.break(how);
    await at(limits, first).take("alice");
    await expect(at(limits, first).take("alice")).rejects.toThrow(StoreUnavailable);
    broken.break(undefined);
    const passed = await passes(at(limits, first), 99);
    expect(passed).toBe(how === "before" ? 20 : 18);
  },
);

test("memory is bounded: the id unseen for longest is forgotten", async () => {
  const { limits } = replicas(1, 20);
  const limit = at(limits, first);
  await limit.take("alice");
  await Promise.all(Array.from({ length: mostKeys }, (_, n) => limit.take(`other ${n}`)));
  // Forgotten: her one unreported request is not counted.
  expect(await passes(limit, 99)).toBe(20);
});
