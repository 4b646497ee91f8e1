export type { AuditAction, AuditEvent, AuditSink } from "./audit.ts";
export { memoryAudit, noAudit } from "./audit.ts";
