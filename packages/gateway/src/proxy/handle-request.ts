import type { IncomingMessage, ServerResponse } from "node:http";
import { type AuditSink, BearerRefusal, type BearerVerifier, type Clock, type Logger, type Principal } from "sallyport";
import type { Policy } from "../policy/compile.ts";
import { decide } from "../policy/decide.ts";
import { answerEmpty, answerFault, answerRefusal, type Fault } from "./answer.ts";
import { auditVisit } from "./audit-visit.ts";
import { allowedMethods, type Cors } from "./cors.ts";
import { Exchange, type ExchangeDeps } from "./exchange.ts";
import * as faults from "./faults.ts";
import { findHeaderMismatch, hasMirroredHeaders, pushMirroredHeaders } from "./mirrored-headers.ts";
import { isNoMessage, parseMessage } from "./parse-message.ts";
import { readBody } from "./read-body.ts";
import { isJson } from "./request-content.ts";
import { readHead } from "./request-head.ts";
import type { Route } from "./route.ts";
import type { Visit } from "./visit.ts";

/** What the handling of a request needs. */
export interface HandlerDeps extends ExchangeDeps {
  readonly audit: AuditSink;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly verifier: BearerVerifier;
  readonly policy: Policy;
  readonly cors: Cors;
  readonly isOwnHost: (host: string | undefined, localAddress: string | undefined) => boolean;
  /** Bytes. */
  readonly maxRequestBody: number;
  readonly maxOpenRequests: number;
}

/**
 * The steps of a request to an MCP endpoint, in order: host, origin, preflight, bearer, method, body, decision,
 * forwarding. The bearer comes before the method because clients probe with GET and must learn where to sign in.
 */
export function createRequestHandler(deps: HandlerDeps) {
  const { verifier, cors } = deps;

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
        if (Number(head.contentLength ?? 0) > deps.maxRequestBody) return refuse(visit, faults.bodyTooLarge);
        return readBody(req, deps.maxRequestBody, (body) => onBody(visit, principal, body));
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
    if (body === undefined) return refuse(visit, faults.bodyTooLarge);
    const message = parseMessage(body);
    if (isNoMessage(message)) {
      auditVisit(deps.audit, deps.clock, "request.refused", visit, 400, "malformed_request");
      const { code, text, id } = message;
      return answerFault(visit, { status: 400, code, text, reason: "malformed_request" }, id);
    }
    visit.message = message;
    if (hasMirroredHeaders(visit.head.protocolVersion)) {
      const mismatch = findHeaderMismatch(visit.head, message);
      if (mismatch !== undefined) return refuse(visit, faults.headerMismatch(mismatch));
    }
    judge(visit, principal, "POST", body);
  };

  const judge = (
    visit: Visit,
    principal: Principal,
    httpMethod: "POST" | "GET" | "DELETE",
    body: Buffer | undefined,
  ): void => {
    const { route, message } = visit;
    const request = { server: route.name, httpMethod, method: message?.method, name: message?.name };
    const decision = decide(deps.policy, principal, request);
    if (!decision.allow) return refuseBearer(visit, decision.refusal);
    if (deps.open.countOf(principal.subject) >= deps.maxOpenRequests) return refuse(visit, faults.tooManyOpen);
    if (!openSession(visit, principal)) return refuse(visit, faults.sessionUnknown);
    new Exchange(deps, visit, principal, request, upstreamHeaders(visit, body), body).start();
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

  const upstreamHeaders = ({ head, route, message, session }: Visit, body: Buffer | undefined): string[] => {
    const headers = head.forward;
    headers.push("host", route.host, "accept-encoding", "identity");
    if (body !== undefined) headers.push("content-length", String(body.length));
    if (session !== undefined) headers.push("mcp-session-id", session.upstreamId);
    if (message !== undefined && hasMirroredHeaders(head.protocolVersion)) pushMirroredHeaders(headers, head, message);
    return headers;
  };

  return (req: IncomingMessage, res: ServerResponse, route: Route): void => {
    const head = readHead(req.rawHeaders);
    const visit: Visit = {
      req,
      res,
      route,
      head,
      cors: [],
      principal: undefined,
      message: undefined,
      session: undefined,
    };
    if (head.repeated !== undefined) return refuse(visit, faults.repeatedHeader(head.repeated));
    if (!deps.isOwnHost(head.host, req.socket.localAddress)) return refuse(visit, faults.hostUnknown);
    if (head.origin !== undefined) {
      if (!cors.allows(head.origin)) return refuse(visit, faults.originNotAllowed);
      visit.cors = cors.headers(head.origin);
    }
    if (req.method === "OPTIONS") {
      const asked = req.headers["access-control-request-headers"];
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
