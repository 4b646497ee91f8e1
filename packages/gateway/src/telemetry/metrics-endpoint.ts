import type { IncomingMessage, ServerResponse } from "node:http";
import { prometheusType } from "./prometheus-text.ts";

/** RFC 6750 §2.1; the scheme's name in any case (RFC 9110 §11.1). */
const bearer = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/** Whether a request is for `/metrics`. */
export const isMetricsPath = (target: string): boolean => target === "/metrics" || target.startsWith("/metrics?");

/**
 * Answers `GET /metrics`.
 * @param mayRead whether a token opens it; undefined: it is open
 */
export function metricsEndpoint(
  read: () => Promise<string>,
  mayRead: ((token: string) => boolean) | undefined,
): (req: IncomingMessage, res: ServerResponse) => Promise<void> {
  return async (req, res) => {
    if (req.method !== "GET" && req.method !== "HEAD") return answer(res, 405, "use GET", ["Allow", "GET, HEAD"]);
    const token = bearer.exec(req.headers.authorization ?? "")?.[1] ?? "";
    if (mayRead !== undefined && !mayRead(token)) {
      return answer(res, 401, "a token is needed", ["WWW-Authenticate", 'Bearer realm="metrics"']);
    }
    let text: string;
    try {
      text = await read();
    } catch {
      return answer(res, 503, "no metrics now", ["Retry-After", "1"]);
    }
    respond(res, 200, prometheusType, text, []);
  };
}

const answer = (res: ServerResponse, status: number, text: string, headers: readonly string[]): void =>
  respond(res, status, "text/plain; charset=utf-8", `${text}\n`, headers);

function respond(res: ServerResponse, status: number, type: string, body: string, headers: readonly string[]): void {
  const fixed = ["Content-Type", type, "Cache-Control", "no-store", "X-Content-Type-Options", "nosniff"];
  res.writeHead(status, [...fixed, ...headers, "Content-Length", String(Buffer.byteLength(body))]);
  res.end(body);
}
