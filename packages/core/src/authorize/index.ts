export { callback } from "./callback.ts";
export { decideConsent } from "./decide-consent.ts";
export type { AuthorizeDeps } from "./deps.ts";
export { RedirectableError, redirectError } from "./redirect-error.ts";
export { showConsent } from "./show-consent.ts";
