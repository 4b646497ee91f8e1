import type { Fault } from "./answer.ts";
import { allowedMethods } from "./cors.ts";

/** JSON-RPC's range for what an implementation defines: here, what the transport refuses. */
const transport = -32000;

export const hostUnknown: Fault = {
  status: 421,
  code: transport,
  reason: "host_unknown",
  text: "This host name is not served here. Use the gateway's public URL.",
};

export const originNotAllowed: Fault = {
  status: 403,
  code: transport,
  reason: "origin_not_allowed",
  text: "Scripts of this web origin may not call the gateway. Its operator can add it to allowed_origins.",
};

export const methodNotAllowed: Fault = {
  status: 405,
  code: transport,
  reason: "method_not_allowed",
  text: "An MCP endpoint takes POST, GET and DELETE.",
  headers: ["Allow", allowedMethods],
};

export const unsupportedMediaType: Fault = {
  status: 415,
  code: transport,
  reason: "unsupported_media_type",
  text: "The Content-Type must be application/json, in UTF-8 and without a Content-Encoding.",
};

export const bodyTooLarge: Fault = {
  status: 413,
  code: transport,
  reason: "body_too_large",
  text: "The request is longer than max_request_body allows.",
};

export const unexpectedBody: Fault = {
  status: 400,
  code: transport,
  reason: "malformed_request",
  text: "GET and DELETE must not have a body.",
};

export const sessionUnknown: Fault = {
  status: 404,
  code: -32001,
  reason: "session_unknown",
  text: "Session not found. Start a new one with initialize.",
};

export const tooManyOpen: Fault = {
  status: 429,
  code: transport,
  reason: "rate_limited",
  text: "Too many requests are open at a time. Close some streams first.",
  headers: ["Retry-After", "1"],
};

/** @param retryAfter whole seconds until there is room again */
export const quotaExceeded = (retryAfter: number): Fault => ({
  status: 429,
  code: transport,
  reason: "quota_exceeded",
  text: `There have been too many requests of this kind. Try again in ${retryAfter} s.`,
  data: { reason: "quota_exceeded", retryAfter },
  headers: ["Retry-After", String(retryAfter)],
});

export const closing: Fault = {
  status: 503,
  code: transport,
  reason: "gateway_closing",
  text: "The gateway is shutting down. Try again.",
  headers: ["Retry-After", "1", "Connection", "close"],
};

/** The server of a request is gone from the settings, or is to be found elsewhere by now. */
export const settingsChanged: Fault = {
  status: 503,
  code: transport,
  reason: "settings_changed",
  text: "The gateway's settings for this MCP server have changed. Connect again.",
  headers: ["Retry-After", "1"],
};

/** The same, found out while the request was still being read. */
export const serverGone: Fault = {
  status: 404,
  code: transport,
  reason: "settings_changed",
  text: "This MCP server is no longer here.",
};

export const repeatedHeader = (name: string): Fault => ({
  status: 400,
  code: transport,
  reason: "malformed_request",
  text: `The ${name} header may come once only.`,
});

/** MCP 2026-07-28, HeaderMismatch. */
export const headerMismatch = (text: string): Fault => ({
  status: 400,
  code: -32020,
  reason: "malformed_request",
  text,
});

/** An upstream is to blame; what it said is not for the client. */
export const upstreamFault = (status: 502 | 504): Fault => ({
  status,
  code: -32603,
  reason: "upstream_server_unreachable",
  text:
    status === 504
      ? "The MCP server behind this gateway did not respond in time."
      : "The MCP server behind this gateway could not be reached or gave no usable response.",
});

/** More is under way at a server than it may have to deal with. */
export const upstreamBusy: Fault = {
  status: 503,
  code: transport,
  reason: "upstream_server_busy",
  text: "The MCP server behind this gateway has as many requests open as it may have. Try again.",
  headers: ["Retry-After", "1"],
};

/** A server has failed again and again. @param rest milliseconds until one request may try */
export const upstreamResting = (rest: number): Fault => ({
  status: 503,
  code: transport,
  reason: "upstream_server_resting",
  text: "The MCP server behind this gateway has failed repeatedly and is left alone for a moment. Try again later.",
  headers: ["Retry-After", String(Math.max(1, Math.ceil(rest / 1000)))],
});
