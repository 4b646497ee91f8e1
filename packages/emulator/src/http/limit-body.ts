import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "../endpoints/app-env.ts";

const mostBytes = 64 * 1024;

/** Refuses bodies over 64 KiB, and bodies that do not say how long they are: no form here needs either. */
export const limitBody: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (c.req.header("transfer-encoding") !== undefined) return c.body(null, 411);
  if (Number(c.req.header("content-length") ?? 0) > mostBytes) return c.body(null, 413);
  await next();
  return undefined;
};
