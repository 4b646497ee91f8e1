import type { IncomingMessage, ServerResponse } from "node:http";
import { endpointLabel, isTraced } from "./endpoints.ts";
import { httpMethodLabel, statusLabel } from "./labels.ts";
import { observe } from "./metric.ts";
import type { WatchDeps } from "./request-watch.ts";
import { parseTraceContext } from "./trace-context.ts";
import type { RequestTrace } from "./tracing.ts";

/** Follows what is no request to an MCP endpoint, from its coming to the end of its answer. */
export function endpointWatch(deps: Omit<WatchDeps, "tools">): (req: IncomingMessage, res: ServerResponse) => void {
  const { clock, metrics, tracing, accessLog } = deps;

  const beginTrace = (req: IncomingMessage, endpoint: string, startedAt: number): RequestTrace | undefined => {
    if (tracing === undefined || !isTraced(endpoint)) return undefined;
    const { traceparent, tracestate } = req.headers;
    const method = httpMethodLabel(req.method);
    const trace = tracing.begin({
      name: `${method} ${endpoint}`,
      context: parseTraceContext(traceparent, tracestate),
      startedAt,
      attributes: { "http.request.method": method, "http.route": endpoint },
    });
    return trace.recorded ? trace : undefined;
  };

  return (req, res) => {
    const startedAt = clock.monotonic();
    const endpoint = endpointLabel(req.url ?? "");
    const finish = accessLog?.begin(req, res);
    const trace = beginTrace(req, endpoint, startedAt);
    res.once("close", () => {
      const now = clock.monotonic();
      const status = res.headersSent ? res.statusCode : 0;
      const { endpointRequests, endpointSeconds } = metrics;
      endpointRequests.at([endpoint, httpMethodLabel(req.method), statusLabel(status)]).value++;
      observe(endpointSeconds.bounds, endpointSeconds.at([endpoint]), (now - startedAt) / 1000);
      trace?.end(now, { status, error: status >= 500 ? String(status) : undefined, attributes: {} });
      finish?.({ trace: trace?.traceId });
    });
  };
}
