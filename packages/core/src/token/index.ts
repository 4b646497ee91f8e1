export type { TokenDeps } from "./deps.ts";
export { tokenEndpoint } from "./token-endpoint.ts";
