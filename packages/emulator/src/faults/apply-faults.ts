import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { MiddlewareHandler } from "hono";
import type { AppContext, AppEnv } from "../endpoints/app-env.ts";
import type { RequestLog } from "../http/request-log.ts";
import { grantTypeOf } from "../http/request-log.ts";
import type { Fault, FaultSource } from "./faults.ts";

/** Logs every request, and lets the faults happen to it. */
export function applyFaults(source: FaultSource, log: RequestLog): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const { path, method } = c.req;
    const grantType = await grantTypeOf(c);
    const fault = source.next({ path, method, grantType });
    if (fault?.latencyMs !== undefined) await wait(fault.latencyMs, c.req.raw.signal);
    if (fault?.when === "after" || !replacesAnswer(fault)) await next();
    const dropped = fault?.dropConnection === true;
    if (fault !== undefined && replacesAnswer(fault)) {
      // Hono merges the headers of an answer that is overwritten, unless it is taken away first.
      c.res = undefined;
      c.res = dropped ? drop(c) : faultAnswer(fault);
    }
    log.add({ path, method, status: dropped ? 0 : c.res.status, ...(grantType !== undefined && { grantType }) });
  };
}

function replacesAnswer(fault: Fault | undefined): boolean {
  return fault?.status !== undefined || fault?.dropConnection === true;
}

function drop(c: AppContext): Response {
  c.env.incoming.socket.destroy();
  return RESPONSE_ALREADY_SENT;
}

function faultAnswer({ status = 500, headers, body }: Fault): Response {
  if (body === undefined || status === 204 || status === 304) {
    return new Response(null, { status, headers: { ...headers } });
  }
  if (typeof body === "string") return new Response(body, { status, headers: { ...headers } });
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json;charset=UTF-8", ...headers },
  });
}

function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done, { once: true });
  });
}
