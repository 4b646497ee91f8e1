import type { Clock, ClockWatch, Logger, Random } from "../runtime/index.ts";
import { dynamodbStore } from "./dynamodb.ts";
import { memoryStore } from "./memory.ts";
import { redisStore } from "./redis.ts";
import { sqliteStore } from "./sqlite.ts";
import type { Store } from "./store.ts";

const supported =
  'supported are "memory:", "sqlite:./path", "sqlite:/absolute/path", "redis://host:6379" and "dynamodb://table?region=…"';

/**
 * Opens the store that the setting `store` names: `memory:`; `sqlite:` and the path of a file, relative to the
 * working directory and taken as it is, without options or percent-encoding; the URL of a Redis;
 * or `dynamodb://table?region=…`.
 * @throws Error where the setting names no store; it repeats the scheme only, since a URL may hold a password.
 *   StoreUnavailable where the store cannot be opened
 */
export async function openStore(
  url: string,
  deps: {
    clock: Clock;
    random: Random;
    logger: Logger;
    /** Told the time by the clock of a backend elsewhere: at the opening of a Redis, and with its use. */
    sawTime?: ClockWatch["saw"] | undefined;
  },
): Promise<Store> {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(url) ?? [];
  if (scheme === undefined || rest === undefined) throw new Error(`store: not a store URL; ${supported}`);
  switch (scheme.toLowerCase()) {
    case "memory":
      if (rest !== "") throw new Error('store: "memory:" takes nothing after the colon');
      return memoryStore(deps);
    case "sqlite":
      return sqliteStore({ ...deps, path: sqlitePath(rest) });
    case "redis":
    case "rediss":
    case "redis+sentinel":
    case "rediss+sentinel":
    case "redis+cluster":
    case "rediss+cluster":
      return redisStore({ ...deps, url });
    case "dynamodb":
      return dynamodbStore({ ...deps, url });
    default:
      throw new Error(`store: "${scheme}:" is not a kind of store; ${supported}`);
  }
}

function sqlitePath(path: string): string {
  if (path === "") throw new Error('store: "sqlite:" needs the path of a file, such as "sqlite:./sallyport.db"');
  if (path === ":memory:") throw new Error('store: for a store in memory write "memory:"');
  // With two slashes some would mean a relative path and some an absolute one.
  if (path.startsWith("//")) throw new Error('store: write "sqlite:./path" or "sqlite:/absolute/path", without "//"');
  if (path.includes("?")) throw new Error('store: "sqlite:" takes no options, and no "?" in the path');
  if (path.includes("\0")) throw new Error("store: the path of the SQLite file holds a NUL character");
  return path;
}
