import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import type { AuditSink, Clock, Logger } from "sallyport";
import { buildConnector, Client } from "undici";
import type { ServerConfig } from "../config/section.ts";
import type { Fault } from "./answer.ts";
import { type Breaker, type BreakerState, createBreaker, type Passage } from "./breaker.ts";
import { upstreamBusy, upstreamResting } from "./faults.ts";

/** A connection to a server, for one request at a time. */
export interface Connection {
  readonly client: Client;
  /** Whether it stands. */
  connected: boolean;
  /** Whether it has carried a whole exchange before: then the server may be closing it just now. */
  kept: boolean;
}

/** An MCP server behind the gateway: the way to it, and what may be asked of it at a time. */
export interface Upstream {
  /** Path and query of its MCP endpoint. */
  readonly path: string;
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

/** Shorter than the 5 s after which common servers close a kept connection, so that none is used as it goes. */
const idle = 4000;

/** What a server itself says about kept connections (`Keep-Alive: timeout=…`) counts, less the first, up to the second. */
const hintMargin = 2000;
const longestIdle = 60_000;

/** Free connections that are kept to one server. */
const mostIdle = 256;

/** One for all servers: reading hundreds of certificates takes its time. */
const contexts = new WeakMap<readonly string[], SecureContext>();

/** Certificates that servers are trusted by: Node's own list with NODE_EXTRA_CA_CERTS, and the system's. */
function trusted(): SecureContext {
  const own = getCACertificates("default");
  const known = contexts.get(own);
  if (known !== undefined) return known;
  const context = createSecureContext({ ca: [...own, ...getCACertificates("system")] });
  contexts.set(own, context);
  return context;
}

/** @param server one of the configured */
export function createUpstream(
  server: ServerConfig,
  deps: { readonly clock: Clock; readonly logger: Logger; readonly audit: AuditSink; readonly resource: string },
): Upstream {
  const { name, maxConcurrent, maxStreams } = server;
  const url = new URL(server.url);
  // One object for all connections.
  const origin = new URL(url.origin);
  const breaker = createBreaker({
    failures: server.breaker.failures,
    rest: server.breaker.open,
    clock: deps.clock,
    onChange(state) {
      const { clock, logger, audit, resource } = deps;
      if (state === "open")
        logger.error("an MCP server is given a rest", { server: name, failures: server.breaker.failures });
      else logger.info("an MCP server is back", { server: name });
      const action = state === "open" ? "breaker.opened" : "breaker.closed";
      audit.write({ time: new Date(clock.now()).toISOString(), action, server: name, resource });
    },
  });
  const options: Client.Options = {
    connect: buildConnector({
      timeout: Math.min(connecting, server.timeout),
      allowH2: false,
      ...(url.protocol === "https:" ? { secureContext: trusted() } : {}),
    }),
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: idle,
    keepAliveTimeoutThreshold: hintMargin,
    keepAliveMaxTimeout: longestIdle,
    // Both are looked after by OpenExchanges, under one timer.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const all = new Set<Connection>();
  const free: Connection[] = [];
  const busy = upstreamBusy;
  let calls = 0;
  let streams = 0;
  let closing: PromiseWithResolvers<void> | undefined;

  const drop = (connection: Connection): void => {
    all.delete(connection);
    connection.client.destroy(null, ignore);
  };

  const connect = (): Connection => {
    const connection: Connection = { client: new Client(origin, options), connected: false, kept: false };
    connection.client.on("connect", () => {
      connection.connected = true;
      connection.kept = false;
    });
    connection.client.on("disconnect", () => {
      connection.connected = false;
      const at = free.indexOf(connection);
      if (at < 0) return;
      free.splice(at, 1);
      drop(connection);
    });
    all.add(connection);
    return connection;
  };

  return {
    path: `${url.pathname}${url.search}`,
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
    take: () => free.pop() ?? connect(),
    keep(connection) {
      connection.kept = true;
      if (connection.connected && closing === undefined && free.length < mostIdle) free.push(connection);
      else drop(connection);
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

const ignore = (): void => {};
