import type { Keyring } from "../keys/index.ts";
import { type Clock, type Logger, mostSkew } from "../runtime/index.ts";
import { type Store, StoreUnavailable } from "../store/store.ts";

/** How long an answer holds, ms: anybody may ask, and must not so wear the store out. */
const answerHolds = 1_000;
/** How long the store may take, ms. */
const patience = 2_000;
/** How long it is believed that a store is fit, and that it is not, ms. */
const fitHolds = 60_000;
const unfitHolds = 5_000;

/** What keeps a process from serving. The text is for anybody: details go to the log. */
interface Fault {
  readonly text: string;
  readonly details?: string;
}

/**
 * Judges whether a process should get requests: its store answers, its keyring can be read, the store is fit to keep state,
 * and its clock is right to {@link mostSkew}. Whoever asks within a second of another gets the same answer. What changes is
 * logged.
 * @param deps.deviation how far the machine's clock is off, ms
 * @returns what asks: short texts, one for each thing that is wrong
 */
export function createReadiness(deps: {
  readonly store: Store;
  readonly keyring: Pick<Keyring, "probe">;
  readonly deviation: () => number;
  readonly clock: Clock;
  readonly logger: Logger;
}): () => Promise<readonly string[]> {
  const { store, keyring, clock, logger } = deps;
  let known: { readonly at: number; readonly faults: Promise<readonly string[]> } | undefined;
  let fitness: { readonly at: number; readonly problems: readonly string[] } | undefined;
  let said = "";

  const problems = async (): Promise<readonly string[]> => {
    const now = clock.monotonic();
    const holds = fitness && fitness.problems.length > 0 ? unfitHolds : fitHolds;
    if (!fitness || now - fitness.at >= holds) fitness = { at: now, problems: (await store.problems?.()) ?? [] };
    return fitness.problems;
  };

  const storeFaults = async (): Promise<readonly Fault[]> => {
    try {
      await keyring.probe();
      return (await problems()).map((details) => ({ text: "store unfit", details }));
    } catch (error) {
      const details = error instanceof Error ? error.message : "unknown";
      return [{ text: error instanceof StoreUnavailable ? "store unavailable" : "keyring unreadable", details }];
    }
  };

  const inTime = async (): Promise<readonly Fault[]> => {
    const done = new AbortController();
    const late = clock.sleep(patience, done.signal).then(() => [{ text: "store unavailable", details: "too slow" }]);
    return await Promise.race([storeFaults(), late]).finally(() => done.abort());
  };

  const clockFaults = (): readonly Fault[] => {
    const off = deps.deviation();
    const text = `clock off by ${Math.round(Math.abs(off) / 1000)} s`;
    return Math.abs(off) > mostSkew ? [{ text, details: off > 0 ? "it is ahead" : "it is behind" }] : [];
  };

  const look = async (): Promise<readonly string[]> => {
    // In this order: with the store's answer comes its time.
    const faults = [...(await inTime()), ...clockFaults()];
    const texts = [...new Set(faults.map(({ text }) => text))];
    // How far a clock is off may be another with every look.
    const now = texts.join().replace(/\d+ s/, "");
    if (now !== said && faults.length > 0) {
      logger.warn("this process is not ready", {
        why: faults.map(({ text, details }) => (details === undefined ? text : `${text}: ${details}`)).join("; "),
      });
    } else if (now !== said) logger.info("this process is ready again");
    said = now;
    return texts;
  };

  return () => {
    const now = clock.monotonic();
    if (!known || now - known.at >= answerHolds) known = { at: now, faults: look() };
    return known.faults;
  };
}
