import type { Clock } from "./clock.ts";
import { systemClock } from "./clock.ts";

/** What may stand in a log line. Never a token, code, secret, cookie or assertion. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;
export type LogLevel = "debug" | "info" | "warn" | "error";

/** A structured logger, passed in. */
export type Logger = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/**
 * A logger that writes one line per message.
 * @param options.level the least important level that is written; default `info`
 * @param options.format `json` (one object a line) or `text`; default `text`
 * @param options.write takes a whole line without its line break
 */
export function createLogger(options: {
  level?: LogLevel;
  format?: "json" | "text";
  write: (line: string) => void;
  clock?: Clock;
}): Logger {
  const least = levels.indexOf(options.level ?? "info");
  const clock = options.clock ?? systemClock;
  const log =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (levels.indexOf(level) < least) return;
      const time = new Date(clock.now()).toISOString();
      if (options.format === "json") return options.write(JSON.stringify({ time, level, message, ...fields }));
      const rest = Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => ` ${name}=${typeof value === "string" ? JSON.stringify(value) : value}`);
      options.write(`${time} ${level.padEnd(5)} ${message}${rest.join("")}`);
    };
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}

const nothing = (): void => {};

/** A logger that writes nothing. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
