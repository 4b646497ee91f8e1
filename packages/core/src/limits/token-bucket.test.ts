import { expect, test } from "vitest";
import { systemClock } from "../runtime/index.ts";
import { mostKeys } from "./bounded-map.ts";
import { createLimiter, requireAllowance } from "./index.ts";

function clockByHand() {
  let now = 5_000;
  return {
    clock: { ...systemClock, monotonic: () => now },
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test("a key has a minute's worth, then waits for exactly as long as it is told", () => {
  const { clock, pass } = clockByHand();
  const limiter = createLimiter({ clock, perMinute: 6 });
  for (let n = 0; n < 6; n += 1) expect(limiter.take("a")).toEqual({ ok: true });
  expect(limiter.take("a")).toEqual({ ok: false, retryAfter: 10 });
  pass(9_000);
  expect(limiter.take("a")).toEqual({ ok: false, retryAfter: 1 });
  pass(1_000);
  expect(limiter.take("a")).toEqual({ ok: true });
  expect(limiter.take("a")).toEqual({ ok: false, retryAfter: 10 });
});

test("keys do not share", () => {
  const { clock } = clockByHand();
  const limiter = createLimiter({ clock, perMinute: 1 });
  expect(limiter.take("a").ok).toBe(true);
  expect(limiter.take("b").ok).toBe(true);
  expect(limiter.take("a").ok).toBe(false);
});

test("no rest saves up more than a minute's worth", () => {
  const { clock, pass } = clockByHand();
  const limiter = createLimiter({ clock, perMinute: 3 });
  pass(3_600_000);
  limiter.take("a");
  pass(3_600_000);
  expect([1, 2, 3, 4].map(() => limiter.take("a").ok)).toEqual([true, true, true, false]);
});

test("refused requests do not push the next allowed one further away", () => {
  const { clock, pass } = clockByHand();
  const limiter = createLimiter({ clock, perMinute: 60 });
  for (let n = 0; n < 60; n += 1) limiter.take("a");
  for (let i = 0; i < 9; i++) {
    pass(100);
    expect(limiter.take("a").ok).toBe(false);
  }
  pass(100);
  expect(limiter.take("a").ok).toBe(true);
});

test("memory is bounded: the key unseen for longest is forgotten, one in use is not", () => {
  const { clock } = clockByHand();
  const limiter = createLimiter({ clock, perMinute: 1 });
  limiter.take("a");
  limiter.take("b");
  for (let n = 2; n < mostKeys; n += 1) limiter.take(`other ${n}`);
  expect(limiter.take("a").ok).toBe(false);
  limiter.take("one more");
  expect(limiter.take("a").ok).toBe(false);
  expect(limiter.take("b").ok).toBe(true);
});

test("what is given back can be taken again, by its own key and not beyond a minute's worth", () => {
  const { clock } = clockByHand();
  const limiter = createLimiter({ clock, perMinute: 2 });
  limiter.giveBack("a");
  const passed = () => [1, 2, 3].filter(() => limiter.take("a").ok).length;
  expect(passed()).toBe(2);
  limiter.giveBack("b");
  expect(passed()).toBe(0);
  limiter.giveBack("a");
  expect(passed()).toBe(1);
  for (let n = 0; n < 5; n += 1) limiter.giveBack("a");
  expect(passed()).toBe(2);
});

test("a request gives its place back once", () => {
  const { clock } = clockByHand();
  const limiter = createLimiter({ clock, perMinute: 2 });
  const first = requireAllowance(limiter, "a", "too many");
  requireAllowance(limiter, "a", "too many");
  first.giveBack();
  first.giveBack();
  requireAllowance(limiter, "a", "too many");
  expect(() => requireAllowance(limiter, "a", "too many")).toThrow(
    expect.objectContaining({ status: 429, reason: "rate_limited", retryAfter: 30 }),
  );
});
