export { answerPage } from "./answer-page.ts";
export type { ConsentModel } from "./consent.ts";
export { consentPage } from "./consent.ts";
export { errorModel, errorPage } from "./error.ts";
export { logoutPage, signedOutPage } from "./logout.ts";
export type { Look } from "./look.ts";
export { lookOf } from "./look.ts";
export { rememberedPage } from "./remembered.ts";
export { textsFor } from "./texts/texts-for.ts";
