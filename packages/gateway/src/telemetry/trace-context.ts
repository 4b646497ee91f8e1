/** Where a request stands in a trace (W3C Trace Context), as it came from outside and was found to be well formed. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** Of the caller's span: 16 hexadecimal digits. */
  readonly spanId: string;
  /** Those of its flags that are known: 1, sampled; 2, the trace id is random. */
  readonly flags: number;
  /** Header of the same name; empty where there is none. */
  readonly traceState: string;
}

const version0 = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
/** A version of the future: what comes after the flags is not known (Trace Context §4.3). */
const later = /^(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-[\x21-\x7e]{0,256})?$/;

/** Trace Context Level 2 §3.2.2.5. */
const knownFlags = 0b11;

/**
 * @param traceparent W3C Trace Context §3.2
 * @param tracestate §3.3; one that is not well formed counts as none
 * @returns undefined where `traceparent` is not well formed
 */
export function parseTraceContext(traceparent: unknown, tracestate: unknown): TraceContext | undefined {
  if (typeof traceparent !== "string") return undefined;
  const [, traceId, spanId, flags] = version0.exec(traceparent) ?? later.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  const traceState = typeof tracestate === "string" && isTraceState(tracestate) ? tracestate : "";
  return { traceId, spanId, flags: Number.parseInt(flags, 16) & knownFlags, traceState };
}

/** §3.3.1.1: the most list members; and more characters than anybody must pass on (§3.3.1.5). */
const mostMembers = 32;
const longestState = 512;
const member =
  /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

function isTraceState(text: string): boolean {
  if (text.length > longestState) return false;
  const members = text.split(",").map((one) => one.replace(/^[ \t]+|[ \t]+$/g, ""));
  const given = members.filter((one) => one !== "");
  if (given.length === 0 || given.length > mostMembers || !given.every((one) => member.test(one))) return false;
  return new Set(given.map((one) => one.slice(0, one.indexOf("=")))).size === given.length;
}

/** W3C Baggage §3.3.2: what everybody passes on. */
const longestBaggage = 8192;
const mostEntries = 64;
const entry =
  /^[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*=[ \t]*[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*(?:;[\x20-\x2b\x2d-\x7e]*)?$/;

/** A `baggage` header that is well formed and not too long, else undefined. */
export function parseBaggage(text: unknown): string | undefined {
  if (typeof text !== "string" || text.length > longestBaggage) return undefined;
  const entries = text.split(",").map((one) => one.replace(/^[ \t]+|[ \t]+$/g, ""));
  return entries.length <= mostEntries && entries.every((one) => entry.test(one)) ? text : undefined;
}

/** `traceparent` and, where there is one, `tracestate`: name, value, name, value … */
export function traceHeaders({ traceId, spanId, flags, traceState }: TraceContext): string[] {
  const headers = ["traceparent", `00-${traceId}-${spanId}-0${flags}`];
  if (traceState !== "") headers.push("tracestate", traceState);
  return headers;
}

/** What a request brought along, in headers or in `params._meta` (MCP 2026-07-28). */
export interface TraceCarrier {
  readonly traceparent?: unknown;
  readonly tracestate?: unknown;
}

/**
 * The context of a request. What `_meta` says is the MCP client's own span, so its trace counts; a header of the same
 * trace was written later, by whatever carried the request, and names the nearer span. A header of another trace (some
 * proxy's own) is left aside.
 */
export function contextOf(headers: TraceCarrier, meta: TraceCarrier | undefined): TraceContext | undefined {
  const ofHeaders =
    headers.traceparent === undefined ? undefined : parseTraceContext(headers.traceparent, headers.tracestate);
  if (meta?.traceparent === undefined) return ofHeaders;
  const ofMeta = parseTraceContext(meta.traceparent, meta.tracestate);
  if (ofMeta === undefined || ofHeaders?.traceId === ofMeta.traceId) return ofHeaders;
  return ofMeta;
}
