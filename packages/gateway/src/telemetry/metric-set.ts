import type { AuditEvent, CallObserver } from "sallyport";
import { createCounter, createHistogram, type Family, observe } from "./metric.ts";

/** Bounds of histograms, in seconds. */
const ofRequests = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const ofTheGateway = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5];
const ofCalls = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Everything that is counted, and where. */
export type MetricSet = ReturnType<typeof createMetricSet>;

/** A process's counts, all at nothing. */
export function createMetricSet() {
  const requests = createCounter({
    name: "sallyport_requests_total",
    help: "Requests to MCP endpoints by what became of them. decision: allowed, refused, failed, abandoned.",
    labelNames: ["server", "method", "tool", "decision", "reason", "status"],
  });
  const requestSeconds = createHistogram({
    name: "sallyport_request_duration_seconds",
    help: "Time until the response to a request to an MCP endpoint began.",
    labelNames: ["server", "decision"],
    bounds: ofRequests,
  });
  const upstreamSeconds = createHistogram({
    name: "sallyport_upstream_duration_seconds",
    help: "Time until the response of the MCP server began.",
    labelNames: ["server"],
    bounds: ofRequests,
  });
  const gatewaySeconds = createHistogram({
    name: "sallyport_gateway_duration_seconds",
    help: "Time that the gateway itself added to a request that it forwarded, its body's arrival not counted.",
    labelNames: ["server"],
    bounds: ofTheGateway,
  });
  const streamsClosed = createCounter({
    name: "sallyport_streams_closed_total",
    help: "Responses that were ended after they had begun.",
    labelNames: ["server", "reason"],
  });
  const endpointRequests = createCounter({
    name: "sallyport_http_requests_total",
    help: "Requests to everything but MCP endpoints.",
    labelNames: ["endpoint", "method", "status"],
  });
  const endpointSeconds = createHistogram({
    name: "sallyport_http_request_duration_seconds",
    help: "Time until a request to anything but an MCP endpoint was answered in full.",
    labelNames: ["endpoint"],
    bounds: ofRequests,
  });
  const events = createCounter({
    name: "sallyport_events_total",
    help: "Audit events besides those of requests to MCP endpoints: sign-ins, tokens, grants, keys.",
    labelNames: ["action", "reason"],
  });
  const storeCalls = createCounter({
    name: "sallyport_store_calls_total",
    help: "Calls of the store. outcome: ok, unavailable, error.",
    labelNames: ["operation", "outcome"],
  });
  const storeSeconds = createHistogram({
    name: "sallyport_store_call_duration_seconds",
    help: "Time that calls of the store took.",
    labelNames: ["operation"],
    bounds: ofCalls,
  });
  const remoteCalls = createCounter({
    name: "sallyport_remote_calls_total",
    help: "Calls of Cognito, of KMS and of the URLs that clients name. outcome: ok, refused, throttled, error, unreachable.",
    labelNames: ["endpoint", "outcome"],
  });
  const remoteSeconds = createHistogram({
    name: "sallyport_remote_call_duration_seconds",
    help: "Time until the answers of those began.",
    labelNames: ["endpoint"],
    bounds: ofRequests,
  });

  const calls: CallObserver = {
    store(operation, milliseconds, outcome) {
      storeCalls.at([operation, outcome]).value++;
      observe(ofCalls, storeSeconds.at([operation]), milliseconds / 1000);
    },
    remote(endpoint, milliseconds, outcome) {
      remoteCalls.at([endpoint, outcome]).value++;
      observe(ofRequests, remoteSeconds.at([endpoint]), milliseconds / 1000);
    },
  };
  const families: readonly Family[] = [
    requests,
    requestSeconds,
    upstreamSeconds,
    gatewaySeconds,
    streamsClosed,
    endpointRequests,
    endpointSeconds,
    events,
    storeCalls,
    storeSeconds,
    remoteCalls,
    remoteSeconds,
  ];
  return {
    families,
    requests,
    requestSeconds,
    upstreamSeconds,
    gatewaySeconds,
    streamsClosed,
    endpointRequests,
    endpointSeconds,
    calls,
    /** Requests to MCP endpoints are counted where more is known of them. */
    event({ action, reason, server }: AuditEvent): void {
      if (server !== undefined && ofRequest.has(action)) return;
      events.at([action, reason ?? ""]).value++;
    },
  };
}

const ofRequest: ReadonlySet<string> = new Set<AuditEvent["action"]>([
  "request.allowed",
  "request.refused",
  "stream.closed",
]);
