export type { MachineAuthentication } from "./authenticate-machine.ts";
export { machineAuthentication } from "./authenticate-machine.ts";
export type { TokenDeps } from "./deps.ts";
export { introspectionEndpoint } from "./introspection.ts";
export { revocationEndpoint } from "./revocation.ts";
export { tokenEndpoint } from "./token-endpoint.ts";
