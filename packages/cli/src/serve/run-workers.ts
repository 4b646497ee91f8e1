import cluster, { type Worker } from "node:cluster";
import { availableParallelism } from "node:os";
import type { GatewayConfig } from "@sallyport/gateway";
import type { Clock, Logger } from "sallyport";
import { CommandFailure } from "../process/failure.ts";
import { gatherMetrics } from "./gather-metrics.ts";
import { passLines } from "./pass-lines.ts";
import { parseToPrimary } from "./worker-message.ts";

/** The number of processes that the setting asks for. */
export const workerCount = (workers: GatewayConfig["workers"]): number =>
  workers === "auto" ? availableParallelism() : workers;

/** A worker's part of what all workers together may have. */
export const shareOf = (connections: GatewayConfig["connections"], workers: number): GatewayConfig["connections"] => ({
  ...connections,
  max: Math.ceil(connections.max / workers),
  maxPerAddress: Math.ceil(connections.maxPerAddress / workers),
});

/** Waits before a worker is replaced that lived for less than `settled`, milliseconds: doubled each time in a row. */
const backoff = { first: 250, most: 30_000, settled: 60_000 };

/** How long the last lines of a worker may take that nobody reads, in milliseconds. */
const lastLines = 1000;

type Start = { readonly ready: true } | { readonly ready: false; readonly lines: readonly string[] };

/**
 * Starts this command again in so many processes that share its port, and replaces those that die, until it is to stop.
 * The first one starts alone, so that what keeps it from starting is found once, and a store is made by one.
 *
 * @param options.onReady called once, when all of them answer
 * @throws CommandFailure if one does not start the first time; the others are ended
 */
export async function runWorkers(options: {
  readonly count: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborted when everything is to end. */
  readonly stop: AbortSignal;
  readonly onReady: () => void;
}): Promise<void> {
  const { count, clock, logger, stop } = options;
  const running = new Set<Worker>();
  /** Those that answer, by place. */
  const ready = new Map<number, Worker>();
  const exits = new Set<Promise<void>>();
  const metrics = gatherMetrics(() => Array.from({ length: count }, (_, place) => ready.get(place)), clock);
  // Lines that workers write to stdout are put together here, so that one never stands within another.
  cluster.setupPrimary({ stdio: ["ignore", "pipe", "inherit", "ipc"] });

  const fork = (place: number) => {
    const worker = cluster.fork();
    const { pid } = worker.process;
    running.add(worker);
    const printed = worker.process.stdout ? passLines(worker.process.stdout, process.stdout) : Promise.resolve();
    const start = Promise.withResolvers<Start>();
    let lines: readonly string[] | undefined;
    worker.on("message", (message: unknown) => {
      const told = parseToPrimary(message);
      if (told === undefined || metrics.take(worker, told)) return;
      if (told.sallyport === "failed") lines = told.lines;
      else if (told.sallyport === "ready") {
        ready.set(place, worker);
        logger.info("a worker answers", { pid });
        start.resolve({ ready: true });
      }
    });
    const exited = Promise.all([
      new Promise<string>((resolve) => {
        worker.once("exit", (code: number | null, signal: string | null) => resolve(signal ?? `status ${code}`));
      }),
      // What it said last may be read only now.
      new Promise<void>((resolve) => worker.once("disconnect", resolve)),
    ]).then(([how]) => {
      running.delete(worker);
      if (ready.get(place) === worker) ready.delete(place);
      start.resolve({ ready: false, lines: lines ?? [`a worker ended at once (${how})`] });
      return how;
    });
    const gone = exited.then(() => Promise.race([printed, clock.sleep(lastLines)]));
    exits.add(gone);
    void gone.then(() => exits.delete(gone));
    return { place, pid, start: start.promise, exited };
  };

  /** Keeps one place taken: resolves when everything stops. */
  const keep = async (first: ReturnType<typeof fork>): Promise<void> => {
    let current = first;
    let began = clock.monotonic();
    let quick = 0;
    for (;;) {
      const how = await current.exited;
      if (stop.aborted) return;
      quick = clock.monotonic() - began < backoff.settled ? quick + 1 : 0;
      const wait = quick === 0 ? 0 : Math.min(backoff.most, backoff.first * 2 ** (quick - 1));
      logger.error("a worker ended and is replaced", { pid: current.pid, how, wait_ms: wait });
      await clock.sleep(wait, stop);
      if (stop.aborted) return;
      began = clock.monotonic();
      current = fork(current.place);
      void current.start.then((outcome) => {
        if (!outcome.ready) for (const line of outcome.lines) logger.error(`a worker cannot start: ${line}`);
      });
    }
  };

  const endAll = (): void => {
    for (const worker of running) worker.process.kill("SIGTERM");
  };
  stop.addEventListener("abort", endAll, { once: true });
  // Whatever ends this process, none of the others is left.
  const killAll = (): void => {
    for (const worker of running) worker.process.kill("SIGKILL");
  };
  process.on("exit", killAll);
  // One that only starts reads the settings anyway, and would die of the signal.
  const hangUp = (): void => {
    for (const worker of ready.values()) worker.process.kill("SIGHUP");
  };
  process.on("SIGHUP", hangUp);
  // Clocks keep no process alive, and for a moment there may be no worker that does.
  const hold = setInterval(() => {}, 2 ** 30);
  try {
    const first = fork(0);
    await orStop(first.start, stop);
    const others = stop.aborted ? [] : Array.from({ length: count - 1 }, (_, index) => fork(index + 1));
    await Promise.all(others.map(({ start }) => orStop(start, stop)));
    if (!stop.aborted) options.onReady();
    await Promise.all([first, ...others].map(keep));
  } finally {
    endAll();
    await Promise.all(exits);
    clearInterval(hold);
    process.off("exit", killAll).off("SIGHUP", hangUp);
  }
}

/** Resolves when the worker is ready or everything is to stop. */
async function orStop(start: Promise<Start>, stop: AbortSignal): Promise<void> {
  const stopped = new Promise<undefined>((resolve) => {
    if (stop.aborted) resolve(undefined);
    else stop.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const outcome = await Promise.race([start, stopped]);
  if (outcome?.ready === false && !stop.aborted) throw new CommandFailure(...outcome.lines);
}
