import type { Clock } from "./clock.ts";

/** What another clock showed, against the machine's own. */
export interface ClockWatch {
  /**
   * Another clock's time, as an answer brought it.
   * @param theirs milliseconds since the Unix epoch
   * @param askedAt when the question was sent, by the machine's monotonic clock
   */
  readonly saw: (theirs: number, askedAt: number) => void;
  /** How far the machine's wall clock is ahead of that one, milliseconds, below 0 where it is behind; undefined: not known. */
  ahead(): number | undefined;
}

/** An answer that took longer says too little about the moment at which it was given, ms. */
const longestAnswer = 5_000;
/** What was seen longer ago counts no more, ms. */
const longestKept = 3_600_000;
/** Where the wall clock has moved against the monotonic one by more, it was set since: what was seen before is void, ms. */
const mostDrift = 1_000;

/** @param machine the clock that is compared, as it is */
export function clockWatch(machine: Clock): ClockWatch {
  let seen: { readonly ahead: number; readonly at: number; readonly wallBase: number } | undefined;
  return {
    saw(theirs, askedAt) {
      const [wall, at] = [machine.now(), machine.monotonic()];
      const took = at - askedAt;
      if (took > longestAnswer) return;
      seen = { ahead: wall - (theirs + took / 2), at, wallBase: wall - at };
    },
    ahead() {
      if (!seen) return undefined;
      const [wall, at] = [machine.now(), machine.monotonic()];
      const stands = at - seen.at <= longestKept && Math.abs(wall - at - seen.wallBase) <= mostDrift;
      return stands ? seen.ahead : undefined;
    },
  };
}
