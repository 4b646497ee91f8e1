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
  | "records.resealed"
  | "store.restored"
  | "upstream.renewed"
  | "upstream.failed"
  | "request.allowed"
  | "request.refused"
  | "stream.closed"
  | "breaker.opened"
  | "breaker.closed"
  | "config.reloaded"
  | "config.reload_refused";

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
  /** What decided about a request: a rule of the policy by its place in the settings, or why no rule could. */
  readonly because?: string;
  /** Id of a signing key. */
  readonly key?: string;
  readonly status?: number;
}

/** What a sink has done with its events since it was opened. */
export interface AuditStats {
  /** Lines that have been handed to the file or stream. */
  readonly written: number;
  /** Events that are lost, because nothing could be written for too long. */
  readonly dropped: number;
  /** Events that wait to be written. */
  readonly waiting: number;
  /** Whether the last attempt to write failed. */
  readonly failing: boolean;
}

/** Takes events; must not throw and must not hold up a request. */
export interface AuditSink {
  write(event: AuditEvent): void;
  /** For metrics, where the sink counts. */
  stats?(): AuditStats;
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
