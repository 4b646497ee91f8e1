import { expect, test } from "vitest";
import { UnreadableRecord } from "../records/index.ts";
import { type Clock, createLogger, systemRandom } from "../runtime/index.ts";
import { memoryStore, type Store, StoreUnavailable } from "../store/index.ts";
import { createReadiness } from "./readiness.ts";

/** A clock that stands still, where sleepers sleep, until it is told otherwise. */
function manualClock(): Clock & { advance(ms: number): void } {
  let now = 1_800_000_000_000;
  const sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();
  return {
    now: () => now,
    monotonic: () => now,
    sleep: (ms) => new Promise((wake) => void sleepers.add({ until: now + ms, wake })),
    advance(ms) {
      now += ms;
      for (const { until, wake } of sleepers) if (until <= now) wake();
    },
  };
}

function process() {
  const clock = manualClock();
  const state = { fault: undefined as Error | undefined, problems: [] as string[], deviation: 0, probes: 0, asked: 0 };
  const store: Store = {
    ...memoryStore({ clock, random: systemRandom }),
    problems: async () => {
      state.asked += 1;
      return state.problems;
    },
  };
  const keyring = {
    probe: async () => {
      state.probes += 1;
      if (state.fault) throw state.fault;
    },
  };
  const log: string[] = [];
  const logger = createLogger({ write: (line) => log.push(line.replace(/^\S+ /, "")) });
  const readiness = createReadiness({ store, keyring, deviation: () => state.deviation, clock, logger });
  /** Asks when the last answer no longer holds. */
  const later = (ms = 1_000) => {
    clock.advance(ms);
    return readiness();
  };
  return { state, log, readiness, later };
}

test("nothing is wrong, and nothing is logged", async () => {
  const { readiness, log } = process();
  expect(await readiness()).toEqual([]);
  expect(log).toEqual([]);
});

test.each<[string, Error]>([
  ["store unavailable", new StoreUnavailable("Redis did not serve a request (timeout).")],
  ["keyring unreadable", new UnreadableRecord("a stored keyring cannot be read: its data key does not open")],
  ["keyring unreadable", new Error("the stored keyring has no active key")],
])("%s: said as short as that, with the reason in the log, once; and when it is over", async (text, fault) => {
  const { state, log, readiness, later } = process();
  state.fault = fault;
  expect(await readiness()).toEqual([text]);
  expect(await later()).toEqual([text]);
  state.fault = undefined;
  expect(await later()).toEqual([]);
  expect(log.map((line) => line.trim())).toEqual([
    expect.stringMatching(/^warn +this process is not ready/),
    expect.stringMatching(/^info +this process is ready again/),
  ]);
  expect(log[0]).toContain(fault.message);
});

test("whoever asks within a second gets the same answer; a fit store is looked at once a minute, an unfit one every 5 s", async () => {
  const { state, readiness, later } = process();
  await Promise.all([readiness(), readiness()]);
  await later(999);
  expect(state).toMatchObject({ probes: 1, asked: 1 });
  await later(1);
  expect(state).toMatchObject({ probes: 2, asked: 1 });
  state.problems = ["Redis may drop live records; set it to noeviction"];
  expect(await later(59_000)).toEqual(["store unfit"]);
  state.problems = [];
  expect(await later(1_000)).toEqual(["store unfit"]);
  expect(await later(4_000)).toEqual([]);
});

test("a clock that is off by more than 30 s, whichever way; how far it is off is logged once", async () => {
  const { state, log, later } = process();
  state.deviation = 30_000;
  expect(await later()).toEqual([]);
  state.deviation = 30_001;
  expect(await later()).toEqual(["clock off by 30 s"]);
  state.deviation = -299_600;
  expect(await later()).toEqual(["clock off by 300 s"]);
  expect(log).toHaveLength(1);
  expect(log[0]).toContain("clock off by 30 s: it is ahead");
});

test("everything that is wrong is said", async () => {
  const { state, later } = process();
  state.problems = ["one", "two"];
  state.deviation = 60_000;
  expect(await later()).toEqual(["store unfit", "clock off by 60 s"]);
});

test("a store that does not answer within 2 s is unavailable", async () => {
  const clock = manualClock();
  const readiness = createReadiness({
    store: memoryStore({ clock, random: systemRandom }),
    keyring: { probe: () => new Promise(() => {}) },
    deviation: () => 0,
    clock,
    logger: createLogger({ write: () => {} }),
  });
  const asked = readiness();
  clock.advance(2_000);
  expect(await asked).toEqual(["store unavailable"]);
});
