import { expect, test } from "vitest";
import { type Clock, clockDeviation, clockWatch, soundClock } from "./index.ts";

/** A machine whose two clocks are moved by hand, ms. */
function machine() {
  let [wall, monotonic] = [1_800_000_000_000, 5_000];
  const clock: Clock = { now: () => wall, monotonic: () => monotonic, sleep: async () => {} };
  return {
    clock,
    pass(ms: number): void {
      wall += ms;
      monotonic += ms;
    },
    /** Somebody sets the wall clock. */
    set(by: number): void {
      wall += by;
    },
    /** Another clock's time, if this machine's is ahead by so much. */
    theirs: (ahead: number): number => wall - ahead,
  };
}

test("what another clock showed says how far this one is ahead; half of the way counts", () => {
  const { clock, pass, theirs } = machine();
  const watch = clockWatch(clock);
  expect(watch.ahead()).toBeUndefined();
  const askedAt = clock.monotonic();
  const answer = theirs(40_000) + 100;
  pass(200);
  watch.saw(answer, askedAt);
  expect(watch.ahead()).toBe(40_000);
});

test("an answer that took more than 5 s says nothing", () => {
  const { clock, pass, theirs } = machine();
  const watch = clockWatch(clock);
  const askedAt = clock.monotonic();
  pass(5_001);
  watch.saw(theirs(300_000), askedAt);
  expect(watch.ahead()).toBeUndefined();
});

test("it is forgotten after an hour, and when the clock is set", () => {
  const { clock, pass, set, theirs } = machine();
  const watch = clockWatch(clock);
  watch.saw(theirs(300_000), clock.monotonic());
  pass(3_600_000);
  expect(watch.ahead()).toBe(300_000);
  pass(1);
  expect(watch.ahead()).toBeUndefined();
  watch.saw(theirs(300_000), clock.monotonic());
  set(-300_000);
  expect(watch.ahead()).toBeUndefined();
});

const says = (ahead: number | undefined) => ({ ahead: () => ahead });

test.each<[string, (number | undefined)[], number, number]>([
  ["nobody says anything", [undefined, undefined], 0, 0],
  ["30 s are within every leeway", [30_000, undefined], 0, 30_000],
  ["more is put right", [30_001, undefined], 30_001, 30_001],
  ["behind as ahead", [undefined, -300_000.4], -300_000, -300_000.4],
  ["of two who agree the least counts, and the most is told", [300_000, 310_000], 300_000, 310_000],
  ["where one says that all is well nothing is put right, and it is told", [0, -300_000], 0, -300_000],
  ["so where they contradict each other", [20_000, 300_000], 0, 300_000],
])("%s", (_, witnesses, corrected, deviation) => {
  const { clock } = machine();
  const watches = witnesses.map(says);
  expect(clock.now() - soundClock(clock, watches).now()).toBe(corrected);
  expect(clockDeviation(watches)).toBe(deviation);
});
