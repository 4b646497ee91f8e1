import { z } from "zod";

const secondsPer: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

function toSeconds(value: number | string): number | undefined {
  if (typeof value === "number") return Number.isInteger(value) ? value : undefined;
  const [, digits, unit] = /^(\d{1,9})([smhd])$/.exec(value) ?? [];
  const factor = unit === undefined ? undefined : secondsPer[unit];
  return factor === undefined ? undefined : Number(digits) * factor;
}

/** A duration: whole seconds, or text such as `"90s"`, `"5m"`, `"1h"`, `"30d"`. Comes out in seconds. */
export function duration(least: string, most: string) {
  const range = `must be from ${least} to ${most}`;
  return z
    .custom<number | string>((value) => typeof value === "number" || typeof value === "string", {
      error: `must be whole seconds or text such as "5m"; ${range}`,
    })
    .transform((value, context): number => {
      const seconds = toSeconds(value);
      if (seconds !== undefined && seconds >= Number(toSeconds(least)) && seconds <= Number(toSeconds(most))) {
        return seconds;
      }
      const message = seconds === undefined ? `must be whole seconds or text such as "5m"; ${range}` : range;
      context.issues.push({ code: "custom", message, input: value });
      return z.NEVER;
    });
}
