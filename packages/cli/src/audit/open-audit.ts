import { type AuditSink, noAudit } from "sallyport";
import { openAuditFile } from "./audit-file.ts";
import { auditToStream } from "./audit-stream.ts";

/**
 * Where the audit events of a command go.
 * @param target a file, or `-` for stdout; nowhere when left out
 * @param warn told when events are lost
 * @throws CommandFailure if the file cannot be opened
 */
export async function openAudit(target: string | undefined, warn: (message: string) => void): Promise<AuditSink> {
  if (target === undefined) return noAudit;
  return target === "-" ? auditToStream(process.stdout) : openAuditFile({ path: target, warn });
}
