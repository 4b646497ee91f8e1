export type { AuditAction, AuditEvent, AuditSink, AuditStats } from "./audit.ts";
export { memoryAudit, noAudit } from "./audit.ts";
export type { AuditTarget } from "./batched-audit.ts";
export { batchedAudit } from "./batched-audit.ts";
export type { ChainHead } from "./chain.ts";
export { parseHead } from "./chain.ts";
export type { AuditFinding, ChainReport, ChainsReport } from "./chains-report.ts";
export type { ChainsVerifier } from "./verify-chains.ts";
export { verifyChains } from "./verify-chains.ts";
