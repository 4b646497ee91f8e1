import type { Worker } from "node:cluster";
import { mergeMetrics } from "@sallyport/gateway";
import type { Clock } from "sallyport";
import type { ToPrimary, ToWorker } from "./worker-message.ts";

/** How long a worker has to tell its metrics, in milliseconds. One that does not is left out this time. */
const patience = 1000;

type Member = Pick<Worker, "isConnected" | "send">;

/** Puts the metrics of all workers together for the one that was asked for them. */
export interface MetricsGatherer {
  /** @returns whether the message was about metrics */
  take(worker: Member, message: ToPrimary): boolean;
}

/** @param places the workers in order, undefined where one is missing: a worker's place is its label */
export function gatherMetrics(places: () => readonly (Member | undefined)[], clock: Clock): MetricsGatherer {
  const waiting = new Map<Member, (text: string) => void>();
  let round = 0;
  let gathering: Promise<string> | undefined;

  const gather = async (): Promise<string> => {
    round += 1;
    const texts = places().map(async (worker) => {
      if (worker === undefined) return "";
      const told = new Promise<string>((resolve) => waiting.set(worker, resolve));
      send(worker, { sallyport: "metrics.read", id: round });
      return await Promise.race([told, clock.sleep(patience).then(() => "")]);
    });
    const text = mergeMetrics(await Promise.all(texts));
    waiting.clear();
    gathering = undefined;
    return text;
  };

  return {
    take(worker, message) {
      if (message.sallyport === "metrics.own") {
        if (message.id === round) waiting.get(worker)?.(message.text);
        return true;
      }
      if (message.sallyport !== "metrics.wanted") return false;
      const { id } = message;
      gathering ??= gather();
      void gathering.then((text) => send(worker, { sallyport: "metrics.all", id, text }));
      return true;
    },
  };
}

/** A worker that has gone meanwhile is told nothing. */
function send(worker: Member, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, undefined, () => {});
}
