import cluster from "node:cluster";
import { failureLines } from "../process/failure.ts";
import { parseToWorker, type ToPrimary } from "./worker-message.ts";

/**
 * Runs the server as one of several workers. It ends in order when the process that started it goes, however that went.
 * What keeps it from starting is told there, to be said once for all workers.
 * @returns the exit status
 */
export async function runAsWorker(run: () => Promise<number>): Promise<number> {
  const { worker } = cluster;
  worker?.once("disconnect", () => {
    // Node would end this process on the spot, in the middle of its requests.
    worker.exitedAfterDisconnect = true;
    process.kill(process.pid, "SIGTERM");
  });
  try {
    return await run();
  } catch (error) {
    await tell({ sallyport: "failed", lines: [...failureLines(error)] });
    return 1;
  } finally {
    process.channel?.unref();
  }
}

/**
 * In a worker: it answers requests from now on.
 * @param metricsText the metrics of this process, for whoever asks any of the workers
 */
export function tellReady(metricsText: () => Promise<string>): Promise<void> {
  process.on("message", async (message: unknown) => {
    const told = parseToWorker(message);
    if (told?.sallyport !== "metrics.read") return;
    // One that cannot tell counts as one that does not answer.
    const text = await metricsText().catch(() => "");
    await tell({ sallyport: "metrics.own", id: told.id, text });
  });
  return tell({ sallyport: "ready" });
}

let asked = 0;

/** In a worker: the metrics of all workers. Rejects when the process that started them has gone. */
export function metricsOfAll(): Promise<string> {
  asked += 1;
  const id = asked;
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      process.off("message", onMessage).off("disconnect", onDisconnect);
      finish();
    };
    const onMessage = (message: unknown): void => {
      const told = parseToWorker(message);
      if (told?.sallyport === "metrics.all" && told.id === id) settle(() => resolve(told.text));
    };
    const onDisconnect = (): void => settle(() => reject(new Error("the workers are not together any more")));
    process.on("message", onMessage).on("disconnect", onDisconnect);
    if (process.connected) void tell({ sallyport: "metrics.wanted", id });
    else onDisconnect();
  });
}

/** Resolves when it is sent, or cannot be: then the other side has gone, and nobody is left to be told. */
const tell = (message: ToPrimary): Promise<void> =>
  new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
