export { requireAllowance, requireSharedAllowance } from "./require-allowance.ts";
export type { SharedLimit } from "./shared-limit.ts";
export { sharedLimit } from "./shared-limit.ts";
export type { Limiter } from "./token-bucket.ts";
export { createLimiter } from "./token-bucket.ts";
