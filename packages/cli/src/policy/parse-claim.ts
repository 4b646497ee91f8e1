import { CommandFailure } from "../process/failure.ts";
import type { Claims } from "./ask.ts";

/**
 * Claims as they are given on the command line: `custom:team=finance` for a text, `level:=5` for any other JSON value.
 * @throws CommandFailure for what is neither
 */
export function parseClaims(given: readonly string[]): Claims {
  return Object.fromEntries(given.map(parseClaim));
}

function parseClaim(given: string): readonly [string, unknown] {
  const equals = given.indexOf("=");
  const isJson = given[equals - 1] === ":";
  const name = given.slice(0, isJson ? equals - 1 : equals);
  if (equals < 1 || name === "") {
    throw new CommandFailure(`--claim ${given} is not of the form NAME=TEXT, such as custom:team=finance`);
  }
  const value = given.slice(equals + 1);
  if (!isJson) return [name, value];
  try {
    return [name, JSON.parse(value)];
  } catch {
    throw new CommandFailure(`--claim ${given}: what follows := must be JSON, such as 5, true or ["a"]`);
  }
}
