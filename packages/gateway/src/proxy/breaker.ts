import type { Clock } from "sallyport";

/** `closed`: requests pass. `open`: none does. `half-open`: one may try whether the server is back. */
export type BreakerState = "closed" | "open" | "half-open";

/** Which way a request goes past the breaker: as usual, as the one that tries, or not at all. */
export type Passage = "usual" | "probe" | "none";

/**
 * Spares a server that does not answer, and its callers the wait: after so many failures in a row nothing goes to it for
 * a while, then one request tries.
 */
export interface Breaker {
  readonly state: BreakerState;
  /** Asks for a request. Whoever gets `probe` must say with `succeeded`, `failed` or `abandoned` how it went. */
  pass(): Passage;
  /** The server answered. */
  succeeded(passage: Passage): void;
  /** The server could not be reached or did not answer. */
  failed(passage: Passage): void;
  /** Nobody waited for the answer. */
  abandoned(passage: Passage): void;
  /** Milliseconds until the next request may try; 0 where one may now, or is just trying. */
  rest(): number;
}

/**
 * Answers of requests that set out before the breaker opened say nothing about the server as it is now: in the states
 * `open` and `half-open` only the probe counts.
 * @param options.failures in a row after which it opens; 0: never
 * @param options.rest milliseconds that it stays open
 * @param options.onChange told of a change between `closed` and `open`, once each
 */
export function createBreaker(options: {
  readonly failures: number;
  readonly rest: number;
  readonly clock: Pick<Clock, "monotonic">;
  readonly onChange: (state: "closed" | "open") => void;
}): Breaker {
  const { failures, rest, clock, onChange } = options;
  let inARow = 0;
  /** When it opened last; undefined while it is closed. */
  let openedAt: number | undefined;
  let probing = false;

  const left = (): number => (openedAt === undefined ? 0 : Math.max(0, openedAt + rest - clock.monotonic()));

  return {
    get state() {
      if (openedAt === undefined) return "closed";
      return left() > 0 ? "open" : "half-open";
    },
    pass() {
      if (openedAt === undefined) return "usual";
      if (probing || left() > 0) return "none";
      probing = true;
      return "probe";
    },
    succeeded(passage) {
      if (openedAt === undefined) inARow = 0;
      else if (passage === "probe") {
        inARow = 0;
        openedAt = undefined;
        probing = false;
        onChange("closed");
      }
    },
    failed(passage) {
      if (passage === "probe") {
        probing = false;
        openedAt = clock.monotonic();
      } else if (openedAt === undefined && failures > 0 && ++inARow >= failures) {
        openedAt = clock.monotonic();
        onChange("open");
      }
    },
    abandoned(passage) {
      if (passage === "probe") probing = false;
    },
    rest: left,
  };
}
