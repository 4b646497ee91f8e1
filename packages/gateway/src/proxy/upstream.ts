import type { AuditSink, Clock, Logger } from "sallyport";
import type { ServerConfig } from "../config/section.ts";
import type { Fault } from "./answer.ts";
import { type Breaker, type BreakerState, createBreaker, type Passage } from "./breaker.ts";
import type { Connection } from "./connection.ts";
import { upstreamBusy, upstreamResting } from "./faults.ts";
import { PlainConnection } from "./plain-connection.ts";
import { TlsConnection } from "./tls-connection.ts";

/** An MCP server behind the gateway: the way to it, and what may be asked of it at a time. */
export interface Upstream {
  /** Milliseconds until its response must have begun. */
  readonly timeout: number;
  /** Its circuit breaker. */
  readonly breaker: Breaker;
  readonly state: BreakerState;
  /** Requests under way, streams that wait for news not among them. */
  readonly calls: number;
  /** Open streams that wait for news: GET and `subscriptions/listen`. */
  readonly streams: number;
  /**
   * Asks for a place for one more request.
   * @returns how it passes; or why it cannot now. Who got a place must `leave`.
   */
  enter(isStream: boolean): Exclude<Passage, "none"> | Fault;
  leave(isStream: boolean): void;
  /** A connection that is free, or a new one, which connects as soon as it is used. */
  take(): Connection;
  /** Gives a connection back after a whole exchange. */
  keep(connection: Connection): void;
  /** Breaks a connection off. */
  drop(connection: Connection): void;
  /** Closes connections that are free, and the others as they become so. Resolves when the last request has left. */
  close(): Promise<void>;
  /** Breaks everything off. */
  destroy(): void;
}

/** The longest that connecting may take, in milliseconds, where the server's timeout is longer. */
const connecting = 10_000;

/** Free connections that are kept to one server. */
const mostIdle = 256;

/** How often free connections are looked at, in milliseconds. */
const look = 1000;

/** @param server one of the configured */
export function createUpstream(
  server: ServerConfig,
  deps: { readonly clock: Clock; readonly logger: Logger; readonly audit: AuditSink; readonly resource: string },
): Upstream {
  const { name, maxConcurrent, maxStreams } = server;
  const { clock } = deps;
  const url = new URL(server.url);
  const breaker = createBreaker({
    failures: server.breaker.failures,
    rest: server.breaker.open,
    clock: deps.clock,
    onChange(state) {
      const { logger, audit, resource } = deps;
      if (state === "open")
        logger.error("an MCP server is given a rest", { server: name, failures: server.breaker.failures });
      else logger.info("an MCP server is back", { server: name });
      const action = state === "open" ? "breaker.opened" : "breaker.closed";
      audit.write({ time: new Date(clock.now()).toISOString(), action, server: name, resource });
    },
  });
  const Connecting = url.protocol === "https:" ? TlsConnection : PlainConnection;
  const all = new Set<Connection>();
  const free: Connection[] = [];
  const busy = upstreamBusy;
  let calls = 0;
  let streams = 0;
  let looking = false;
  let closing: PromiseWithResolvers<void> | undefined;

  const drop = (connection: Connection): void => {
    all.delete(connection);
    connection.destroy();
  };

  const onLost = (connection: Connection): void => {
    const at = free.indexOf(connection);
    if (at < 0) return;
    free.splice(at, 1);
    drop(connection);
  };

  const connect = (): Connection => {
    const connection = new Connecting({ url, timeout: Math.min(connecting, server.timeout), onLost });
    all.add(connection);
    return connection;
  };

  /** Closes what has been free for long enough. */
  const lookAtFree = async (): Promise<void> => {
    looking = true;
    while (free.length > 0) {
      await clock.sleep(look);
      const now = clock.monotonic();
      for (const connection of free.filter(({ keptUntil }) => keptUntil <= now)) onLost(connection);
    }
    looking = false;
  };

  return {
    timeout: server.timeout,
    breaker,
    get state() {
      return breaker.state;
    },
    get calls() {
      return calls;
    },
    get streams() {
      return streams;
    },
    enter(isStream) {
      if (isStream ? streams >= maxStreams : calls >= maxConcurrent) return busy;
      const passage = breaker.pass();
      if (passage === "none") return upstreamResting(breaker.rest());
      if (isStream) streams++;
      else calls++;
      return passage;
    },
    leave(isStream) {
      if (isStream) streams--;
      else calls--;
      if (closing !== undefined && calls + streams === 0) closing.resolve();
    },
    take() {
      const connection = free.pop();
      if (connection === undefined) return connect();
      if (connection.keptUntil > clock.monotonic()) return connection;
      // It was kept last: the others have been free for longer still.
      for (const late of [connection, ...free.splice(0)]) drop(late);
      return connect();
    },
    keep(connection) {
      const { keepFor } = connection;
      if (keepFor === 0 || closing !== undefined || free.length >= mostIdle) return drop(connection);
      connection.keptUntil = clock.monotonic() + keepFor;
      free.push(connection);
      if (!looking) void lookAtFree();
    },
    drop,
    close() {
      if (closing === undefined) {
        closing = Promise.withResolvers();
        for (const connection of free.splice(0)) drop(connection);
        if (calls + streams === 0) closing.resolve();
      }
      return closing.promise;
    },
    destroy() {
      for (const connection of [...all]) drop(connection);
      free.length = 0;
    },
  };
}
