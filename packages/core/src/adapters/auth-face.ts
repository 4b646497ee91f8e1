import type { Sallyport } from "../server/sallyport.ts";
import type { AnyClaims } from "../verify/index.ts";

/** What adapters need of `await sallyport(…)`. */
export type Auth<Claims extends object = AnyClaims> = Pick<
  Sallyport<Claims>,
  "fetch" | "serves" | "verify" | "baseUrl"
>;
