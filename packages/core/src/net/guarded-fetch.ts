/** A request to an address that somebody outside named. */
export interface GuardedRequest {
  /** Request headers, such as `If-None-Match`. `Host` and `Accept` are set by the fetch. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Media types for `Accept`. */
  readonly accept: string;
  /** The longest body, bytes. */
  readonly maxBytes: number;
  /** The longest that all of it may take, ms: name resolution, connection, head and body. */
  readonly timeoutMs: number;
}

/** A complete answer. Redirects are not followed: they are answers as any other. */
export interface GuardedAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/**
 * `forbidden`: the URL or an address of its host is not one that may be asked; `unavailable`: no name, no connection,
 * no TLS, too slow; `too_large`: the body is longer than allowed; `malformed`: it is coded, or not UTF-8.
 */
export type GuardedFetchFailure = "forbidden" | "unavailable" | "too_large" | "malformed";

/** The message is for the log: it names host and cause, and nothing that an answer said. */
export class GuardedFetchError extends Error {
  override readonly name = "GuardedFetchError";
  readonly failure: GuardedFetchFailure;
  constructor(failure: GuardedFetchFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

/**
 * Fetches an https URL from the public internet and from nowhere else (server-side request forgery).
 * Rejects with GuardedFetchError only.
 */
export type GuardedFetch = (url: string, request: GuardedRequest) => Promise<GuardedAnswer>;
