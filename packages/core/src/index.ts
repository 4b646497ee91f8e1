/**
 * Put an MCP server behind Amazon Cognito: an OAuth authorization server that MCP clients accept, and the checks at the server's door.
 * @packageDocumentation
 */
export type { AuditAction, AuditEvent, AuditSink } from "./audit/index.ts";
export { memoryAudit, noAudit } from "./audit/index.ts";
