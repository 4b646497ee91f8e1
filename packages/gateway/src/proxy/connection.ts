import type { UpstreamHeaders } from "./response-headers.ts";

/** A request as it goes to a server. */
export interface UpstreamRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** Name, value, name, value …; `content-length` is the body's own. */
  readonly headers: string[];
  readonly body: Buffer | undefined;
}

/** Holds an answer back, and lets it go on. */
export interface AnswerControl {
  pause(): void;
  resume(): void;
  /** The head once more as bytes, where undici has read it. */
  rawHeaders?: unknown;
}

/** Told of a request's fate. It is undici's dispatch handler, as far as HTTP/1.1 needs one. */
export interface UpstreamHandler {
  /** The request's bytes leave now. */
  onRequestStart(): void;
  /** The first byte of an answer is there. */
  onResponseStarted(): void;
  onResponseStart(control: AnswerControl, status: number, headers: UpstreamHeaders): void;
  onResponseData(control: AnswerControl, chunk: Buffer): void;
  onResponseEnd(): void;
  onResponseError(control: unknown, error: Error): void;
}

/** A connection to a server, for one request at a time. It connects with its first, and anew where it was lost. */
export interface Connection {
  /** Whether it has carried a whole exchange since it was made: then the server may be closing it just now. */
  readonly kept: boolean;
  /** Milliseconds for which it may wait for another request; 0: it may not. */
  readonly keepFor: number;
  /** Until when it may wait, on the monotonic clock; for whoever keeps it. */
  keptUntil: number;
  /** Never throws: whatever goes wrong is told to the handler. */
  send(request: UpstreamRequest, handler: UpstreamHandler): void;
  /** Breaks it off. A handler that waits is told. */
  destroy(): void;
}

/** What a connection is told when it is made. */
export interface ConnectionOptions {
  /** The endpoint. */
  readonly url: URL;
  /** Milliseconds that connecting may take. */
  readonly timeout: number;
  /** Told when it is lost while it waits for a request. */
  readonly onLost: (connection: Connection) => void;
}
