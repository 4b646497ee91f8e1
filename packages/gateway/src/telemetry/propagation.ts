import type { Visit } from "../proxy/visit.ts";
import { contextOf, parseBaggage, type TraceContext, traceHeaders } from "./trace-context.ts";

const nothing: readonly string[] = [];

/**
 * The headers by which a server learns where a request stands in its trace: name, value, name, value … What came from
 * outside goes on only where it is well formed. The body is never touched: what it says of a trace reaches the server too.
 * @param withBaggage whether W3C baggage goes on as well
 */
export function propagatedHeaders(visit: Visit, withBaggage: boolean): readonly string[] {
  const headers = visit.watch?.forwarded() ?? asItCame(visit);
  if (!withBaggage) return headers;
  const baggage = parseBaggage(visit.head.baggage ?? metaOf(visit)?.baggage);
  return baggage === undefined ? headers : [...headers, "baggage", baggage];
}

function asItCame(visit: Visit): readonly string[] {
  const context = contextOfVisit(visit);
  return context === undefined ? nothing : traceHeaders(context);
}

/** Where a request stands in a trace, by its headers and its `_meta`. */
export function contextOfVisit(visit: Pick<Visit, "head" | "message">): TraceContext | undefined {
  const meta = metaOf(visit);
  if (visit.head.traceparent === undefined && meta === undefined) return undefined;
  return contextOf(visit.head, meta);
}

/** What a message's `_meta` says (MCP, General fields). */
function metaOf({ message }: Pick<Visit, "message">): Readonly<Record<string, unknown>> | undefined {
  const meta = message?.params?._meta;
  return isObject(meta) ? meta : undefined;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
