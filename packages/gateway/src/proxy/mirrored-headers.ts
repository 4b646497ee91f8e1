import type { Message } from "./parse-message.ts";
import type { RequestHead } from "./request-head.ts";

/** The first revision whose requests say in headers what they say in the body. */
const firstRevision = "2026-07-28";
const claimMember = "io.modelcontextprotocol/protocolVersion";

/** Which member of `params` the `Mcp-Name` header repeats (MCP 2026-07-28, Streamable HTTP; tasks extension). */
const mirroredMembers: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
};

/** Whether the `MCP-Protocol-Version` header names a revision with mirrored headers. */
export const hasMirroredHeaders = (version: string | undefined): boolean =>
  version !== undefined && version.length === 10 && version >= firstRevision;

/**
 * Compares `Mcp-Method` and `Mcp-Name` with the body (MCP 2026-07-28, Request Metadata). Nothing is decided by these
 * headers; but an upstream or something before it may go by them, so they must say the same. Missing ones are refused
 * only where the body claims the revision too: everything else about it is the upstream's to judge.
 * @returns what is wrong, for the error `-32020`; undefined if nothing is
 */
export function findHeaderMismatch(head: RequestHead, message: Message): string | undefined {
  const { method, params, kind } = message;
  if (method === undefined) return undefined;
  const claimed = kind === "request" && claimedRevision(params) !== undefined;
  if (head.mcpMethod === undefined) {
    if (claimed) return "The Mcp-Method header is missing. It must repeat the method of the body.";
  } else if (head.mcpMethod !== method) return "The Mcp-Method header and the method of the body differ.";
  const member = Object.hasOwn(mirroredMembers, method) ? mirroredMembers[method] : undefined;
  if (member === undefined) return undefined;
  const value = params?.[member];
  if (head.mcpName === undefined) {
    return claimed && typeof value === "string"
      ? `The Mcp-Name header is missing. It must repeat params.${member} of the body.`
      : undefined;
  }
  const name = decodeHeaderValue(head.mcpName);
  if (name === undefined) return "The Mcp-Name header is not well encoded: =?base64?…?= must hold UTF-8 in base64.";
  return name === value ? undefined : `The Mcp-Name header and params.${member} of the body differ.`;
}

/**
 * The mirrored headers that may go upstream: those that have been compared. An `Mcp-Name` for a method that is not
 * known here goes on if it repeats some text of `params`, as an extension of the protocol may want.
 */
export function pushMirroredHeaders(headers: string[], head: RequestHead, message: Message): void {
  const { method, params } = message;
  if (method === undefined) return;
  if (head.mcpMethod !== undefined) headers.push("mcp-method", head.mcpMethod);
  if (head.mcpName === undefined) return;
  const name = decodeHeaderValue(head.mcpName);
  const known = Object.hasOwn(mirroredMembers, method);
  if (known || (name !== undefined && Object.values(params ?? {}).includes(name)))
    headers.push("mcp-name", head.mcpName);
}

/** Plain, or `=?base64?…?=` around canonical base64 of UTF-8; undefined if that is not well formed. */
function decodeHeaderValue(value: string): string | undefined {
  if (!value.startsWith("=?base64?") || !value.endsWith("?=")) return value;
  const text = value.slice(9, -2);
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The revision that a body itself says it is of; undefined where it says none. */
function claimedRevision(params: Message["params"]): unknown {
  const meta = params?._meta;
  if (typeof meta !== "object" || meta === null || !Object.hasOwn(meta, claimMember)) return undefined;
  return claimMember in meta ? meta[claimMember] : undefined;
}

/**
 * Compares the revision that a request's body names with the `MCP-Protocol-Version` header: what depends on the
 * revision, here or at whatever stands before the upstream, goes by the header.
 * @returns what is wrong, for the error `-32020`; undefined if nothing is
 */
export function findRevisionMismatch(head: RequestHead, message: Message): string | undefined {
  if (message.kind !== "request") return undefined;
  const claimed = claimedRevision(message.params);
  if (claimed === undefined || claimed === head.protocolVersion) return undefined;
  return head.protocolVersion === undefined
    ? "The MCP-Protocol-Version header is missing. It must repeat the revision that the body names."
    : "The MCP-Protocol-Version header and the revision that the body names differ.";
}
