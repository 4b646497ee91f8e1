import type { Clock, Fetch } from "../../runtime/index.ts";
import { IdentityProviderError } from "../identity-provider.ts";
import { networkError } from "./errors.ts";

/** A complete answer. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * Makes one request to Cognito; rejects only with {@link IdentityProviderError}.
 * @param within how long it may take, ms, where that is less than any request may
 */
export type ProviderFetch = (url: URL, init: RequestInit, within?: number) => Promise<Answer>;

/** No document of Cognito's comes near it: the largest is a token answer with 100 groups in two tokens. */
const maxBodyBytes = 1024 * 1024;

/**
 * Puts the rules for every request to Cognito around a fetch: no redirect is followed (the body of the request may hold
 * a code or a secret), one time limit for head and body, and a bounded body.
 */
export function providerFetch(options: {
  readonly fetch: Fetch;
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "monotonic">;
  /** Told the time by Cognito's clock, ms, and when it was asked for it, by the monotonic clock. */
  readonly sawTime?: ((theirs: number, askedAt: number) => void) | undefined;
}): ProviderFetch {
  return async (url, init, within) => {
    const what = requestName(url, init.method);
    const timeoutMs = Math.max(0, Math.floor(Math.min(within ?? options.timeoutMs, options.timeoutMs)));
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const askedAt = options.clock.monotonic();
      const response = await options.fetch(url, { ...init, redirect: "manual", signal });
      // An answer to a GET may be a cache's, with the time at which that got it.
      const time = init.method === "POST" ? answerTime(response.headers) : undefined;
      if (time !== undefined) options.sawTime?.(time, askedAt);
      if (response.type === "opaqueredirect" || (response.status >= 300 && response.status < 400)) {
        await response.body?.cancel();
        throw new IdentityProviderError("invalid_response", `${what} answered with a redirect, which is not followed`);
      }
      return { status: response.status, body: await boundedText(response, what) };
    } catch (error) {
      throw error instanceof IdentityProviderError ? error : networkError(what, error, timeoutMs);
    }
  };
}

/** How a request is called in messages: without its query, which could hold something secret. */
export const requestName = (url: URL, method = "GET"): string => `${method} ${url.origin}${url.pathname}`;

/** When an answer was made, by its maker's clock: the middle of the second that `Date` names (RFC 9110 §6.6.1). */
function answerTime(headers: Headers): number | undefined {
  const time = Date.parse(headers.get("date") ?? "");
  return Number.isNaN(time) || headers.has("age") ? undefined : time + 500;
}

async function boundedText(response: Response, what: string): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  // Leaving the loop by the throw cancels the body.
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > maxBodyBytes) throw new IdentityProviderError("invalid_response", `${what} answered more than 1 MiB`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
