type Sqlite = typeof import("node:sqlite");

/**
 * Loads `node:sqlite` at its first use, so that whoever keeps state elsewhere never loads it, and without the
 * ExperimentalWarning that Node 22 prints then. Exactly that warning is held back, and only during this call, which
 * gives way to nobody; every other warning passes.
 * @throws Error on a Node that was built or started without SQLite
 */
export function loadSqlite(): Sqlite {
  const emitWarning = process.emitWarning;
  process.emitWarning = (...warning: unknown[]): void => {
    const [message, type] = warning;
    const kind = typeof type === "object" && type !== null && "type" in type ? type.type : type;
    if (
      kind === "ExperimentalWarning" &&
      typeof message === "string" &&
      message.startsWith("SQLite is an experimental")
    ) {
      return;
    }
    Reflect.apply(emitWarning, process, warning);
  };
  try {
    // An optional result, whatever the declared type says: absent after --no-experimental-sqlite.
    const sqlite: Sqlite | undefined = process.getBuiltinModule("node:sqlite");
    if (sqlite === undefined) {
      throw new Error("store: this Node.js runs without node:sqlite; use Node 22.19 or later, or another store");
    }
    return sqlite;
  } finally {
    process.emitWarning = emitWarning;
  }
}
