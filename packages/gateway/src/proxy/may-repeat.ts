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

/** How an attempt to send a request has ended. */
export interface Attempt {
  /** Its bytes have gone to the connection. */
  readonly written: boolean;
  /** The upstream has begun to answer. */
  readonly heard: boolean;
  /** The connection had carried others before. */
  readonly kept: boolean;
}

/** The connection was refused or lost. What takes its time, or would end the same way again, is not among them. */
const lost = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "UND_ERR_SOCKET", "UPSTREAM_CLOSED"]);

/**
 * Whether a request may be sent once more. One that never left may be. Where a kept connection was lost without an
 * answer, the upstream most likely closed it just as it was used again; but a tool call may have begun there and never
 * is repeated (RFC 9110 §9.2.2).
 */
export function mayRepeat(request: GatewayRequest, attempt: Attempt, error: Error): boolean {
  const { code } = error as { readonly code?: unknown };
  if (typeof code !== "string" || !lost.has(code)) return false;
  if (!attempt.written) return true;
  if (!attempt.kept || attempt.heard) return false;
  return request.httpMethod === "POST" ? harmless.has(request.method ?? "") : true;
}
