import type { IncomingMessage, ServerResponse } from "node:http";
import type { AuditSink, Clock } from "sallyport";
import { hostUnknown } from "./faults.ts";
import type { Destination, Route } from "./route.ts";

/** Answers what is for no server's endpoint. */
export function createNoEndpoint(deps: {
  readonly audit: AuditSink;
  readonly clock: Clock;
  /** Answers what the authorization server has. */
  readonly next: (req: IncomingMessage, res: ServerResponse) => void;
}) {
  const { audit, clock, next } = deps;
  return (destination: Exclude<Destination, Route>, req: IncomingMessage, res: ServerResponse): void => {
    if (destination === "elsewhere") return next(req, res);
    if (destination === "nothing") {
      return answer(res, 404, { error: "not_found", error_description: "There is nothing at this path." });
    }
    const { status, code, text, reason } = hostUnknown;
    const method = req.method ?? "";
    audit.write({ time: new Date(clock.now()).toISOString(), action: "request.refused", reason, method, status });
    answer(res, status, { jsonrpc: "2.0", id: null, error: { code, message: text } });
  };
}

function answer(res: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  res.writeHead(status, {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Length": Buffer.byteLength(text),
  });
  res.end(text);
}
