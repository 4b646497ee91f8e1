import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { GatewayConfig, ListenerState } from "@sallyport/gateway";
import type { Clock, Logger } from "sallyport";
import type { KeyPair } from "./certificate.ts";
import { boundConnections } from "./connection-limits.ts";
import { listenerTls } from "./tls-options.ts";

/** What a listener is made of. */
export interface ListenerOptions {
  readonly connections: GatewayConfig["connections"];
  /** Speaks https with this; plain http when undefined. */
  readonly tls: KeyPair | undefined;
  /** Whether connections come from a proxy, so that their addresses say nothing of who asks. */
  readonly behindProxy: boolean;
  readonly handle: RequestListener;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The HTTP server, with its bounds. */
export interface Listener {
  readonly server: Server;
  /** Resolves with the port. Rejects with the system's error (`EADDRINUSE`, `EACCES`). */
  listen(host: string, port: number): Promise<number>;
  /** Requests that are not answered to the end. */
  openRequests(): number;
  /** Connections that there are, and that were closed at once because there were too many. */
  state(): ListenerState;
  /** Breaks off every connection, those in the middle of a TLS handshake too. */
  closeAllConnections(): void;
  /** Shows another certificate from the next connection on; those that are open go on. */
  changeCertificate(pair: KeyPair): void;
}

/** The most header lines of a request. Node would drop those beyond a limit of its own, and judge what is left. */
const mostHeaders = 100;

/** How often peers that are too slow are looked for, in milliseconds: at least, and at most a quarter late. */
const rarestLook = 5000;

/** After so long without a word the system asks whether the other side is still there, in milliseconds. */
const probeAfter = 60_000;

export function createListener(options: ListenerOptions): Listener {
  const { connections, tls, handle, logger } = options;
  let open = 0;
  const openOn = new WeakMap<Socket, number>();
  const onRequest = (req: IncomingMessage, res: ServerResponse): void => {
    const { socket } = req;
    open += 1;
    openOn.set(socket, (openOn.get(socket) ?? 0) + 1);
    res.on("close", () => {
      open -= 1;
      openOn.set(socket, (openOn.get(socket) ?? 1) - 1);
    });
    if (req.rawHeaders.length > 2 * mostHeaders) return refuseHeaders(res);
    handle(req, res);
  };
  const bounds = {
    maxHeaderSize: connections.headerSize,
    headersTimeout: connections.headerTimeout,
    requestTimeout: connections.requestTimeout,
    keepAliveTimeout: connections.keepAlive,
    connectionsCheckingInterval: Math.min(rarestLook, Math.ceil(connections.headerTimeout / 4)),
    keepAlive: true,
    keepAliveInitialDelay: probeAfter,
    // Said, so that no option of the process can make the parser lenient: what it reads otherwise than the proxy before
    // it does is how requests are smuggled.
    insecureHTTPParser: false,
  };
  const secure =
    tls === undefined
      ? undefined
      : createTlsServer({ ...bounds, ...listenerTls(tls), handshakeTimeout: connections.headerTimeout }, onRequest);
  const server: Server = secure ?? createServer(bounds, onRequest);
  // Header lines are counted above, where more of them are refused.
  server.maxHeadersCount = 0;
  server.timeout = connections.writeTimeout;
  // Nothing was read or written for as long. What only waits for its answer, or for news, is left alone; a connection
  // without a request has been kept long enough, and whoever takes nothing of what waits for it has gone.
  server.on("timeout", (socket) => {
    if ((openOn.get(socket) ?? 0) === 0 || socket.writableLength > 0) socket.destroy();
  });
  server.on("connect", (_req, socket: Duplex) => {
    socket.on("error", () => {});
    const answer = "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    // Nothing watches over this connection any more: it is not left to its other end to close it.
    socket.end(answer, () => socket.destroy());
  });
  // Node counts a connection as one of HTTP only when its handshake is over.
  const tlsSockets = new Set<Socket>();
  secure?.on("connection", (socket: Socket) => {
    tlsSockets.add(socket);
    socket.once("close", () => tlsSockets.delete(socket));
  });
  const state = boundConnections(server, options);

  return {
    server,
    state,
    openRequests: () => open,
    async listen(host, port) {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, () => {
          server.off("error", reject);
          resolve();
        });
      });
      server.on("error", (error) => logger.error("the listener failed", { error: error.message }));
      const address = server.address();
      return typeof address === "object" && address ? address.port : port;
    },
    closeAllConnections() {
      server.closeAllConnections();
      for (const socket of tlsSockets) socket.destroy();
    },
    changeCertificate(pair) {
      secure?.setSecureContext(listenerTls(pair));
    },
  };
}

function refuseHeaders(res: ServerResponse): void {
  res
    .writeHead(431, { "Content-Type": "text/plain", "X-Content-Type-Options": "nosniff", Connection: "close" })
    .end("too many header lines\n");
}
