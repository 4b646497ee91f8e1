export type { ConsentModel } from "./consent.ts";
export { consentPage } from "./consent.ts";
export type { ErrorModel } from "./error.ts";
export { errorModel, errorPage } from "./error.ts";
export type { Texts } from "./texts/en.ts";
export { textsFor } from "./texts/texts-for.ts";
