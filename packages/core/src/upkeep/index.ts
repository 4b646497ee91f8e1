/** What an operator does with a store: look through it, and seal it anew. */
export type { SecretUse, StoreFault, StoreReport } from "./check-store.ts";
export { checkStore } from "./check-store.ts";
export type { ResealReport } from "./reseal-records.ts";
export { resealRecords } from "./reseal-records.ts";
export { restoreSqliteStore } from "./restore-store.ts";
