import type { Clock } from "sallyport";

/** A request that has been forwarded and whose response is not over. */
export interface OpenExchange {
  /** Who counts as having it open. */
  readonly subject: string;
  /** On the monotonic clock, milliseconds. */
  readonly startedAt: number;
  /** Milliseconds until the response must have begun. */
  readonly timeout: number;
  /** Whether the response has begun. */
  readonly begun: boolean;
  judgedAt: number;
  /** Its place among all; the collection's own. */
  slot: number;
  /** The response has not begun in time. */
  expire(): void;
  /** Asks whether it may stay open, and ends it if not. Never rejects. */
  judge(): Promise<void>;
}

/** All open exchanges, in no order, under one timer however many there are. */
export interface OpenExchanges<Exchange extends OpenExchange> extends Iterable<Exchange> {
  readonly size: number;
  add(exchange: Exchange): void;
  delete(exchange: Exchange): void;
  /** How many a user or machine has open. */
  countOf(subject: string): number;
  /** Stops the timer for good. */
  stop(): void;
}

/**
 * @param options.interval milliseconds within which an exchange is judged again, to a tick's punctuality
 * @param options.timeouts every timeout in use; the timer is fine enough for the shortest
 */
export function createOpenExchanges<Exchange extends OpenExchange>(options: {
  readonly clock: Clock;
  readonly interval: number;
  readonly timeouts: readonly number[];
}): OpenExchanges<Exchange> {
  const { clock, interval } = options;
  const tick = Math.max(50, Math.min(1000, interval, ...options.timeouts));
  // Places that are used again, in an array that never shrinks, and not a Set: what changes its size with every request
  // leaves old tables behind, each of which holds on to exchanges that are long over until the next full collection.
  const places: (Exchange | undefined)[] = [];
  const free: number[] = [];
  const open = (): Exchange[] => places.filter((exchange) => exchange !== undefined);
  const counts = new Map<string, number>();
  const stopping = new AbortController();
  let running = false;

  const look = (now: number): void => {
    for (const [subject, count] of counts) if (count === 0) counts.delete(subject);
    for (const exchange of open()) {
      if (!exchange.begun && now - exchange.startedAt >= exchange.timeout) exchange.expire();
      else if (now + tick - exchange.judgedAt > interval) {
        // The next look would come too late.
        exchange.judgedAt = now;
        void exchange.judge();
      }
    }
  };

  const run = async (): Promise<void> => {
    while (places.length > free.length && !stopping.signal.aborted) {
      await clock.sleep(tick, stopping.signal);
      look(clock.monotonic());
    }
    running = false;
  };

  return {
    get size() {
      return places.length - free.length;
    },
    add(exchange) {
      exchange.slot = free.pop() ?? places.length;
      places[exchange.slot] = exchange;
      counts.set(exchange.subject, (counts.get(exchange.subject) ?? 0) + 1);
      if (!running && !stopping.signal.aborted) {
        running = true;
        void run();
      }
    },
    delete(exchange) {
      if (places[exchange.slot] !== exchange) return;
      places[exchange.slot] = undefined;
      free.push(exchange.slot);
      counts.set(exchange.subject, (counts.get(exchange.subject) ?? 1) - 1);
    },
    countOf: (subject) => counts.get(subject) ?? 0,
    stop: () => stopping.abort(),
    [Symbol.iterator]: () => open()[Symbol.iterator](),
  };
}
