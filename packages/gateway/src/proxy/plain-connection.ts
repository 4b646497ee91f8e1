import { connect, type Socket } from "node:net";
import type { AnswerControl, Connection, ConnectionOptions, UpstreamHandler, UpstreamRequest } from "./connection.ts";
import type { UpstreamHeaders } from "./response-headers.ts";
import { ResponseParser, type ResponseSink } from "./response-parser.ts";

/** Bodies up to this many bytes leave in one piece with the head: Node keeps every byte of latin1. */
const mostJoined = 16 * 1024;

/** After so long without a word the system asks whether the other side is still there, in milliseconds. */
const probeAfter = 60_000;

/** How long a connection is kept: shorter than the 5 s after which common servers close one, so that none is used as it goes. */
const usualKeep = 4000;

/** What the server itself says about that counts, less the first, up to the second. */
const hintMargin = 2000;
const longestKeep = 60_000;

const unfit = /[^\t\x20-\x7e\x80-\xff]/;

const problem = (code: string, message: string): Error => Object.assign(new Error(message), { code });

/** Connections that are to be used again, at the end of this turn. */
let due: PlainConnection[] = [];

function sendDue(): void {
  const now = due;
  due = [];
  for (const connection of now) connection.sendNow();
}

/**
 * A connection over plain TCP: one write for a request, one pass over what comes, no stream and no timer of its own. It
 * speaks undici's dispatch interface, at a fraction of what undici's client costs.
 */
export class PlainConnection implements Connection, ResponseSink, AnswerControl {
  kept = false;
  keptUntil = 0;
  readonly #options: ConnectionOptions;
  readonly #target: string;
  readonly #parser = new ResponseParser(this);
  #socket: Socket | undefined;
  /** Until it has left. */
  #request: UpstreamRequest | undefined;
  #handler: UpstreamHandler | undefined;
  #heard = false;
  /** It is used again at the end of this turn. */
  #isDue = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#target = `${options.url.pathname}${options.url.search}`;
  }

  get keepFor(): number {
    const { keeps, keepHint } = this.#parser;
    // A request that is not all gone yet is in the way of the next.
    if (!keeps || this.#socket === undefined || this.#socket.writableLength > 0) return 0;
    return keepHint === undefined ? usualKeep : Math.max(0, Math.min(keepHint - hintMargin, longestKeep));
  }

  send(request: UpstreamRequest, handler: UpstreamHandler): void {
    this.#request = request;
    this.#handler = handler;
    if (this.#socket === undefined) return this.#connect();
    // What has come on it meanwhile is seen first: its end, or an answer that nobody asked for.
    this.#isDue = true;
    if (due.push(this) === 1) setImmediate(sendDue);
  }

  /** The turn is over in which it was to be sent. */
  sendNow(): void {
    this.#isDue = false;
    if (this.#request === undefined) return;
    if (this.#socket === undefined) this.#connect();
    else this.#write(this.#socket);
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  destroy(): void {
    this.#fail(problem("UPSTREAM_DESTROYED", "the connection was broken off"));
  }

  onHead(status: number, headers: UpstreamHeaders): void {
    this.#handler?.onResponseStart(this, status, headers);
  }

  onBody(bytes: Buffer): void {
    this.#handler?.onResponseData(this, bytes);
  }

  onEnd(): void {
    const handler = this.#handler;
    this.#handler = undefined;
    this.kept = true;
    // Whoever held the answer back does not need to any more.
    this.#socket?.resume();
    handler?.onResponseEnd();
  }

  #connect(): void {
    const { url, timeout } = this.#options;
    const socket = connect({
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port || 80),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: probeAfter,
    });
    this.#socket = socket;
    this.kept = false;
    socket.setTimeout(timeout, () => {
      this.#lost(socket, problem("UPSTREAM_CONNECT_TIMEOUT", "the server does not take connections"));
    });
    socket.on("connect", () => {
      socket.setTimeout(0);
      if (this.#socket === socket) this.#write(socket);
    });
    socket.on("data", (bytes) => {
      if (this.#socket === socket) this.#read(socket, bytes);
    });
    socket.on("end", () => this.#lost(socket, undefined));
    socket.on("error", (error) => this.#lost(socket, error));
    socket.on("close", () => this.#lost(socket, undefined));
  }

  #write(socket: Socket): void {
    const request = this.#request;
    this.#request = undefined;
    if (request === undefined) return;
    const { method, headers, body } = request;
    let head = `${method} ${this.#target} HTTP/1.1\r\n`;
    for (let at = 0; at + 1 < headers.length; at += 2) {
      if (headers[at] === "content-length") continue;
      const line = `${headers[at]}: ${headers[at + 1]}`;
      if (unfit.test(line)) return this.#fail(problem("UPSTREAM_HEADER", "a header cannot be sent"));
      head += line;
      head += "\r\n";
    }
    head += "connection: keep-alive\r\n";
    this.#parser.expect();
    this.#heard = false;
    this.#handler?.onRequestStart();
    if (body === undefined) socket.write(`${head}\r\n`, "latin1");
    else if (body.length <= mostJoined) {
      socket.write(`${head}content-length: ${body.length}\r\n\r\n${body.toString("latin1")}`, "latin1");
    } else {
      socket.cork();
      socket.write(`${head}content-length: ${body.length}\r\n\r\n`, "latin1");
      socket.write(body);
      socket.uncork();
    }
  }

  #read(socket: Socket, bytes: Buffer): void {
    if (!this.#heard && this.#handler !== undefined) {
      this.#heard = true;
      this.#handler.onResponseStarted();
    }
    try {
      this.#parser.feed(bytes);
    } catch (error) {
      this.#lost(socket, error instanceof Error ? error : problem("UPSTREAM_PROTOCOL", "unreadable"));
    }
  }

  /** @param error undefined where the server has simply closed it */
  #lost(socket: Socket, error: Error | undefined): void {
    if (this.#socket !== socket) return;
    const isWhole = error === undefined && !this.#isDue && this.#parser.end();
    this.#socket = undefined;
    socket.destroy();
    // Before the request left: it goes out on another connection.
    if (this.#isDue) return;
    if (this.#handler === undefined || isWhole) this.#options.onLost(this);
    else this.#fail(error ?? problem("UPSTREAM_CLOSED", "the server closed the connection"));
  }

  #fail(error: Error): void {
    const handler = this.#handler;
    this.#handler = undefined;
    this.#request = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
    handler?.onResponseError(undefined, error);
  }
}
