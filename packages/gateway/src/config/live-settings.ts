import type { GatewayConfig } from "./section.ts";

/** Settings of the gateway that may change while it runs. Whatever is not listed is read once, at the start. */
export const liveGatewaySettings: readonly (readonly [keyof GatewayConfig])[] = [
  ["servers"],
  ["scopes"],
  ["deny"],
  ["policyTests"],
  ["quotas"],
  ["eventStreamKeepAlive"],
  ["maxRequestBody"],
  ["maxOpenRequests"],
  ["eventStreamKeepAlive"],
  ["quotas"],
];
