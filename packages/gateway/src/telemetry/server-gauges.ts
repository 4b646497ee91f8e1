import type { GatewayState } from "../gateway-state.ts";
import type { BreakerState } from "../proxy/breaker.ts";
import type { Gauge } from "./metric.ts";

/** How a server is at the moment. */
export interface ServerState {
  readonly name: string;
  /** Requests under way. */
  readonly calls: number;
  /** Streams that wait for news. */
  readonly streams: number;
  /** Of its circuit breaker. */
  readonly state: BreakerState;
}

/** The servers of a gateway's state. */
export const serverStates = ({ upstreams }: Pick<GatewayState, "upstreams">): readonly ServerState[] =>
  Array.from(upstreams, ([name, { upstream }]) => ({
    name,
    calls: upstream.calls,
    streams: upstream.streams,
    state: upstream.state,
  }));

const breakerStates: readonly BreakerState[] = ["closed", "open", "half-open"];

/** What is under way at each server. */
export function serverGauges(states: () => Iterable<ServerState>): readonly Gauge[] {
  const of = (name: string, help: string, value: (state: ServerState) => number): Gauge => ({
    kind: "gauge",
    name,
    help,
    labelNames: ["server"],
    series: () => Array.from(states(), (state) => ({ labels: [state.name], value: value(state) })),
  });
  return [
    of("sallyport_open_requests", "Requests under way at a server.", ({ calls }) => calls),
    of("sallyport_open_streams", "Streams that wait for news from a server.", ({ streams }) => streams),
    {
      kind: "gauge",
      name: "sallyport_breaker_state",
      help: "1 for the state that a server's circuit breaker is in.",
      labelNames: ["server", "state"],
      series: () =>
        Array.from(states()).flatMap(({ name, state }) =>
          breakerStates.map((one) => ({ labels: [name, one], value: one === state ? 1 : 0 })),
        ),
    },
  ];
}
