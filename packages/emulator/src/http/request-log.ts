import type { AppContext } from "../endpoints/app-env.ts";
import { isForm, readParameters } from "./parameters.ts";

/** One request that was answered. Holds nothing secret. */
export interface RequestEntry {
  readonly path: string;
  readonly method: string;
  /** 0: a fault closed the connection without an answer. */
  readonly status: number;
  /** Of token requests, as it was sent. */
  readonly grantType?: string;
}

/** The last requests, oldest first. */
export interface RequestLog {
  /** Live: it grows as requests are answered. */
  readonly entries: readonly RequestEntry[];
  add(entry: RequestEntry): void;
}

const limit = 10_000;

export function createRequestLog(): RequestLog {
  const entries: RequestEntry[] = [];
  return {
    entries,
    add(entry) {
      entries.push(entry);
      if (entries.length > limit) entries.splice(0, entries.length - limit);
    },
  };
}

/** The grant type of a token request, cut to a sensible length; nothing for other requests. */
export async function grantTypeOf(c: AppContext): Promise<string | undefined> {
  const isToken = c.req.path === "/oauth2/token" && c.req.method === "POST" && isForm(c.req.header("content-type"));
  if (!isToken) return undefined;
  // Hono keeps the text, so the endpoint can read it again.
  return readParameters(new URLSearchParams(await c.req.text())).values.grant_type?.slice(0, 64);
}
