import { writeError } from "./output.ts";

type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** How long what was closed may linger before the process goes, in milliseconds. */
const linger = 500;

/** The wish of whoever runs the process that it should end. */
export interface StopSignals {
  /** Aborted by the first signal. The next ones change nothing: npm, the shell and a launcher may each pass it on. */
  readonly signal: AbortSignal;
  /** Resolves with the first signal. */
  readonly stopped: Promise<void>;
  /** To be called when everything is closed. */
  done(): void;
}

/**
 * Turns the first of some signals into a wish to end.
 * @param patience how long an orderly end may take before the process goes without it, in milliseconds
 * @param signals default: SIGINT, SIGTERM and SIGHUP
 */
export function listenForStop(
  patience: number,
  signals: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"],
): StopSignals {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  let deadline: NodeJS.Timeout | undefined;
  const stop = (): void => {
    if (controller.signal.aborted) return;
    deadline = setTimeout(() => {
      writeError("sallyport: something did not end in time and was broken off");
      process.exit(0);
    }, patience);
    controller.abort(new Error("stopped by a signal"));
    resolve();
  };
  for (const name of signals) process.on(name, stop);
  return {
    signal: controller.signal,
    stopped: promise,
    done() {
      clearTimeout(deadline);
      // The handlers stay: a signal that comes late must not turn a clean end into a death by signal. A handle that
      // somebody forgot must not keep the process; with none left this timer does not either.
      setTimeout(() => process.exit(), linger).unref();
    },
  };
}
