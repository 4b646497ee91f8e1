import type { TraceContext } from "./trace-context.ts";

/** What is known of a span; never a token, an argument or a result. */
export type SpanAttributes = Readonly<Record<string, string | number>>;

/** How a traced request went. */
export interface SpanEnd {
  /** HTTP status; 0 where nothing was answered. */
  readonly status: number;
  /** Whether it failed, in words of a closed list. */
  readonly error: string | undefined;
  readonly attributes: SpanAttributes;
}

/** A request in a trace. Times are of the monotonic clock, milliseconds. */
export interface RequestTrace {
  readonly traceId: string;
  /** Whether it is recorded at all. */
  readonly recorded: boolean;
  /** The request goes upstream: the headers that tell where it stands in its trace. Once. */
  forward(at: number, attributes: SpanAttributes): readonly string[];
  /** The upstream's response begins. */
  answered(at: number, status: number): void;
  /** Once. */
  end(at: number, how: SpanEnd): void;
}

/** Makes spans. */
export interface Tracing {
  /**
   * A span for a request that came in.
   * @param request.context where the caller stands in a trace
   * @param request.startedAt may be past
   */
  begin(request: {
    readonly name: string;
    readonly context: TraceContext | undefined;
    readonly startedAt: number;
    readonly attributes: SpanAttributes;
  }): RequestTrace;
}
