export type { CookieDeps } from "./cookies.ts";
export { addBrowserCookie, browserCookies } from "./cookies.ts";
export type { CorsPolicy } from "./cors.ts";
export { corsHeaders } from "./cors.ts";
export { readJson } from "./json-body.ts";
export type { Parameters } from "./parameters.ts";
export { readForm, readQuery } from "./parameters.ts";
export { checkSameOrigin } from "./same-origin.ts";
export { htmlAnswer, jsonAnswer, pageHeaders } from "./security-headers.ts";
