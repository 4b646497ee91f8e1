export type { ConsentModel } from "./consent.ts";
export { consentPage } from "./consent.ts";
export { errorModel, errorPage } from "./error.ts";
export { textsFor } from "./texts/texts-for.ts";
