/** Many MCP servers behind one door: a gateway that judges every request and forwards what may pass. */

export { serverRules } from "./config/check-servers.ts";
export { telemetryRules } from "./config/check-telemetry.ts";
export { liveGatewaySettings } from "./config/live-settings.ts";
export { reservedNames } from "./config/reserved-names.ts";
export type { ResourceEntry } from "./config/resources.ts";
export { pathOf, resourcesFor } from "./config/resources.ts";
export type { GatewayConfig, GatewayConfigInput, ServerConfig } from "./config/section.ts";
export { gatewaySection } from "./config/section.ts";
export type { Gateway, GatewayOptions } from "./gateway.ts";
export { createGateway } from "./gateway.ts";
export type { LiveOptions } from "./gateway-state.ts";
export { policyRules } from "./policy/check.ts";
export type { Policy, PolicyConfig, RulePlace } from "./policy/compile.ts";
export { compile } from "./policy/compile.ts";
export type { Decision } from "./policy/decide.ts";
export { decide } from "./policy/decide.ts";
export type { PolicyTest } from "./policy/expectation.ts";
export { knownMethods } from "./policy/methods.ts";
export type { GatewayRequest } from "./policy/request.ts";
export type { UnlistedTool } from "./policy/unlisted-tools.ts";
export { unlistedTools } from "./policy/unlisted-tools.ts";
export { quotaRules } from "./quotas/check.ts";
export type { QuotaRule } from "./quotas/quota.ts";
export type { ListenerState } from "./telemetry/listener-gauges.ts";
export { mergeMetrics } from "./telemetry/merge-metrics.ts";
export type { Telemetry, TelemetryOptions } from "./telemetry/telemetry.ts";
export { createTelemetry } from "./telemetry/telemetry.ts";
