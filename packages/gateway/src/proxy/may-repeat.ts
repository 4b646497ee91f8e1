import type { GatewayRequest } from "../policy/request.ts";

/** JSON-RPC methods that change nothing that matters if they are done twice. */
const harmless = new Set([
  "initialize",
  "ping",
  "server/discover",
  "tools/list",
  "prompts/list",
  "prompts/get",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "completion/complete",
  "tasks/get",
  "subscriptions/listen",
]);

/**
 * Whether a request that a kept connection lost may be sent once more. A tool call never is: the upstream may have
 * begun it (RFC 9110 §9.2.2).
 */
export function mayRepeat(request: GatewayRequest, error: Error): boolean {
  const lost = "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
  if (!lost) return false;
  return request.httpMethod === "POST" ? harmless.has(request.method ?? "") : true;
}
