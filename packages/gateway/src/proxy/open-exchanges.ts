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
  /**
   * Shows the client that it is still there, if nothing has come for a while.
   * @param now on the monotonic clock, milliseconds
   * @param after milliseconds of silence
   */
  keepAlive(now: number, after: number): void;
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
 * @param options.keepAlive milliseconds of silence of a stream after which its client is shown that it is there; 0: never
 * @param options.shortestTimeout milliseconds, of those in use now; the timer is fine enough for it
 */
export function createOpenExchanges<Exchange extends OpenExchange>(options: {
  readonly clock: Clock;
  readonly interval: number;
  readonly keepAlive: () => number;
  readonly shortestTimeout: () => number;
}): OpenExchanges<Exchange> {
  const { clock, interval } = options;
  const tickNow = (): number => Math.max(50, Math.min(1000, interval, options.shortestTimeout()));
  // Places that are used again, in an array that never shrinks, and not a Set: what changes its size with every request
  // leaves old tables behind, each of which holds on to exchanges that are long over until the next full collection.
  const places: (Exchange | undefined)[] = [];
  const free: number[] = [];
  const open = (): Exchange[] => places.filter((exchange) => exchange !== undefined);
  const counts = new Map<string, { open: number }>();
  const stopping = new AbortController();
  let running = false;

  const look = (now: number, tick: number): void => {
    const keepAlive = options.keepAlive();
    for (const [subject, count] of counts) if (count.open === 0) counts.delete(subject);
    for (const exchange of open()) {
      if (!exchange.begun && now - exchange.startedAt >= exchange.timeout) exchange.expire();
      else if (now + tick - exchange.judgedAt > interval) {
        // The next look would come too late.
        exchange.judgedAt = now;
        void exchange.judge();
      }
      if (exchange.begun && keepAlive > 0) exchange.keepAlive(now, keepAlive);
    }
  };

  const run = async (): Promise<void> => {
    while (places.length > free.length && !stopping.signal.aborted) {
      await clock.sleep(tickNow(), stopping.signal);
      look(clock.monotonic(), tickNow());
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
      const count = counts.get(exchange.subject);
      if (count === undefined) counts.set(exchange.subject, { open: 1 });
      else count.open++;
      if (!running && !stopping.signal.aborted) {
        running = true;
        void run();
      }
    },
    delete(exchange) {
      if (places[exchange.slot] !== exchange) return;
      places[exchange.slot] = undefined;
      free.push(exchange.slot);
      const count = counts.get(exchange.subject);
      if (count !== undefined) count.open--;
    },
    countOf: (subject) => counts.get(subject)?.open ?? 0,
    stop: () => stopping.abort(),
    [Symbol.iterator]: () => open()[Symbol.iterator](),
  };
}
