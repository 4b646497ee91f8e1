export { callback } from "./callback.ts";
export { createConsentMemory } from "./consent-memory.ts";
export { decideConsent } from "./decide-consent.ts";
export type { AuthorizeDeps } from "./deps.ts";
export { endSession, showLogout } from "./logout.ts";
export { RedirectableError, redirectError } from "./redirect-error.ts";
export { listRemembered } from "./remembered-approvals.ts";
export { showConsent } from "./show-consent.ts";
