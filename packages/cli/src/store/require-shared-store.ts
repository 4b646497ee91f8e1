import { existsSync } from "node:fs";
import { CommandFailure } from "../process/failure.ts";
import { sqlitePath } from "./sqlite-path.ts";

/**
 * A command that changes the state of servers needs the store that they have: in another one it would change nothing,
 * and nobody would know. A SQLite file that is not there is not made.
 * @param memoryMend what to do where the server keeps everything in its own memory
 * @throws CommandFailure
 */
export function requireSharedStore(store: string, memoryMend: string): void {
  if (store === "memory:") {
    throw new CommandFailure(`store is memory:, which the running process alone has; ${memoryMend}`);
  }
  const path = sqlitePath(store);
  if (path === undefined || existsSync(path)) return;
  throw new CommandFailure(`there is no store at ${path}; run this in the folder where the gateway runs`);
}
