import type { AuditSink } from "sallyport";

/**
 * Writes events to a stream of this process, one JSON object a line.
 * @param stream stays open
 */
export const auditToStream = (stream: NodeJS.WritableStream): AuditSink => ({
  write: (event) => void stream.write(`${JSON.stringify(event)}\n`),
  close: async () => {},
});
