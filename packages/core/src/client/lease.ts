import type { Clock } from "../runtime/index.ts";

/** One caller in this process at a time. */
export interface Lease {
  /**
   * Waits for its turn, which lasts until {@link Lease.end}, or at most `longest` from when `bound` is called.
   * @returns what is called once nothing of this caller's own keeps the turn any more
   */
  begin(): Promise<Turn>;
  /** Ends the turn of now, if there is one. */
  end(): void;
}

export interface Turn {
  /** Is done when the turn ends. */
  atEnd(work: () => void): void;
  /** From here on somebody else's request decides when the turn ends; if that fails nobody says so, hence the limit. */
  bound(): void;
}

/** @param longest milliseconds */
export function lease(clock: Clock, longest: number): Lease {
  let last = Promise.resolve();
  let endCurrent = (): void => {};
  return {
    async begin() {
      const { promise, resolve } = Promise.withResolvers<void>();
      const before = last;
      last = promise;
      await before;
      const atEnd: (() => void)[] = [];
      const end = (): void => {
        for (const work of atEnd.splice(0)) work();
        resolve();
      };
      endCurrent = end;
      return {
        atEnd: (work) => void atEnd.push(work),
        bound: () => void clock.sleep(longest).then(end),
      };
    },
    end: () => endCurrent(),
  };
}
