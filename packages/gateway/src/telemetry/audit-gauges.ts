import type { AuditSink, AuditStats } from "sallyport";
import type { Gauge } from "./metric.ts";

/** What became of the events of an audit trail, where it counts them. */
export function auditGauges(sink: () => AuditSink | undefined): readonly Gauge[] {
  const of = (kind: Gauge["kind"], name: string, help: string, value: (stats: AuditStats) => number): Gauge => ({
    kind,
    name,
    help,
    labelNames: [],
    series: () => {
      const stats = sink()?.stats?.();
      return stats === undefined ? [] : [{ labels: [], value: value(stats) }];
    },
  });
  return [
    of("counter", "sallyport_audit_lines_total", "Lines of the audit trail that were written.", (one) => one.written),
    of(
      "counter",
      "sallyport_audit_lost_total",
      "Audit events that are lost, as nothing could be written.",
      (one) => one.dropped,
    ),
    of("gauge", "sallyport_audit_waiting", "Audit events that wait to be written.", (one) => one.waiting),
    of("gauge", "sallyport_audit_failing", "Whether the audit trail cannot be written.", (one) =>
      one.failing ? 1 : 0,
    ),
  ];
}
