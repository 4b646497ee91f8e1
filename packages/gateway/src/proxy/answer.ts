import type { BearerRefusal, Reason } from "sallyport";
import type { Visit } from "./visit.ts";

/** An answer of the gateway itself, as a JSON-RPC error. */
export interface Fault {
  readonly status: number;
  /** JSON-RPC error code. */
  readonly code: number;
  /** Our own words, safe for anyone. */
  readonly text: string;
  readonly reason: Reason;
  /** Told to the client with the error, for programs. */
  readonly data?: Readonly<Record<string, string | number>>;
  /** Further headers: name, value, name, value … */
  readonly headers?: readonly string[];
}

/** Answers with a JSON-RPC error; `id` null where the request's own is not known (JSON-RPC 2.0 §5). */
export function answerFault(visit: Visit, fault: Fault, id: string | number | null = visit.message?.id ?? null): void {
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id,
    error: { code: fault.code, message: fault.text, data: fault.data },
  });
  const fixed = ["Content-Type", "application/json", "Cache-Control", "no-store", ...(fault.headers ?? [])];
  write(visit, fault.status, fixed, body);
}

/** Answers with a refusal of the token or of the request. */
export function answerRefusal(visit: Visit, refusal: BearerRefusal): void {
  write(visit, refusal.status, Object.entries(refusal.headers()).flat(), refusal.body(visit.message?.id ?? null));
}

/** Answers without a body. */
export const answerEmpty = (visit: Visit, status: number, headers: readonly string[]): void =>
  write(visit, status, headers, "");

function write({ req, res, cors }: Visit, status: number, headers: readonly string[], body: string): void {
  if (res.headersSent || res.destroyed) return;
  const all = ["X-Content-Type-Options", "nosniff", ...headers, ...cors];
  if (body !== "") all.push("Content-Length", String(Buffer.byteLength(body)));
  // A body that was not read would be read to its end for the sake of the connection, however long it is.
  if (!req.complete && isLong(req.headers)) all.push("Connection", "close");
  res.writeHead(status, all);
  res.end(body);
}

const worthReading = 256 * 1024;

const isLong = (headers: {
  readonly "content-length"?: string | undefined;
  readonly "transfer-encoding"?: string | undefined;
}): boolean => headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > worthReading;
