/** Where state lives: the contract, the adapters, and the setting that chooses one. */
export { createDynamoTable, enableDynamoTimeToLive } from "./dynamodb-table.ts";
export { memoryStore } from "./memory.ts";
export { openStore } from "./open.ts";
export { sqliteStore } from "./sqlite.ts";
export { backupSqlite } from "./sqlite-backup.ts";
export type { Entry, IndexHints, IndexName, Page, PutOptions, Store } from "./store.ts";
export { StoreUnavailable } from "./store.ts";
