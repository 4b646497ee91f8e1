import type { Clock } from "./clock.ts";
import type { ClockWatch } from "./clock-watch.ts";

/** The most that a clock may be off without anybody's notice, ms: every leeway is larger. */
export const mostSkew = 30_000;

type Watches = readonly Pick<ClockWatch, "ahead">[];

const known = (watches: Watches): readonly number[] =>
  watches.map((watch) => watch.ahead()).filter((ahead) => ahead !== undefined);

/** How far the clock is off by the witness that says most, ms, below 0 where it is behind; 0 where nobody says anything. */
export const clockDeviation = (watches: Watches): number =>
  known(watches).reduce((most, ahead) => (Math.abs(ahead) > Math.abs(most) ? ahead : most), 0);

/**
 * The machine's clock, put right where all who know say that it is off by more than {@link mostSkew}. Replicas write times
 * into records that others judge by: without this, one clock that runs five minutes ahead takes a client's retry for a
 * theft, and a grant that it made is out of a kill switch's reach.
 */
export function soundClock(machine: Clock, watches: Watches): Clock {
  const correction = (): number => {
    const all = known(watches);
    const least = all.reduce((least, ahead) => (Math.abs(ahead) < Math.abs(least) ? ahead : least), all[0] ?? 0);
    return Math.abs(least) > mostSkew ? least : 0;
  };
  return {
    now: () => machine.now() - correction(),
    monotonic: () => machine.monotonic(),
    sleep: (ms, signal) => machine.sleep(ms, signal),
  };
}
