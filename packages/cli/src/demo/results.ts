import type { CallToolResult } from "@modelcontextprotocol/server";

/** A tool result of one text. */
export function text(value: string): CallToolResult {
  return { content: [{ type: "text", text: value }] };
}

/** A tool result that tells the model what went wrong and how to mend it; the HTTP status stays 200. */
export function failure(message: string): CallToolResult {
  return { ...text(message), isError: true };
}
