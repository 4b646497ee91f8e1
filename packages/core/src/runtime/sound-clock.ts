import type { Clock } from "./clock.ts";
import type { ClockWatch } from "./clock-watch.ts";

/** The most that a clock may be off without anybody's notice, ms: every leeway is larger. */
export const mostSkew = 30_000;

type Watches = readonly Pick<ClockWatch, "ahead">[];

/** How far the clock is off by the witness that says most, ms, below 0 where it is behind; 0 where nobody says anything. */
export function clockDeviation(watches: Watches): number {
  const known = watches.map((watch) => watch.ahead()).filter((ahead) => ahead !== undefined);
  return known.reduce((most, ahead) => (Math.abs(ahead) > Math.abs(most) ? ahead : most), 0);
}

/**
 * The machine's clock, put right where all who know say that it is off by more than {@link mostSkew}. Replicas write times
 * into records that others judge by: without this, one clock that runs five minutes ahead takes a client's retry for a
 * theft, and a grant that it made is out of a kill switch's reach.
 */
export function soundClock(machine: Clock, watches: Watches): Clock {
  const correction = (): number => {
    let least: number | undefined;
    for (const watch of watches) {
      const ahead = watch.ahead();
      if (ahead !== undefined && Math.abs(ahead) < Math.abs(least ?? Number.POSITIVE_INFINITY)) least = ahead;
    }
    // Whole milliseconds, as the clock itself has them.
    return least !== undefined && Math.abs(least) > mostSkew ? Math.round(least) : 0;
  };
  return {
    now: () => machine.now() - correction(),
    monotonic: () => machine.monotonic(),
    sleep: (ms, signal) => machine.sleep(ms, signal),
  };
}
