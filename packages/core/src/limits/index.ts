export { requireAllowance, requireSharedAllowance } from "./require-allowance.ts";
export type { CountRule, SharedCounts } from "./shared-counts.ts";
export { sharedCounts } from "./shared-counts.ts";
export type { SharedLimit } from "./shared-limit.ts";
export { sharedLimit } from "./shared-limit.ts";
export type { Allowance, Limiter } from "./token-bucket.ts";
export { createLimiter } from "./token-bucket.ts";
