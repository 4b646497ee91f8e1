export { OAuthError } from "./oauth-error.ts";
export type { Reason } from "./reason.ts";
export { bearerChallenge } from "./www-authenticate.ts";
