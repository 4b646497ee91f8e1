import type { Sallyport } from "../server/sallyport.ts";

/** What adapters need of `await sallyport(…)`. */
export type Auth<Claims extends object = object> = Pick<Sallyport<Claims>, "fetch" | "serves" | "verify" | "baseUrl">;
