/** Many MCP servers behind one door: a gateway that judges every request and forwards what may pass. */

export { reservedNames } from "./config/reserved-names.ts";
export type { ResourceEntry } from "./config/resources.ts";
export { resourcesFor } from "./config/resources.ts";
export type { GatewayConfig, GatewayConfigInput, ServerConfig } from "./config/section.ts";
export { gatewaySection } from "./config/section.ts";
export type { Gateway, GatewayOptions } from "./gateway.ts";
export { createGateway } from "./gateway.ts";
export type { Decision, GatewayRequest, Policy } from "./policy/decide.ts";
export { decide } from "./policy/decide.ts";
