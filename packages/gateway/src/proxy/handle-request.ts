import type { IncomingMessage, ServerResponse } from "node:http";
import { type AuditSink, BearerRefusal, type BearerVerifier, type Clock, type Logger, type Principal } from "sallyport";
import type { GatewayState } from "../gateway-state.ts";
import { decide, decidedBy } from "../policy/decide.ts";
import type { GatewayRequest } from "../policy/request.ts";
import type { Exceeded } from "../quotas/compile.ts";
import { propagatedHeaders } from "../telemetry/propagation.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { answerEmpty, answerFault, answerRefusal, type Fault } from "./answer.ts";
import { auditVisit } from "./audit-visit.ts";
import { allowedMethods } from "./cors.ts";
import { Exchange, type ExchangeDeps } from "./exchange.ts";
import * as faults from "./faults.ts";
import {
  findHeaderMismatch,
  findRevisionMismatch,
  hasMirroredHeaders,
  pushMirroredHeaders,
} from "./mirrored-headers.ts";
import { isNoMessage, parseMessage } from "./parse-message.ts";
import { readBody } from "./read-body.ts";
import { isJson } from "./request-content.ts";
import { readHead, removeHeaders } from "./request-head.ts";
import type { Route } from "./route.ts";
import type { Visit } from "./visit.ts";

/** What the handling of a request needs. */
export interface HandlerDeps extends ExchangeDeps {
  readonly audit: AuditSink;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly verifier: BearerVerifier;
  /** What the settings of now make of the gateway: another object after each change. */
  readonly state: GatewayState;
  readonly isOwnHost: (host: string | undefined, localAddress: string | undefined) => boolean;
  readonly telemetry: Telemetry | undefined;
}

const nothing: readonly string[] = [];

/** What is judged, besides the message: the method, and the bytes that are forwarded. */
type Judged = [httpMethod: "POST" | "GET" | "DELETE", body: Buffer | undefined];

/**
 * The steps of a request to an MCP endpoint, in order: host, origin, preflight, bearer, method, body, decision,
 * quotas, forwarding. The bearer comes before the method because clients probe with GET and must learn where to sign in.
 */
export function createRequestHandler(deps: HandlerDeps) {
  const { verifier } = deps;

  const refuse = (visit: Visit, fault: Fault): void => {
    auditVisit(deps.audit, deps.clock, "request.refused", visit, fault.status, fault.reason);
    answerFault(visit, fault);
  };

  const refuseBearer = (visit: Visit, error: unknown): void => {
    const refusal = error instanceof BearerRefusal ? error : BearerRefusal.unavailable("internal_error");
    if (refusal !== error) {
      const name = error instanceof Error ? error.name : typeof error;
      deps.logger.error("a token could not be judged", { server: visit.route.name, error: name });
    }
    auditVisit(deps.audit, deps.clock, "request.refused", visit, refusal.status, refusal.reason);
    answerRefusal(visit, refusal);
  };

  const onPrincipal = (visit: Visit, principal: Principal): void => {
    visit.principal = principal;
    const { req, head } = visit;
    switch (req.method) {
      case "POST":
        if (!isJson(head.contentType, head.contentEncoding)) return refuse(visit, faults.unsupportedMediaType);
        if (Number(head.contentLength ?? 0) > visit.state.maxRequestBody) return refuse(visit, faults.bodyTooLarge);
        visit.watch?.waits();
        return readBody(req, visit.state.maxRequestBody, (body) => onBody(visit, principal, body));
      case "GET":
      case "DELETE":
        // What nobody judges must not go upstream.
        if (Number(head.contentLength ?? 0) > 0 || head.transferEncoding !== undefined) {
          return refuse(visit, faults.unexpectedBody);
        }
        return judge(visit, principal, req.method, undefined);
      default:
        return refuse(visit, faults.methodNotAllowed);
    }
  };

  const onBody = (visit: Visit, principal: Principal, body: Buffer | undefined): void => {
    visit.watch?.works();
    if (body === undefined) return refuse(visit, faults.bodyTooLarge);
    const message = parseMessage(body);
    if (isNoMessage(message)) {
      auditVisit(deps.audit, deps.clock, "request.refused", visit, 400, "malformed_request");
      const { code, text, id } = message;
      return answerFault(visit, { status: 400, code, text, reason: "malformed_request" }, id);
    }
    visit.message = message;
    const otherRevision = findRevisionMismatch(visit.head, message);
    if (otherRevision !== undefined) return refuse(visit, faults.headerMismatch(otherRevision));
    if (hasMirroredHeaders(visit.head.protocolVersion)) {
      const mismatch = findHeaderMismatch(visit.head, message);
      if (mismatch !== undefined) return refuse(visit, faults.headerMismatch(mismatch));
    }
    judge(visit, principal, "POST", body);
  };

  const judge = (visit: Visit, principal: Principal, ...[httpMethod, body]: Judged): void => {
    if (visit.state !== deps.state) return judgeAnew(visit, principal, httpMethod, body);
    const { route, message } = visit;
    const request = { server: route.name, httpMethod, method: message?.method, name: message?.name };
    const decision = decide(visit.state.policy, principal, request);
    visit.because = decidedBy(decision);
    if (!decision.allow) return refuseBearer(visit, decision.refusal);
    if (deps.open.countOf(principal.subject) >= visit.state.maxOpenRequests) return refuse(visit, faults.tooManyOpen);
    if (!openSession(visit, principal)) return refuse(visit, faults.sessionUnknown);
    // Last of all, so that what is refused uses up nothing.
    const exceeded = visit.state.quotas.take(principal, request);
    if (!(exceeded instanceof Promise)) return onCounted(visit, principal, request, body, exceeded);
    void exceeded.then((later) => {
      if (!visit.res.destroyed) onCounted(visit, principal, request, body, later);
    });
  };

  const onCounted = (
    visit: Visit,
    principal: Principal,
    request: GatewayRequest,
    body: Buffer | undefined,
    exceeded: Exceeded | undefined,
  ): void => {
    if (exceeded !== undefined) {
      visit.because = `quotas[${exceeded.index}]`;
      return refuse(visit, faults.quotaExceeded(exceeded.retryAfter));
    }
    const { route } = visit;
    const forward = (shown: readonly string[]): void => {
      if (visit.state !== deps.state) return judgeAnew(visit, principal, request.httpMethod, body);
      new Exchange(deps, visit, principal, request, upstreamHeaders(visit, shown, body), body).start();
    };
    const shown = route.credential?.headersFor(principal) ?? nothing;
    if (!(shown instanceof Promise)) return forward(shown);
    shown.then(
      (headers) => {
        if (!visit.res.destroyed) forward(headers);
      },
      (error: unknown) => {
        const name = error instanceof Error ? error.name : typeof error;
        deps.logger.error("who makes a request could not be asserted", { server: route.name, error: name });
        refuseBearer(visit, BearerRefusal.unavailable("store_unavailable"));
      },
    );
  };

  /** The settings have changed while the request was read: what was found by the old ones counts no more. */
  const judgeAnew = (visit: Visit, principal: Principal, ...rest: Judged): void => {
    const { byPath, byHost } = deps.state.routes;
    const route = [...byPath.values(), ...byHost.values()].find(({ resource }) => resource === visit.route.resource);
    if (route === undefined) return refuse(visit, faults.serverGone);
    visit.route = route;
    visit.state = deps.state;
    verifier.recheck(principal).then(
      (now) => {
        visit.principal = now;
        if (!visit.res.destroyed) judge(visit, now, ...rest);
      },
      (error: unknown) => refuseBearer(visit, error),
    );
  };

  /** Revisions without sessions ignore the header (MCP 2026-07-28, Earlier Revisions). */
  const openSession = (visit: Visit, principal: Principal): boolean => {
    const envelope = visit.head.sessionId;
    if (envelope === undefined || hasMirroredHeaders(visit.head.protocolVersion)) return true;
    const upstreamId = deps.envelopes.open(envelope, visit.route.name, principal);
    if (upstreamId === undefined) return false;
    visit.session = { upstreamId, envelope };
    return true;
  };

  /** @param shown what the server is shown; it takes the place of whatever a client sends under such names */
  const upstreamHeaders = (visit: Visit, shown: readonly string[], body: Buffer | undefined): string[] => {
    const { head, route, message, session } = visit;
    const headers = head.forward;
    if (route.credential !== undefined) removeHeaders(headers, route.credential.names);
    headers.push(...shown, "host", route.host, "accept-encoding", "identity");
    if (body !== undefined) headers.push("content-length", String(body.length));
    if (session !== undefined) headers.push("mcp-session-id", session.upstreamId);
    if (message !== undefined && hasMirroredHeaders(head.protocolVersion)) pushMirroredHeaders(headers, head, message);
    headers.push(...propagatedHeaders(visit, deps.telemetry?.baggage === true));
    return headers;
  };

  return (req: IncomingMessage, res: ServerResponse, route: Route): void => {
    const head = readHead(req.rawHeaders);
    const { state } = deps;
    const { cors } = state;
    const visit: Visit = {
      req,
      res,
      state,
      route,
      head,
      cors: [],
      principal: undefined,
      message: undefined,
      watch: undefined,
      session: undefined,
    };
    visit.watch = deps.telemetry?.request(visit);
    if (head.repeated !== undefined) return refuse(visit, faults.repeatedHeader(head.repeated));
    if (!route.onOwnHost && !deps.isOwnHost(head.host, req.socket.localAddress))
      return refuse(visit, faults.hostUnknown);
    if (head.origin !== undefined) {
      if (!cors.allows(head.origin, route.origin)) return refuse(visit, faults.originNotAllowed);
      visit.cors = cors.headers(head.origin);
    }
    if (req.method === "OPTIONS") {
      const asked = req.headers["access-control-request-headers"];
      visit.watch?.outcome("request.allowed", 204, undefined);
      return answerEmpty(visit, 204, head.origin === undefined ? ["Allow", allowedMethods] : cors.preflight(asked));
    }
    let found: Principal | Promise<Principal>;
    try {
      found = verifier.check(head.authorization, route.resource);
    } catch (error) {
      return refuseBearer(visit, error);
    }
    if (!(found instanceof Promise)) return onPrincipal(visit, found);
    found.then(
      (principal) => {
        if (!res.destroyed) onPrincipal(visit, principal);
      },
      (error: unknown) => refuseBearer(visit, error),
    );
  };
}
