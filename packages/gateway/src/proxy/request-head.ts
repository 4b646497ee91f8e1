import { type Fate, foldedHeader, requestHeaderFate } from "./request-headers.ts";

/** The request's headers after one pass over them. */
export interface RequestHead {
  host: string | undefined;
  origin: string | undefined;
  authorization: string | undefined;
  contentType: string | undefined;
  contentEncoding: string | undefined;
  contentLength: string | undefined;
  transferEncoding: string | undefined;
  protocolVersion: string | undefined;
  mcpMethod: string | undefined;
  mcpName: string | undefined;
  sessionId: string | undefined;
  connection: string | undefined;
  traceparent: string | undefined;
  tracestate: string | undefined;
  baggage: string | undefined;
  /** Name of a header that may come once only and came more often. */
  repeated: string | undefined;
  /** What goes upstream as it came: name, value, name, value … */
  readonly forward: string[];
}

type Field = Exclude<keyof RequestHead, "forward" | "repeated">;

/** Header names are few and come again and again; strangers cannot make this grow without end. */
const fates = new Map<string, Fate>();
const maxFates = 1000;

function fateOf(name: string): Fate {
  const known = fates.get(name);
  if (known !== undefined) return known;
  const fate = requestHeaderFate(name.toLowerCase());
  if (fates.size < maxFates) fates.set(name, fate);
  return fate;
}

/** Reads `IncomingMessage.rawHeaders` once, in order. */
export function readHead(rawHeaders: readonly string[]): RequestHead {
  const head: RequestHead = {
    host: undefined,
    origin: undefined,
    authorization: undefined,
    contentType: undefined,
    contentEncoding: undefined,
    contentLength: undefined,
    transferEncoding: undefined,
    protocolVersion: undefined,
    mcpMethod: undefined,
    mcpName: undefined,
    sessionId: undefined,
    connection: undefined,
    traceparent: undefined,
    tracestate: undefined,
    baggage: undefined,
    repeated: undefined,
    forward: [],
  };
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    const value = rawHeaders[i + 1] ?? "";
    const fate = fateOf(name);
    if (fate === "forward") head.forward.push(name, value);
    else if (fate !== "drop") take(head, fate.field, value, name, fate.forward);
  }
  if (head.connection !== undefined) removeNamed(head.forward, head.connection);
  return head;
}

/** Headers that may come in several lines; of `traceparent` two make one that is not well formed. */
const lists: ReadonlySet<Field> = new Set(["connection", "traceparent", "tracestate", "baggage"]);

function take(head: RequestHead, field: Field, value: string, name: string, forward: boolean): void {
  if (head[field] === undefined) head[field] = value;
  else if (lists.has(field)) head[field] += `,${value}`;
  else head.repeated ??= name;
  if (forward) head.forward.push(name, value);
}

/** RFC 9110 §7.6.1: a header that `Connection` names is meant for this hop only. What has been judged goes on all the same. */
function removeNamed(headers: string[], connection: string): void {
  const lower = connection.toLowerCase();
  if (lower === "keep-alive" || lower === "close") return;
  const named = new Set(lower.split(",").map((name) => name.trim()));
  named.delete("content-type");
  named.delete("mcp-protocol-version");
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if (named.has((headers[i] ?? "").toLowerCase())) headers.splice(i, 2);
  }
}

/**
 * Takes headers out, whatever their spelling.
 * @param headers name, value, name, value …
 * @param names folded
 */
export function removeHeaders(headers: string[], names: ReadonlySet<string>): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if (names.has(foldedHeader(headers[i] ?? ""))) headers.splice(i, 2);
  }
}
