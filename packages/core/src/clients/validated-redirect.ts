import { isLoopbackHost } from "../config/values.ts";
import { textFault } from "./redirect-uri.ts";

declare const validated: unique symbol;

/**
 * A redirect URI that a client registered, in the very form that will be followed. Only {@link matchRedirectUri} makes
 * one, so that an answer cannot be sent anywhere else.
 */
export type ValidatedRedirect = string & { readonly [validated]: true };

/**
 * Compares a presented redirect URI with those that the client registered: character by character (OAuth 2.1 §2.3.1).
 * One thing may differ: the port of an http redirect on loopback (RFC 8252 §7.3), since a desktop app takes whichever is
 * free; registered without a port it matches any. `localhost` and `127.0.0.1` are different hosts.
 */
export function matchRedirectUri(registered: readonly string[], presented: string): ValidatedRedirect | undefined {
  if (textFault(presented) !== undefined) return undefined;
  const loopback = splitLoopback(presented);
  const found = registered.some((candidate) => {
    if (candidate === presented) return true;
    const other = loopback && splitLoopback(candidate);
    return other !== undefined && other.host === loopback?.host && other.rest === loopback.rest;
  });
  return found ? (presented as ValidatedRedirect) : undefined;
}

/** Host and remainder of an http URI on loopback as written, its port taken out. */
function splitLoopback(text: string): { host: string; rest: string } | undefined {
  const [, host, rest] = /^http:\/\/(localhost|[0-9.]+|\[::1\])(?::[1-9]\d{0,4})?((?:[/?].*)?)$/.exec(text) ?? [];
  if (host === undefined || rest === undefined || !isLoopbackHost(host)) return undefined;
  return { host, rest };
}

/** Whether the answer stays on the user's own machine, where any local program could listen. */
export const isLoopbackRedirect = (redirect: ValidatedRedirect): boolean =>
  /^https?:/.test(redirect) && isLoopbackHost(new URL(redirect).hostname);

/** Where the answer goes, for the consent page: host and port, or the scheme of an app (`cursor:`). */
export function redirectHost(redirect: ValidatedRedirect): string {
  const url = new URL(redirect);
  return /^https?:$/.test(url.protocol) ? url.host : url.protocol;
}

/** Appends parameters to the query of a redirect and leaves every byte that is there as it was registered. */
export function appendToRedirect(redirect: ValidatedRedirect, params: Readonly<Record<string, string>>): string {
  // %20 and not +, which is read by every decoder, also by an app's own for its scheme.
  const query = new URLSearchParams(params).toString().replaceAll("+", "%20");
  // Only the first question mark begins the query: in `/cb??` the second is part of it.
  const join = !redirect.includes("?") ? "?" : /^[^?]*\?$|&$/.test(redirect) ? "" : "&";
  return `${redirect}${join}${query}`;
}
