import type { Clock } from "sallyport";

/** A clock that runs with the machine's, plus what a test adds. Sleepers whose time has been skipped wake at once. */
export interface TestClock extends Clock {
  advance(ms: number): void;
}

export function testClock(): TestClock {
  let offset = 0;
  const sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();
  const monotonic = () => performance.now() + offset;
  return {
    now: () => Date.now() + offset,
    monotonic,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const wake = (): void => {
          clearTimeout(timer);
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        const timer = setTimeout(wake, ms);
        timer.unref();
        const sleeper = { until: monotonic() + ms, wake };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", wake, { once: true });
      }),
    advance(ms) {
      offset += ms;
      for (const sleeper of [...sleepers]) if (sleeper.until <= monotonic()) sleeper.wake();
    },
  };
}
