import { expect, test } from "vitest";
import { systemClock } from "../runtime/index.ts";
import { createLimiter } from "./index.ts";

function clockByHand() {
  let now = 5_000;
  return {
    clock: { ...systemClock, monotonic: () => now },
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test("a key has its burst, then waits for exactly as long as it is told", () => {
  const { clock, pass } = clockByHand();
  const limiter = createLimiter({ clock, perMinute: 6, burst: 2 });
  expect([limiter.take("a"), limiter.take("a")]).toEqual([{ ok: true }, { ok: true }]);
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

test("no rest saves up more than the burst; without one it is a minute's worth", () => {
  const { clock, pass } = clockByHand();
  const limiter = createLimiter({ clock, perMinute: 3 });
  pass(3_600_000);
  limiter.take("a");
  pass(3_600_000);
  expect([1, 2, 3, 4].map(() => limiter.take("a").ok)).toEqual([true, true, true, false]);
});

test("refused requests do not push the next allowed one further away", () => {
  const { clock, pass } = clockByHand();
  const limiter = createLimiter({ clock, perMinute: 60, burst: 1 });
  limiter.take("a");
  for (let i = 0; i < 9; i++) {
    pass(100);
    expect(limiter.take("a").ok).toBe(false);
  }
  pass(100);
  expect(limiter.take("a").ok).toBe(true);
});

test("memory is bounded: the key unseen for longest is forgotten, one in use is not", () => {
  const { clock } = clockByHand();
  const limiter = createLimiter({ clock, perMinute: 1, maxKeys: 3 });
  for (const key of ["a", "b", "c"]) limiter.take(key);
  expect(limiter.take("a").ok).toBe(false);
  limiter.take("d");
  expect(limiter.take("a").ok).toBe(false);
  expect(limiter.take("b").ok).toBe(true);
});
