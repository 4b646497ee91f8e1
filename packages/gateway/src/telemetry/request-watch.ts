import type { AuditAction, Clock, Reason } from "sallyport";
import type { Visit } from "../proxy/visit.ts";
import type { AccessLog } from "./access-log.ts";
import { type Decision, decisionOf, methodLabel, statusLabel, type ToolLabels } from "./labels.ts";
import { observe } from "./metric.ts";
import type { MetricSet } from "./metric-set.ts";
import { contextOfVisit } from "./propagation.ts";
import { type TraceContext, traceHeaders } from "./trace-context.ts";
import type { RequestTrace, Tracing } from "./tracing.ts";

/** What watching a request needs. */
export interface WatchDeps {
  readonly clock: Clock;
  readonly metrics: MetricSet;
  readonly tools: ToolLabels;
  readonly tracing: Tracing | undefined;
  readonly accessLog: AccessLog | undefined;
}

/**
 * Follows one request to an MCP endpoint: counts it once, measures what of its time was the gateway's own, and tells its
 * trace. It never changes what happens to the request.
 */
export class RequestWatch {
  readonly #deps: WatchDeps;
  readonly #visit: Visit;
  readonly #startedAt: number;
  /** Since when the gateway has been at work on it. */
  #workingSince: number;
  #worked = 0;
  #forwardedAt: number | undefined;
  #trace: RequestTrace | undefined;
  /** Undefined until it is counted. */
  #decision: Decision | undefined;
  #reason: Reason | undefined;

  constructor(deps: WatchDeps, visit: Visit) {
    this.#deps = deps;
    this.#visit = visit;
    this.#startedAt = deps.clock.monotonic();
    this.#workingSince = this.#startedAt;
    const { accessLog } = deps;
    if (accessLog === undefined) return;
    const finish = accessLog.begin(visit.req, visit.res);
    visit.res.once("close", () => {
      const { principal, route } = visit;
      finish({ server: route.name, user: principal?.subject, trace: this.#traceId(), reason: this.#reason });
    });
  }

  /** From now on the gateway waits for the rest of the request. */
  waits(): void {
    this.#worked += this.#deps.clock.monotonic() - this.#workingSince;
  }

  /** What it waited for is there. */
  works(): void {
    this.#workingSince = this.#deps.clock.monotonic();
  }

  /** The request goes upstream. @returns the headers that tell where it stands in its trace */
  forwarded(): readonly string[] {
    const { clock, tracing } = this.#deps;
    const now = clock.monotonic();
    this.#worked += now - this.#workingSince;
    this.#workingSince = now;
    this.#forwardedAt = now;
    const context = contextOfVisit(this.#visit);
    if (tracing === undefined) return context === undefined ? [] : traceHeaders(context);
    const trace = this.#beginTrace(tracing, context);
    if (trace.recorded) this.#visit.res.once("close", () => this.#endTrace(trace));
    return trace.forward(now, { "server.address": hostIn(this.#visit.route.host) });
  }

  /** The upstream's response begins. */
  answered(status: number): void {
    const now = this.#deps.clock.monotonic();
    this.#workingSince = now;
    this.#trace?.answered(now, status);
    if (this.#forwardedAt === undefined) return;
    const { upstreamSeconds } = this.#deps.metrics;
    observe(upstreamSeconds.bounds, upstreamSeconds.at([this.#visit.route.name]), (now - this.#forwardedAt) / 1000);
  }

  /** What became of the request, or of its response later on: the same as the audit trail is told. */
  outcome(
    action: Extract<AuditAction, "request.allowed" | "request.refused" | "stream.closed">,
    status: number,
    reason: Reason | undefined,
  ): void {
    const { metrics } = this.#deps;
    const { route } = this.#visit;
    this.#reason = reason;
    if (action === "stream.closed") metrics.streamsClosed.at([route.name, reason ?? ""]).value++;
    else this.#count(decisionOf(status, reason), status, reason);
  }

  /** The client went away before there was an answer. */
  abandoned(): void {
    this.#count("abandoned", 0, undefined);
  }

  #count(decision: Decision, status: number, reason: Reason | undefined): void {
    if (this.#decision !== undefined) return;
    this.#decision = decision;
    const { clock, metrics, tools, tracing } = this.#deps;
    const { req, route, message } = this.#visit;
    const { name } = route;
    const now = clock.monotonic();
    const method = methodLabel(req.method, message);
    const tool = tools.labelOf(name, message);
    metrics.requests.at([name, method, tool, decision, reason ?? "", statusLabel(status)]).value++;
    const { requestSeconds, gatewaySeconds } = metrics;
    observe(requestSeconds.bounds, requestSeconds.at([name, decision]), (now - this.#startedAt) / 1000);
    if (this.#forwardedAt !== undefined) {
      if (decision !== "allowed") return;
      const own = this.#worked + now - this.#workingSince;
      observe(gatewaySeconds.bounds, gatewaySeconds.at([name]), own / 1000);
    } else if (tracing !== undefined) {
      const trace = this.#beginTrace(tracing, contextOfVisit(this.#visit));
      if (trace.recorded) this.#endTrace(trace, status);
    }
  }

  #beginTrace(tracing: Tracing, context: TraceContext | undefined): RequestTrace {
    const { req, route, message, head } = this.#visit;
    const method = methodLabel(req.method, message);
    const tool = this.#deps.tools.labelOf(route.name, message);
    this.#trace = tracing.begin({
      name: tool === "" ? method : `${method} ${tool}`,
      context,
      startedAt: this.#startedAt,
      attributes: {
        "http.request.method": req.method ?? "",
        "mcp.method.name": method,
        ...(tool === "" ? {} : { "gen_ai.tool.name": tool, "gen_ai.operation.name": "execute_tool" }),
        ...(isVersion(head.protocolVersion) ? { "mcp.protocol.version": head.protocolVersion } : {}),
        "sallyport.server": route.name,
      },
    });
    return this.#trace;
  }

  #endTrace(trace: RequestTrace, status = this.#visit.res.headersSent ? this.#visit.res.statusCode : 0): void {
    const reason = this.#reason;
    const decision = this.#decision ?? "abandoned";
    trace.end(this.#deps.clock.monotonic(), {
      status,
      error: decision === "failed" ? reason : status >= 500 ? String(status) : undefined,
      attributes: { "sallyport.decision": decision, ...(reason === undefined ? {} : { "sallyport.reason": reason }) },
    });
  }

  #traceId(): string | undefined {
    return this.#trace?.recorded === true ? this.#trace.traceId : undefined;
  }
}

const isVersion = (text: string | undefined): text is string => text !== undefined && /^\d{4}-\d\d-\d\d$/.test(text);

/** A host without its port. */
const hostIn = (host: string): string => host.replace(/:\d+$/, "");
