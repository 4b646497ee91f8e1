/** Time, passed in. */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. Goes into tokens and records. */
  now(): number;
  /** A clock that never goes back, milliseconds from an arbitrary start. Measures waits and cache ages in one process. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds, or at once when `signal` is aborted. Never rejects, never keeps the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      timer.unref();
      signal?.addEventListener("abort", done, { once: true });
    }),
};
