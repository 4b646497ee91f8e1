import type { HrTime, Span, Tracer } from "@opentelemetry/api";
import type { Clock } from "sallyport";
import { type TraceContext, traceHeaders } from "./trace-context.ts";
import type { RequestTrace, Tracing } from "./tracing.ts";

/** OpenTelemetry's API, which is loaded only where it is needed. */
type Api = Pick<
  typeof import("@opentelemetry/api"),
  "ROOT_CONTEXT" | "SpanKind" | "SpanStatusCode" | "createTraceState" | "trace"
>;

/** Spans of OpenTelemetry. Nothing is registered globally: each span is told where it belongs. */
export function otlpTracing(tracer: Tracer, api: Api, clock: Clock): Tracing {
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = api;
  const offset = clock.now() - clock.monotonic();
  const time = (at: number): HrTime => {
    const ms = offset + at;
    return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
  };
  const parentOf = (context: TraceContext | undefined) => {
    if (context === undefined) return ROOT_CONTEXT;
    const { traceId, spanId, flags, traceState } = context;
    const remote = { traceId, spanId, traceFlags: flags, isRemote: true };
    const whole = traceState === "" ? remote : { ...remote, traceState: api.createTraceState(traceState) };
    return trace.setSpanContext(ROOT_CONTEXT, whole);
  };
  const headersOf = (span: Span): string[] => {
    const { traceId, spanId, traceFlags, traceState } = span.spanContext();
    return traceHeaders({ traceId, spanId, flags: traceFlags & 0b11, traceState: traceState?.serialize() ?? "" });
  };

  return {
    begin({ name, context, startedAt, attributes }): RequestTrace {
      const options = { kind: SpanKind.SERVER, startTime: time(startedAt), attributes };
      const server = tracer.startSpan(name, options, parentOf(context));
      const recorded = server.isRecording();
      let upstream: Span | undefined;
      return {
        traceId: server.spanContext().traceId,
        recorded,
        forward(at, further) {
          if (!recorded) return headersOf(server);
          const within = trace.setSpan(ROOT_CONTEXT, server);
          const client = { kind: SpanKind.CLIENT, startTime: time(at), attributes: { ...attributes, ...further } };
          upstream = tracer.startSpan(name, client, within);
          return headersOf(upstream);
        },
        answered(at, status) {
          upstream?.addEvent("response begins", undefined, time(at));
          upstream?.setAttribute("http.response.status_code", status);
        },
        end(at, { status, error, attributes: further }) {
          for (const span of [upstream, server]) {
            if (span === undefined) continue;
            if (error !== undefined) {
              span.setAttribute("error.type", error);
              span.setStatus({ code: SpanStatusCode.ERROR });
            }
            if (span === server) {
              span.setAttributes(further);
              if (status > 0) span.setAttribute("http.response.status_code", status);
            }
            span.end(time(at));
          }
        },
      };
    },
  };
}
