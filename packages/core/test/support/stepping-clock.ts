import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../src/runtime/index.ts";

/** A clock that stands still until it is told otherwise, or until somebody sleeps: a sleep passes its time at once. */
export interface SteppingClock extends Clock {
  advance(ms: number): void;
}

export function steppingClock(): SteppingClock {
  const start = Date.UTC(2026, 0, 1);
  let passed = 0;
  return {
    now: () => start + passed,
    monotonic: () => passed,
    // Whoever else has something to do gets its turn before the time is over.
    sleep: async (ms) => {
      for (let turns = 0; turns < 3; turns += 1) await setImmediate();
      passed += ms;
    },
    advance: (ms) => {
      passed += ms;
    },
  };
}

/** The clock of a replica whose wall clock is ahead by `ms`. */
export const ahead = (clock: Clock, ms: number): Clock => ({ ...clock, now: () => clock.now() + ms });
