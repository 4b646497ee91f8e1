import { type AuditSink, BearerRefusal, type BearerVerifier, type Clock, type Logger, type Principal } from "sallyport";
import type { Policy } from "../policy/compile.ts";
import { decide, decidedBy, permits } from "../policy/decide.ts";
import type { ListedTools } from "../policy/listed-tools.ts";
import type { GatewayRequest } from "../policy/request.ts";
import { answerFault, answerRefusal, type Fault } from "./answer.ts";
import { AnswerBody } from "./answer-body.ts";
import { auditVisit } from "./audit-visit.ts";
import type { Passage } from "./breaker.ts";
import type { AnswerControl, Connection, UpstreamHandler } from "./connection.ts";
import { isBetweenEvents, keepAliveComment, noTail, tailAfter } from "./event-gaps.ts";
import { closing, settingsChanged, upstreamFault } from "./faults.ts";
import type { ListFilter } from "./filter-list.ts";
import { isShaped, mayAnswerWithList, type ShownAnswer, shapeAnswer } from "./list-answer.ts";
import { mayRepeat } from "./may-repeat.ts";
import { hasMirroredHeaders } from "./mirrored-headers.ts";
import type { OpenExchange, OpenExchanges } from "./open-exchanges.ts";
import { endWith, passOn } from "./pass-on.ts";
import { readResponseHead, type UpstreamHeaders } from "./response-headers.ts";
import { maxSessionId, type SessionEnvelopes } from "./session-envelope.ts";
import type { Upstream } from "./upstream.ts";
import type { Visit } from "./visit.ts";

/** What every exchange needs. */
export interface ExchangeDeps {
  readonly audit: AuditSink;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly verifier: BearerVerifier;
  readonly policy: Policy;
  readonly listed: ListedTools;
  readonly envelopes: SessionEnvelopes;
  readonly open: OpenExchanges<Exchange>;
}

/**
 * A forwarded request and its response: bytes go through as they come, both ends share one fate. What \`on…\` gets
 * comes from the upstream.
 */
export class Exchange implements OpenExchange, UpstreamHandler {
  readonly subject: string;
  readonly startedAt: number;
  readonly timeout: number;
  judgedAt: number;
  slot = -1;
  begun = false;
  readonly #deps: ExchangeDeps;
  readonly #visit: Visit;
  readonly #request: GatewayRequest;
  /** It only waits for news. */
  readonly #isStream: boolean;
  #principal: Principal;
  #headers: string[];
  #body: Buffer | undefined;
  /** How it passed the breaker; `none` once the breaker knows how it went. */
  #passage: Passage = "none";
  #connection: Connection | undefined;
  /** The request's bytes have gone to the connection. */
  #written = false;
  /** The upstream has begun to say something. */
  #heard = false;
  #repeated = false;
  #isEventStream = false;
  /** The end of what has come of an event stream; undefined where nothing may be put in between. */
  #tail: number | undefined;
  /** Something of it has come since the last look, which was then. */
  #hasSpoken = true;
  #quietSince = 0;
  /** Set where the answer is looked at on its way. */
  #answer: AnswerBody | undefined;
  /** Bytes of the response that are still to come, where the upstream said how many. */
  #left = Number.POSITIVE_INFINITY;
  /** Some of it has gone to the client. */
  #flowing = false;
  /** The client has been slower than the upstream. */
  #draining = false;
  #ended = false;
  #judging = false;
  /** To be judged once more: something has changed since the judgement that is under way began. */
  #judgeAgain = false;
  #exempt = false;

  /**
   * @param headers what goes upstream: name, value, name, value …
   * @param body the bytes that were judged
   */
  constructor(
    deps: ExchangeDeps,
    visit: Visit,
    principal: Principal,
    request: GatewayRequest,
    headers: string[],
    body: Buffer | undefined,
  ) {
    this.#deps = deps;
    this.#visit = visit;
    this.#principal = principal;
    this.#request = request;
    this.#isStream = request.httpMethod === "GET" || request.method === "subscriptions/listen";
    this.#headers = headers;
    this.#body = body;
    this.subject = principal.subject;
    this.timeout = visit.route.upstream.timeout;
    this.startedAt = deps.clock.monotonic();
    this.judgedAt = this.startedAt;
  }

  start(): void {
    const visit = this.#visit;
    const passage = visit.route.upstream.enter(this.#isStream);
    if (typeof passage !== "string") {
      const { audit, clock } = this.#deps;
      auditVisit(audit, clock, "request.refused", visit, passage.status, passage.reason);
      return answerFault(visit, passage);
    }
    this.#passage = passage;
    this.#deps.open.add(this);
    // Either it is over, or the client went away, which cancels the request (MCP, Streamable HTTP › Cancellation).
    visit.res.on("close", () => this.#over());
    this.#send();
  }

  expire(): void {
    this.#fail(504, "timed out");
  }

  async judge(): Promise<void> {
    if (this.#exempt) return;
    this.#judgeAgain = this.#judging;
    if (this.#judging) return;
    // Ended before, but the client does not take what is left.
    if (this.#ended) return void this.#visit.res.destroy();
    this.#judging = true;
    const refusal = await this.#refusalNow();
    this.#judging = false;
    if (this.#exempt || this.#ended) return;
    if (refusal !== undefined) this.#end(refusal);
    else if (this.#mayShowTooMuch()) this.#endFor(settingsChanged);
    else if (this.#judgeAgain) await this.judge();
  }

  /** A comment goes to the client where nothing else has for so long, and only between events. */
  keepAlive(now: number, after: number): void {
    if (this.#tail === undefined || this.#ended) return;
    if (this.#hasSpoken) {
      this.#hasSpoken = false;
      this.#quietSince = now;
    }
    if (now - this.#quietSince < after) return;
    this.#quietSince = now;
    const { res } = this.#visit;
    if (isBetweenEvents(this.#tail) && !res.writableNeedDrain && !res.writableEnded) res.write(keepAliveComment);
  }

  /** It may hold lists, and has begun unfiltered, when the settings told nobody apart. */
  #mayShowTooMuch(): boolean {
    const { policy } = this.#deps;
    return (
      policy.tellsApart && this.begun && this.#answer === undefined && mayAnswerWithList(this.#request, this.#visit.req)
    );
  }

  /** From now on it is not judged: its server is gone from the settings, and it has some time to finish. */
  exempt(): void {
    this.#exempt = true;
  }

  /** The way to its server. */
  get upstream(): Upstream {
    return this.#visit.route.upstream;
  }

  /**
   * The gateway closes: a stream that only waits for news ends now, anything else may finish.
   * @param why if it is for another reason
   */
  close(why: Fault = closing): void {
    if (this.#isStream) this.#endFor(why);
  }

  /** The gateway waits no longer. Where the client does not take its end either, the second call breaks it off. */
  abort(why: Fault = closing): void {
    if (this.#ended) this.#visit.res.destroy();
    else this.#endFor(why);
  }

  onRequestStart(): void {
    this.#written = true;
  }

  onResponseStarted(): void {
    this.#heard = true;
  }

  onResponseStart(control: AnswerControl, status: number, received: UpstreamHeaders): void {
    // 102, 103: the answer is still to come.
    if (status < 200 || this.#ended) return;
    // The same once more, as bytes: a stream may be open for hours.
    control.rawHeaders = null;
    this.#visit.watch?.answered(status);
    this.#tellBreaker(status !== 502 && status !== 504);
    // A redirect would lead clients past the gateway; a 401 would send them to sign in where that cannot help.
    if (status === 401 || status === 407 || (status >= 300 && status < 400)) {
      return this.#fail(502, `status ${status}`);
    }
    const { req, route, session } = this.#visit;
    const head = readResponseHead(received);
    if (head.sessionId !== undefined) {
      if (head.sessionId.length > maxSessionId) return this.#fail(502, "session id too long");
      const same = session?.upstreamId === head.sessionId;
      const envelope = same ? session.envelope : this.#deps.envelopes.seal(head.sessionId, route.name, this.#principal);
      head.forward.push("Mcp-Session-Id", envelope);
    }
    this.#isEventStream = head.contentType?.toLowerCase().startsWith("text/event-stream") ?? false;
    const filter =
      this.#deps.policy.tellsApart && mayAnswerWithList(this.#request, req) ? this.#listFilter() : undefined;
    if (isShaped(status, head, filter, req)) {
      this.#answer = new AnswerBody(control);
      const show = (shown: ShownAnswer): void => this.#show(status, shown);
      shapeAnswer(status, this.#answer, head, filter, show, (problem) => this.#fail(502, problem));
    } else {
      if (head.contentLength !== undefined) this.#left = head.contentLength;
      else if (this.#isEventStream && head.contentEncoding === undefined) this.#tail = noTail;
      this.#begin(status, head.forward);
      // Events that came with the head leave with it.
      if (this.#isEventStream) process.nextTick(Exchange.flushHead, this);
    }
  }

  onResponseData(control: AnswerControl, chunk: Buffer): void {
    if (this.#ended) return;
    if (this.#answer !== undefined) return this.#answer.put(chunk);
    const { res } = this.#visit;
    this.#left -= chunk.length;
    if (this.#left === 0) return endWith(res, chunk);
    this.#flowing = true;
    this.#saw(chunk);
    if (res.write(chunk)) return;
    control.pause();
    if (this.#draining) return;
    this.#draining = true;
    res.on("drain", () => control.resume());
  }

  onResponseEnd(): void {
    if (this.#connection !== undefined) this.#visit.route.upstream.keep(this.#connection);
    this.#connection = undefined;
    if (this.#ended) return;
    if (this.#answer !== undefined) this.#answer.finish();
    else if (!this.#visit.res.writableEnded) this.#visit.res.end();
  }

  onResponseError(_controller: unknown, error: Error): void {
    const kept = this.#connection?.kept === true;
    this.#drop();
    if (this.#ended) return;
    const attempt = { written: this.#written, heard: this.#heard, kept };
    if (!this.#repeated && mayRepeat(this.#request, attempt, error)) {
      this.#repeated = true;
      this.#send();
    } else this.#fail(502, this.begun ? "broke off" : codeOf(error));
  }

  #send(): void {
    const { upstream } = this.#visit.route;
    this.#connection = upstream.take();
    this.#written = false;
    this.#heard = false;
    this.#connection.send({ method: this.#request.httpMethod, headers: this.#headers, body: this.#body }, this);
  }

  /** Breaks the connection off, if there still is one. */
  #drop(): void {
    if (this.#connection === undefined) return;
    const connection = this.#connection;
    this.#connection = undefined;
    this.#visit.route.upstream.drop(connection);
  }

  #over(): void {
    this.#ended = true;
    if (!this.begun) this.#visit.watch?.abandoned();
    const { upstream } = this.#visit.route;
    this.#deps.open.delete(this);
    upstream.leave(this.#isStream);
    if (this.#passage !== "none") upstream.breaker.abandoned(this.#passage);
    this.#drop();
  }

  #tellBreaker(answered: boolean): void {
    if (this.#passage === "none") return;
    const { breaker } = this.#visit.route.upstream;
    if (answered) breaker.succeeded(this.#passage);
    else breaker.failed(this.#passage);
    this.#passage = "none";
  }

  #endFor(why: Fault): void {
    if (this.#ended) return;
    this.#ended = true;
    const { audit, clock } = this.#deps;
    const action = this.begun ? "stream.closed" : "request.allowed";
    auditVisit(audit, clock, action, this.#visit, why.status, why.reason);
    if (this.begun) this.#endResponse();
    else answerFault(this.#visit, why);
    this.#drop();
  }

  #end(refusal: BearerRefusal): void {
    const { audit, clock } = this.#deps;
    const visit = this.#visit;
    auditVisit(audit, clock, this.begun ? "stream.closed" : "request.refused", visit, refusal.status, refusal.reason);
    this.#ended = true;
    if (this.begun) this.#endResponse();
    else answerRefusal(visit, refusal);
    this.#drop();
  }

  /** An event stream ends in an orderly way; anything else would look whole and is broken off. */
  #endResponse(): void {
    if (this.#isEventStream) this.#visit.res.end();
    else this.#visit.res.destroy();
  }

  #listFilter(): ListFilter {
    const { route, head, message } = this.#visit;
    const ask = { server: route.name, httpMethod: "POST" } as const;
    const filter: ListFilter = {
      permits: (method, name) => permits(this.#deps.policy, this.#principal, { ...ask, method, name }),
      hasCacheScope: hasMirroredHeaders(head.protocolVersion),
    };
    if (message?.method !== "tools/list") return filter;
    const { cursor } = message.params ?? {};
    if (cursor !== undefined && typeof cursor !== "string") return filter;
    return {
      ...filter,
      sawTools: (names, nextCursor) =>
        this.#deps.listed.saw(this.#deps.policy, route.name, { cursor, names, nextCursor }),
    };
  }

  #begin(status: number, headers: string[]): void {
    const { res, cors } = this.#visit;
    this.begun = true;
    // It is not sent again: a stream may be open for hours and needs neither.
    this.#headers = [];
    this.#body = undefined;
    headers.push("X-Content-Type-Options", "nosniff");
    if (this.#isEventStream) headers.push("X-Accel-Buffering", "no");
    if (cors.length > 0) headers.push(...cors);
    res.writeHead(status, headers);
    auditVisit(this.#deps.audit, this.#deps.clock, "request.allowed", this.#visit, status);
  }

  #show(status: number, { headers, content }: ShownAnswer): void {
    if (this.#ended) return;
    this.#begin(status, headers);
    const { res } = this.#visit;
    if (this.#isEventStream) res.flushHeaders();
    if (Buffer.isBuffer(content)) return endWith(res, content);
    if (this.#isEventStream && !isCoded(headers)) {
      this.#tail = noTail;
      content.on("data", (chunk: Buffer) => this.#saw(chunk));
    }
    passOn(content, res);
  }

  #saw(chunk: Buffer): void {
    if (this.#tail === undefined) return;
    this.#tail = tailAfter(this.#tail, chunk);
    this.#hasSpoken = true;
  }

  async #refusalNow(): Promise<BearerRefusal | undefined> {
    const { verifier, logger } = this.#deps;
    const { route } = this.#visit;
    const refusalFor = (principal: Principal): BearerRefusal | undefined => {
      const decision = decide(this.#deps.policy, principal, this.#request);
      this.#visit.because = decidedBy(decision);
      if (!decision.allow) return decision.refusal;
      this.#principal = principal;
      return undefined;
    };
    try {
      return refusalFor(await verifier.recheck(this.#principal));
    } catch (error) {
      // 503: nothing new is known of who it is, the stream goes on until the next time; what the policy says is known.
      if (error instanceof BearerRefusal) return error.status === 503 ? refusalFor(this.#principal) : error;
      logger.error("an open response could not be judged", { server: route.name, error: nameOf(error) });
      return BearerRefusal.unavailable("internal_error");
    }
  }

  /** The upstream is to blame. What it said stays here. */
  #fail(status: 502 | 504, problem: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#tellBreaker(false);
    const { audit, clock, logger } = this.#deps;
    const visit = this.#visit;
    const fault = upstreamFault(status);
    logger.warn("an MCP server failed", { server: visit.route.name, problem, status });
    auditVisit(audit, clock, this.begun ? "stream.closed" : "request.allowed", visit, status, fault.reason);
    if (this.begun) visit.res.destroy();
    else answerFault(visit, fault);
    this.#drop();
  }

  /** The head of a stream leaves now, unless it has left with its first event. */
  static flushHead(exchange: Exchange): void {
    if (!exchange.#flowing && !exchange.#ended) exchange.#visit.res.flushHeaders();
  }
}

const isCoded = (headers: readonly string[]): boolean =>
  headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === "content-encoding");

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

const codeOf = (error: Error): string => ("code" in error && typeof error.code === "string" ? error.code : error.name);
