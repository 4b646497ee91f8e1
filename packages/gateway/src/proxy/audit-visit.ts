import type { AuditAction, AuditEvent, AuditSink, Clock, Reason } from "sallyport";
import { auditedName, bounded } from "./audited-name.ts";
import type { Visit } from "./visit.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

let [lastTime, lastText] = [Number.NaN, ""];

/** ISO 8601. Many requests share a millisecond, and writing it out takes as long as the rest of an event. */
function isoTime(time: number): string {
  if (time === lastTime) return lastText;
  lastTime = time;
  lastText = new Date(time).toISOString();
  return lastText;
}

/** Writes what became of a request to the audit trail. */
export function auditVisit(
  audit: AuditSink,
  clock: Clock,
  action: Extract<AuditAction, "request.allowed" | "request.refused" | "stream.closed">,
  visit: Visit,
  status: number,
  reason?: Reason,
): void {
  visit.watch?.outcome(action, status, reason);
  const { principal, route, message } = visit;
  const event: Mutable<AuditEvent> = {
    time: isoTime(clock.now()),
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
  if (visit.because !== undefined) event.because = visit.because;
  event.method = message?.method === undefined ? (visit.req.method ?? "") : bounded(message.method);
  const name = message?.method === undefined ? undefined : auditedName(message.method, message.name ?? "");
  if (name) event.tool = name;
  audit.write(event);
}
