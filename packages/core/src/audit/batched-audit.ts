import type { RootKey } from "../crypto/index.ts";
import type { Clock, Logger, Random } from "../runtime/index.ts";
import type { AuditEvent, AuditSink, AuditStats } from "./audit.ts";
import { type AuditChain, createChain, formatHead } from "./chain.ts";

/** Where the lines go: a file, a stream. */
export interface AuditTarget {
  /**
   * Appends. Tells how many of the bytes were taken, and in plain words why not all. Never rejects; it is not called
   * again before it has answered.
   */
  append(bytes: Uint8Array): Promise<{ readonly taken: number; readonly failure?: string }>;
  close(): Promise<void>;
}

/** What the chain's own lines say, beside the events. */
type ChainEvent =
  | { readonly time: string; readonly action: "audit.opened"; readonly version: string; readonly kid: string }
  | { readonly time: string; readonly action: "audit.dropped"; readonly dropped: number }
  | { readonly time: string; readonly action: "audit.closed" };

/** Milliseconds after which events are written that are too few for a batch. */
const flushEvery = 100;
/** Milliseconds between attempts while writing fails. */
const retryEvery = 1000;
/** Milliseconds between two complaints, and between two heads of the chain in the log. */
const complainEvery = 60_000;
const tellHeadEvery = 300_000;
/** Lines that are hashed and written at a time: a few hundred microseconds of work. */
const mostInBatch = 128;
/** What an event takes in memory besides its text, roughly. */
const overhead = 64;

const sizeOf = (text: string): number => text.length + overhead;

/**
 * An audit trail as a chain of lines (see {@link createChain}), written beside the requests: `write` only puts the
 * event into memory. Where nothing can be written for so long that `mostWaiting` is reached, events are dropped and counted,
 * until half of it is free again; the chain says at that place how many are missing. The first line says with which
 * program and key the chain began, the last that it was closed in an orderly way. Without an event nothing is written.
 *
 * The head of the chain goes to the log every five minutes in which something was written, and at the end: a trail cut
 * off at its end cannot be told from one that ends there, unless a head is known from elsewhere.
 *
 * @param options.version of the program
 * @param options.cut whether the target ends in the middle of a line that somebody else has begun
 * @param options.mostWaiting bytes of events that may wait; default 8 MiB
 * @param options.closeWithin milliseconds that `close` may take; default 2000
 */
export function batchedAudit(options: {
  readonly target: AuditTarget;
  readonly key: RootKey;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly cut?: boolean;
  readonly mostWaiting?: number;
  readonly closeWithin?: number;
}): AuditSink & { stats(): AuditStats } {
  const { target, clock, logger, mostWaiting = 8 * 1024 * 1024, closeWithin = 2000 } = options;
  const chain: AuditChain = createChain(options.key, options.random);
  /** Events as JSON. Those from `next` on are not yet lines. */
  let events: string[] = [];
  let next = 0;
  /** Lines that have been hashed and not, or not wholly, been taken. */
  const lines: string[] = [];
  /** Whether what was taken last ends inside a line. */
  let cut = options.cut ?? false;
  let size = 0;
  let begun = false;
  let full = false;
  let missing = 0;
  let [written, dropped] = [0, 0];
  let failure: string | undefined;
  let running: Promise<void> | undefined;
  let wake = new AbortController();
  let closing: Promise<void> | undefined;
  let abandoned = false;
  let [complainedAt, headToldAt] = [Number.NEGATIVE_INFINITY, clock.monotonic()];

  const now = (): string => new Date(clock.now()).toISOString();
  const waiting = (): number => events.length - next + lines.length;

  const complain = (why: string): void => {
    if (clock.monotonic() - complainedAt < complainEvery) return;
    complainedAt = clock.monotonic();
    logger.error("audit events cannot be written; requests go on", { why, waiting: waiting(), dropped });
  };

  const push = (event: AuditEvent | ChainEvent): void => {
    const text = JSON.stringify(event);
    events.push(text);
    size += sizeOf(text);
    if (failure === undefined && events.length - next >= mostInBatch) wake.abort();
    running ??= run();
  };

  const admitMissing = (): void => {
    full = false;
    if (missing > 0) push({ time: now(), action: "audit.dropped", dropped: missing });
    missing = 0;
  };

  const link = (): void => {
    const end = Math.min(events.length, next + mostInBatch);
    for (; next < end; next += 1) {
      const event = events[next] ?? "";
      const line = chain.link(event);
      lines.push(line);
      size += sizeOf(line) - sizeOf(event);
    }
    if (next < events.length) return;
    events = [];
    next = 0;
  };

  /** Takes away the lines that were taken whole. */
  const settle = (taken: number): void => {
    if (cut && taken === 0) return;
    let [end, whole] = [cut ? 1 : 0, 0];
    for (const line of lines) {
      const length = Buffer.byteLength(line);
      if (taken < end + length) break;
      end += length + 1;
      whole += 1;
    }
    cut = taken !== end;
    for (const line of lines.splice(0, whole)) size -= sizeOf(line);
    written += whole;
  };

  const append = async (): Promise<void> => {
    const text = `${cut ? "\n" : ""}${lines.join("\n")}${lines.length > 0 ? "\n" : ""}`;
    const answer = await target.append(Buffer.from(text));
    settle(answer.taken);
    if (answer.failure !== undefined) complain(answer.failure);
    else if (failure !== undefined) {
      complainedAt = Number.NEGATIVE_INFINITY;
      logger.warn("audit events are written again", { dropped });
    }
    failure = answer.failure;
  };

  const flush = async (): Promise<void> => {
    do {
      if (lines.length === 0) link();
      await append();
      if (full && size <= mostWaiting / 2) admitMissing();
      // What came meanwhile waits for a batch too, or a busy gateway would write a few lines at a time without end.
    } while (failure === undefined && !abandoned && waiting() >= (closing ? 1 : mostInBatch));
  };

  const tellHead = (): void => {
    headToldAt = clock.monotonic();
    if (chain.head) logger.info("audit head", { head: formatHead(chain.head) });
  };

  async function run(): Promise<void> {
    while (waiting() > 0 && !abandoned) {
      await clock.sleep(failure === undefined ? flushEvery : retryEvery, wake.signal);
      if (wake.signal.aborted) wake = new AbortController();
      await flush();
      if (failure === undefined && clock.monotonic() - headToldAt >= tellHeadEvery) tellHead();
    }
    running = undefined;
  }

  const finish = async (): Promise<void> => {
    if (!begun) return;
    admitMissing();
    push({ time: now(), action: "audit.closed" });
    wake.abort();
    while (running) await running;
  };

  const close = async (): Promise<void> => {
    const over = new AbortController();
    await Promise.race([finish(), clock.sleep(closeWithin, over.signal)]);
    over.abort();
    abandoned = true;
    if (waiting() === 0) {
      tellHead();
      return target.close();
    }
    // Where it does not take what it was given, it is not waited for.
    void target.close();
    logger.error("audit events are lost", { events: waiting() + dropped, why: failure ?? "nothing was taken in time" });
  };

  return {
    write(event) {
      if (closing) return;
      if (!begun) push({ time: now(), action: "audit.opened", version: options.version, kid: options.key.kid });
      begun = true;
      if (!full) {
        push(event);
        full = size >= mostWaiting;
        return;
      }
      missing += 1;
      dropped += 1;
      complain(failure ?? "nothing was taken for too long");
    },
    stats: () => ({ written, dropped, waiting: waiting(), failing: failure !== undefined }),
    close() {
      closing ??= close();
      return closing;
    },
  };
}
