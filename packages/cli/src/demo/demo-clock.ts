import { setTimeout as after } from "node:timers/promises";

/** What the demo servers need of time. The library's `Clock` fits. */
export interface DemoClock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Resolves after `ms` milliseconds, or at once when `signal` is aborted; never rejects. Default: the machine's. */
  sleep?(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A clock with every part there. */
export type WholeClock = Required<DemoClock>;

/** Fills in what the caller left out with the machine's own time. */
export function wholeClock(clock: DemoClock = { now: () => Date.now() }): WholeClock {
  return {
    now: () => clock.now(),
    sleep:
      clock.sleep === undefined ? sleepOnThisMachine : (ms, signal) => clock.sleep?.(ms, signal) ?? Promise.resolve(),
  };
}

async function sleepOnThisMachine(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await after(ms, undefined, signal === undefined ? {} : { signal });
  } catch {
    // Aborted: whoever waits looks at the signal.
  }
}
