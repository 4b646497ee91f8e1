import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Readable } from "node:stream";
import { type AuditSink, BearerRefusal, type BearerVerifier, type Clock, type Logger, type Principal } from "sallyport";
import type { Policy } from "../policy/compile.ts";
import { decide, permits } from "../policy/decide.ts";
import type { GatewayRequest } from "../policy/request.ts";
import { answerFault, answerRefusal } from "./answer.ts";
import { auditVisit } from "./audit-visit.ts";
import { closing, upstreamFault } from "./faults.ts";
import type { ListFilter } from "./filter-list.ts";
import { filterAnswer, mayAnswerWithList, type ShownAnswer } from "./list-answer.ts";
import { mayRepeat } from "./may-repeat.ts";
import { hasMirroredHeaders } from "./mirrored-headers.ts";
import type { OpenExchange, OpenExchanges } from "./open-exchanges.ts";
import { endWith, passOn } from "./pass-on.ts";
import { readResponseHead } from "./response-headers.ts";
import type { Agents } from "./route.ts";
import { maxSessionId, type SessionEnvelopes } from "./session-envelope.ts";
import type { Visit } from "./visit.ts";

/** What every exchange needs. */
export interface ExchangeDeps {
  readonly agents: Agents;
  readonly audit: AuditSink;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly verifier: BearerVerifier;
  readonly policy: Policy;
  readonly envelopes: SessionEnvelopes;
  readonly open: OpenExchanges<Exchange>;
}

/** A forwarded request and its response: bytes go through as they come, both ends share one fate. */
export class Exchange implements OpenExchange {
  readonly subject: string;
  readonly startedAt: number;
  readonly timeout: number;
  judgedAt: number;
  slot = -1;
  begun = false;
  readonly #deps: ExchangeDeps;
  readonly #visit: Visit;
  readonly #request: GatewayRequest;
  #principal: Principal;
  readonly #headers: readonly string[];
  readonly #body: Buffer | undefined;
  #upstream: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  #isEventStream = false;
  #ended = false;
  #judging = false;
  #repeated = false;

  /**
   * @param headers what goes upstream: name, value, name, value …
   * @param body the bytes that were judged
   */
  constructor(
    deps: ExchangeDeps,
    visit: Visit,
    principal: Principal,
    request: GatewayRequest,
    headers: readonly string[],
    body: Buffer | undefined,
  ) {
    this.#deps = deps;
    this.#visit = visit;
    this.#principal = principal;
    this.#request = request;
    this.#headers = headers;
    this.#body = body;
    this.subject = principal.subject;
    this.timeout = visit.route.timeout;
    this.startedAt = deps.clock.monotonic();
    this.judgedAt = this.startedAt;
  }

  start(): void {
    this.#deps.open.add(this);
    // Either it is over, or the client went away, which cancels the request (MCP, Streamable HTTP › Cancellation).
    this.#visit.res.on("close", () => {
      this.#ended = true;
      this.#deps.open.delete(this);
      if (this.#response?.complete !== true) this.#upstream?.destroy();
    });
    this.#send();
  }

  expire(): void {
    this.#fail(504, "timed out");
  }

  async judge(): Promise<void> {
    if (this.#judging) return;
    // Ended before, but the client does not take what is left.
    if (this.#ended) return void this.#visit.res.destroy();
    this.#judging = true;
    const refusal = await this.#refusalNow();
    this.#judging = false;
    if (refusal !== undefined && !this.#ended) this.#end(refusal);
  }

  /** The gateway closes: a stream that only waits for news ends now, anything else may finish. */
  close(): void {
    const { httpMethod, method } = this.#request;
    if (httpMethod === "GET" || method === "subscriptions/listen") this.#endForClosing();
  }

  /** The gateway waits no longer. Where the client does not take its end either, the second call breaks it off. */
  abort(): void {
    if (this.#ended) this.#visit.res.destroy();
    else this.#endForClosing();
  }

  #endForClosing(): void {
    if (this.#ended) return;
    this.#ended = true;
    const { audit, clock } = this.#deps;
    const action = this.begun ? "stream.closed" : "request.allowed";
    auditVisit(audit, clock, action, this.#visit, 503, "gateway_closing");
    if (this.begun) this.#endResponse();
    else answerFault(this.#visit, closing);
    this.#upstream?.destroy();
  }

  #end(refusal: BearerRefusal): void {
    const { audit, clock } = this.#deps;
    const visit = this.#visit;
    auditVisit(audit, clock, this.begun ? "stream.closed" : "request.refused", visit, refusal.status, refusal.reason);
    this.#ended = true;
    if (this.begun) this.#endResponse();
    else answerRefusal(visit, refusal);
    this.#upstream?.destroy();
  }

  /** An event stream ends in an orderly way; anything else would look whole and is broken off. */
  #endResponse(): void {
    if (this.#isEventStream) this.#visit.res.end();
    else this.#visit.res.destroy();
  }

  #send(): void {
    const { route } = this.#visit;
    const { agents } = this.#deps;
    const { hostname, port, path } = route.target;
    const agent = route.secure ? agents.https : agents.http;
    const options = { hostname, port, path, agent, method: this.#request.httpMethod, headers: this.#headers };
    const upstream = route.secure ? httpsRequest(options) : httpRequest(options);
    this.#upstream = upstream;
    upstream.on("response", (response) => this.#receive(response));
    upstream.on("error", (error) => this.#onUpstreamError(upstream, error));
    endWith(upstream, this.#body);
  }

  #onUpstreamError(upstream: ClientRequest, error: Error): void {
    if (this.#ended || upstream !== this.#upstream) return;
    // The upstream had closed a kept connection just as it was used again: it never saw this request.
    if (!this.begun && !this.#repeated && upstream.reusedSocket && mayRepeat(this.#request, error)) {
      this.#repeated = true;
      this.#send();
    } else this.#fail(502, "code" in error && typeof error.code === "string" ? error.code : error.name);
  }

  #receive(response: IncomingMessage): void {
    const { route, session } = this.#visit;
    const { policy } = this.#deps;
    response.on("error", () => this.#fail(502, "broke off"));
    if (this.#ended) return void response.destroy();
    this.#response = response;
    const status = response.statusCode ?? 0;
    // A redirect would lead clients past the gateway; a 401 would send them to sign in where that cannot help.
    if (status === 401 || status === 407 || (status >= 300 && status < 400)) return this.#fail(502, `status ${status}`);
    const head = readResponseHead(response.rawHeaders);
    const headers = head.forward;
    if (head.sessionId !== undefined) {
      if (head.sessionId.length > maxSessionId) return this.#fail(502, "session id too long");
      const same = session?.upstreamId === head.sessionId;
      const envelope = same ? session.envelope : this.#deps.envelopes.seal(head.sessionId, route.name, this.#principal);
      headers.push("Mcp-Session-Id", envelope);
    }
    const isEventStream = head.contentType?.toLowerCase().startsWith("text/event-stream") ?? false;
    if (policy.tellsApart && mayAnswerWithList(this.#request, this.#visit.req)) {
      const begin = (shown: ShownAnswer): void => this.#begin(status, shown.headers, isEventStream, shown.content);
      filterAnswer(response, head, this.#listFilter(), begin, (problem) => this.#fail(502, problem));
    } else this.#begin(status, headers, isEventStream, response, head.contentLength);
  }

  #listFilter(): ListFilter {
    const { route, head } = this.#visit;
    const ask = { server: route.name, httpMethod: "POST" } as const;
    return {
      permits: (method, name) => permits(this.#deps.policy, this.#principal, { ...ask, method, name }),
      hasCacheScope: hasMirroredHeaders(head.protocolVersion),
    };
  }

  /** @param contentLength bytes, if the upstream's own are passed on and it said how many */
  #begin(
    status: number,
    headers: string[],
    isEventStream: boolean,
    content: Buffer | Readable,
    contentLength?: number,
  ): void {
    if (this.#ended) return;
    const { res, cors } = this.#visit;
    this.begun = true;
    this.#isEventStream = isEventStream;
    headers.push("X-Content-Type-Options", "nosniff");
    if (this.#isEventStream) headers.push("X-Accel-Buffering", "no");
    if (cors.length > 0) headers.push(...cors);
    res.writeHead(status, headers);
    if (this.#isEventStream) res.flushHeaders();
    auditVisit(this.#deps.audit, this.#deps.clock, "request.allowed", this.#visit, status);
    if (Buffer.isBuffer(content)) endWith(res, content);
    else passOn(content, res, contentLength);
  }

  async #refusalNow(): Promise<BearerRefusal | undefined> {
    const { verifier, policy, logger } = this.#deps;
    const { route } = this.#visit;
    try {
      const principal = await verifier.recheck(this.#principal);
      const decision = decide(policy, principal, this.#request);
      if (!decision.allow) return decision.refusal;
      this.#principal = principal;
      return undefined;
    } catch (error) {
      // 503: nothing is known now, the stream goes on until the next time.
      if (error instanceof BearerRefusal) return error.status === 503 ? undefined : error;
      logger.error("an open response could not be judged", { server: route.name, error: nameOf(error) });
      return BearerRefusal.unavailable("internal_error");
    }
  }

  /** The upstream is to blame. What it said stays here. */
  #fail(status: 502 | 504, problem: string): void {
    if (this.#ended) return;
    this.#ended = true;
    const { audit, clock, logger } = this.#deps;
    const visit = this.#visit;
    const fault = upstreamFault(status);
    logger.warn("an MCP server failed", { server: visit.route.name, problem, status });
    auditVisit(audit, clock, this.begun ? "stream.closed" : "request.allowed", visit, status, fault.reason);
    if (this.begun) visit.res.destroy();
    else answerFault(visit, fault);
    this.#upstream?.destroy();
  }
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);
