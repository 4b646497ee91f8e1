export type { GuardedAnswer, GuardedFetch, GuardedRequest } from "./guarded-fetch.ts";
export { GuardedFetchError } from "./guarded-fetch.ts";
export { createGuardedFetch } from "./guarded-fetch-over-tls.ts";
export type { Network, ResolvedAddress } from "./network.ts";
export { systemNetwork } from "./network.ts";
export { observedGuardedFetch } from "./observed-guarded-fetch.ts";
export { addressFault } from "./public-address.ts";
