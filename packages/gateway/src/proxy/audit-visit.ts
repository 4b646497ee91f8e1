import type { AuditAction, AuditEvent, AuditSink, Clock, Reason } from "sallyport";
import type { Visit } from "./visit.ts";

/** Methods and names come from outside: the trail keeps no more of them than this. */
const maxLength = 128;

const bounded = (text: string): string => (text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`);

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Writes what became of a request to the audit trail. */
export function auditVisit(
  audit: AuditSink,
  clock: Clock,
  action: Extract<AuditAction, "request.allowed" | "request.refused" | "stream.closed">,
  visit: Visit,
  status: number,
  reason?: Reason,
): void {
  const { principal, route, message } = visit;
  const event: Mutable<AuditEvent> = {
    time: new Date(clock.now()).toISOString(),
    action,
    resource: route.resource,
    server: route.name,
    status,
  };
  if (reason !== undefined) event.reason = reason;
  if (principal !== undefined) {
    event.client = principal.clientId;
    event.user = principal.subject;
    if (principal.grantId !== undefined) event.grant = principal.grantId;
  }
  event.method = message?.method === undefined ? (visit.req.method ?? "") : bounded(message.method);
  if (message?.name !== undefined) event.tool = bounded(message.name);
  audit.write(event);
}
