import type { Clock } from "sallyport";

/** A clock that stands still until it is told. */
export interface ManualClock extends Clock {
  /** Lets time pass and everything that waited for it run. */
  advance(ms: number): Promise<void>;
}

export function manualClock(start = Date.UTC(2026, 10, 20)): ManualClock {
  let now = 0;
  const waiting = new Set<{ until: number; wake: () => void }>();
  return {
    now: () => start + now,
    monotonic: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const entry = {
          until: now + ms,
          wake: () => {
            waiting.delete(entry);
            resolve();
          },
        };
        waiting.add(entry);
        signal?.addEventListener("abort", entry.wake, { once: true });
      }),
    async advance(ms) {
      now += ms;
      for (const entry of [...waiting]) if (entry.until <= now) entry.wake();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
