import { CommandFailure } from "../process/failure.ts";

/** The file of a `sqlite:` store; undefined for the others. */
export const sqlitePath = (store: string): string | undefined => /^sqlite:(.+)$/.exec(store)?.[1];

const instead: Readonly<Record<string, string>> = {
  memory: "memory: ends with its process; there is nothing to keep",
  redis:
    "Redis keeps its own copies: use snapshots (BGSAVE, the file dump.rdb) or the append-only file, see docs/guide/stores.md",
  dynamodb: "DynamoDB keeps its own copies: use point-in-time recovery or on-demand backups, see docs/guide/stores.md",
};

/**
 * The file of a store that the command itself can copy.
 * @throws CommandFailure that says what to use instead
 */
export function requireSqlite(store: string): string {
  const path = sqlitePath(store);
  if (path !== undefined) return path;
  const scheme = /^(?:redis|dynamodb|memory)/.exec(store)?.[0] ?? "";
  throw new CommandFailure(`this is for SQLite stores. ${instead[scheme] ?? ""}`.trim());
}
