/** What the rest of the library never imports for itself, so that whoever composes it (a test above all) is in control. */
export type {
  CallObserver,
  RemoteEndpoint,
  RemoteOutcome,
  StoreOperation,
  StoreOutcome,
} from "./call-observer.ts";
export { outcomeOfStatus } from "./call-observer.ts";
export type { Clock } from "./clock.ts";
export { systemClock } from "./clock.ts";
export type { ClockWatch } from "./clock-watch.ts";
export { clockWatch } from "./clock-watch.ts";
export { withDeadline } from "./deadline.ts";
export type { LogFields, Logger, LogLevel } from "./logger.ts";
export { createLogger, silentLogger } from "./logger.ts";
export { observedCall } from "./observed-call.ts";
export type { Random } from "./random.ts";
export { systemRandom } from "./random.ts";
export { clockDeviation, mostSkew, soundClock } from "./sound-clock.ts";

/** The part of the Fetch API that is used for outbound requests. */
export type Fetch = (input: string | URL, init?: RequestInit) => Promise<Response>;
