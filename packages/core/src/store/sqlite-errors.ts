import { StoreUnavailable } from "./store.ts";

// https://www.sqlite.org/rescode.html: the primary codes that an operator may meet.
const names: Readonly<Record<number, string>> = {
  3: "SQLITE_PERM",
  5: "SQLITE_BUSY",
  6: "SQLITE_LOCKED",
  7: "SQLITE_NOMEM",
  8: "SQLITE_READONLY",
  10: "SQLITE_IOERR",
  11: "SQLITE_CORRUPT",
  13: "SQLITE_FULL",
  14: "SQLITE_CANTOPEN",
  15: "SQLITE_PROTOCOL",
  18: "SQLITE_TOOBIG",
  26: "SQLITE_NOTADB",
};

/** The primary result code (the low byte of an extended one) of an error that SQLite answered; otherwise undefined. */
export function sqliteCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  const primary = error.errcode & 0xff;
  return names[primary] ?? `SQLITE_${primary}`;
}

/** The code by which an operator knows this error: SQLite's, or the one of Node or the operating system. */
export function errorCode(error: unknown): string | undefined {
  const own = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
  return sqliteCode(error) ?? own;
}

/**
 * Turns what SQLite answered, or the use of a closed database, into {@link StoreUnavailable}. Anything else is a fault
 * in this code and comes back as it is. The message holds the code and nothing of the statement's values.
 */
export function unavailable(error: unknown): unknown {
  const code = errorCode(error);
  if (sqliteCode(error) === undefined && code !== "ERR_INVALID_STATE") return error;
  const what = code === "ERR_INVALID_STATE" ? "is closed" : "did not answer";
  return new StoreUnavailable(`The SQLite store ${what} (${code}).`, { cause: error });
}
