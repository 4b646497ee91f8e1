import type { Reason } from "../errors/index.ts";

/** What happened. Each name is one step of a flow. */
export type AuditAction =
  | "client.registered"
  | "client.refused"
  | "authorize.shown"
  | "authorize.refused"
  | "consent.approved"
  | "consent.denied"
  | "consent.refused"
  | "consent.remembered"
  | "consent.skipped"
  | "consent.forgotten"
  | "signin.completed"
  | "signin.refused"
  | "token.issued"
  | "token.refreshed"
  | "token.refused"
  | "token.introspected"
  | "grant.ended"
  | "grants.ended"
  | "session.ended"
  | "keys.published"
  | "keys.rotated"
  | "upstream.renewed"
  | "upstream.failed"
  | "request.allowed"
  | "request.refused"
  | "stream.closed";

/** One audit event. No field ever holds a token, code, secret, cookie or assertion. */
export interface AuditEvent {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly action: AuditAction;
  readonly reason?: Reason;
  readonly client?: string;
  readonly user?: string;
  readonly grant?: string;
  readonly resource?: string;
  readonly scope?: string;
  readonly server?: string;
  readonly method?: string;
  readonly tool?: string;
  /** Id of a signing key. */
  readonly key?: string;
  readonly status?: number;
}

/** Takes events; must not throw and must not hold up a request. */
export interface AuditSink {
  write(event: AuditEvent): void;
  close(): Promise<void>;
}

/** Forgets everything. */
export const noAudit: AuditSink = { write: () => {}, close: async () => {} };

/** Keeps the newest `limit` events in memory (default 1000), for tests and trials. */
export function memoryAudit(limit = 1000): AuditSink & { readonly events: AuditEvent[] } {
  const events: AuditEvent[] = [];
  return {
    events,
    write(event) {
      events.push(event);
      if (events.length > limit) events.shift();
    },
    close: async () => {},
  };
}
