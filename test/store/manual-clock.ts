import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../packages/core/src/runtime/index.ts";

export interface ManualClock extends Clock {
  /** Moves both clocks and wakes whoever sleeps until then; returns when these have done what they do without waiting. */
  advance(ms: number): Promise<void>;
}

/** A clock that moves when told. It starts at the present, because a backend's own expiry goes by the real time. */
export function manualClock(): ManualClock {
  const start = Date.now();
  const sleepers = new Set<{ due: number; wake: () => void }>();
  let passed = 0;
  return {
    now: () => start + passed,
    monotonic: () => passed,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const sleeper = {
          due: passed + ms,
          wake: () => {
            sleepers.delete(sleeper);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", sleeper.wake, { once: true });
      }),
    async advance(ms) {
      passed += ms;
      for (const sleeper of [...sleepers]) if (sleeper.due <= passed) sleeper.wake();
      await setImmediate();
    },
  };
}
