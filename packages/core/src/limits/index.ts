export { requireAllowance } from "./require-allowance.ts";
export type { Limiter } from "./token-bucket.ts";
export { createLimiter } from "./token-bucket.ts";
