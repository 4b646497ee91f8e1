/** Many MCP servers behind one door: a gateway that judges every request and forwards what may pass. */

export { reservedNames } from "./config/reserved-names.ts";
export type { ResourceEntry } from "./config/resources.ts";
export { resourcesFor } from "./config/resources.ts";
export type { GatewayConfig, GatewayConfigInput, ServerConfig } from "./config/section.ts";
export { gatewaySection } from "./config/section.ts";
export type { Gateway, GatewayOptions } from "./gateway.ts";
export { createGateway } from "./gateway.ts";
export { policyRules } from "./policy/check.ts";
export type { Policy, PolicyConfig, RulePlace } from "./policy/compile.ts";
export { compile } from "./policy/compile.ts";
export type { Decision } from "./policy/decide.ts";
export { decide } from "./policy/decide.ts";
export type { PolicyTest } from "./policy/expectation.ts";
export type { GatewayRequest } from "./policy/request.ts";
