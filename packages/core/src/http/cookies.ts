import { randomId } from "../crypto/index.ts";
import type { Clock, Random } from "../runtime/index.ts";

/** What the cookies of a deployment depend on. */
export interface CookieDeps {
  /** Public URL: https or not decides over `Secure` and the name. */
  readonly baseUrl: string;
  readonly clock: Clock;
  readonly random: Random;
}

/** So many of a kind are kept: as many tabs as anyone signs in with at a time, and a header that stays short. */
const mostOfAKind = 8;
const longestHeader = 16_384;
/** Replicas' clocks may differ by so much, ms. */
const clockSkew = 60_000;

const timeDigits = 9;
const idForm = /^([0-9a-z]{9})-[A-Za-z0-9_-]{8,32}$/;

/**
 * The value of every cookie of a kind that this browser sent, newest first. On https only `__Host-` names count: others
 * could have been set by a neighbouring subdomain or over plain http (RFC 6265bis §4.1.3.2).
 */
export const browserCookies = (request: Request, kind: string, deps: CookieDeps): readonly string[] =>
  ofKind(request, kind, deps).map((cookie) => cookie.value);

/**
 * A new cookie of a kind beside those that the browser has (each tab signs in with its own), and the end of the oldest
 * beyond eight.
 * @param lifetime ms
 * @param replaces which of the others end, by their value. Never simply all: cookies are shared by all ports of
 * localhost, and another deployment's are not ours to end
 * @returns values of `Set-Cookie`
 */
export function addBrowserCookie(
  request: Request,
  deps: CookieDeps,
  kind: string,
  value: string,
  lifetime: number,
  replaces: (value: string) => boolean = () => false,
): readonly string[] {
  const time = deps.clock.now().toString(36).padStart(timeDigits, "0");
  const name = `${prefix(kind, deps)}${time}-${randomId(deps.random, 8)}`;
  const before = ofKind(request, kind, deps);
  const kept = before.filter((cookie) => !replaces(cookie.value)).slice(0, mostOfAKind - 1);
  const ended = before.filter((cookie) => !kept.includes(cookie));
  return [
    setCookie(name, value, deps, Math.ceil(lifetime / 1000)),
    ...ended.map((cookie) => setCookie(cookie.name, "", deps, 0)),
  ];
}

/**
 * Ends the cookies of these kinds that the browser sent.
 * @param which of them, by their value; default all
 * @returns values of `Set-Cookie`
 */
export const endBrowserCookies = (
  request: Request,
  deps: CookieDeps,
  kinds: readonly string[],
  which: (value: string) => boolean = () => true,
): readonly string[] =>
  kinds
    .flatMap((kind) => ofKind(request, kind, deps))
    .filter(({ value }) => which(value))
    .map(({ name }) => setCookie(name, "", deps, 0));

interface Cookie {
  readonly name: string;
  readonly value: string;
}

const isHttps = (deps: CookieDeps): boolean => deps.baseUrl.startsWith("https:");

const prefix = (kind: string, deps: CookieDeps): string => `${isHttps(deps) ? "__Host-" : ""}sallyport-${kind}-`;

function ofKind(request: Request, kind: string, deps: CookieDeps): readonly Cookie[] {
  const start = prefix(kind, deps);
  // Cookies are shared by all ports of localhost: a name from the future is not ours and must not push ours out.
  const latest = (deps.clock.now() + clockSkew).toString(36).padStart(timeDigits, "0");
  const found: { cookie: Cookie; time: string }[] = [];
  for (const [name, value] of parseCookies(request.headers.get("cookie") ?? "")) {
    const time = name.startsWith(start) ? idForm.exec(name.slice(start.length))?.[1] : undefined;
    if (time !== undefined) found.push({ cookie: { name, value }, time: time > latest ? "" : time });
  }
  return found.sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0)).map(({ cookie }) => cookie);
}

/** The pairs of a Cookie header (RFC 6265 §5.4); what is malformed is left out, of two with one name the first counts. */
function parseCookies(header: string): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>();
  for (const pair of header.slice(0, longestHeader).split(";")) {
    const equals = pair.indexOf("=");
    const name = pair.slice(0, Math.max(0, equals)).trim();
    const value = pair.slice(equals + 1).trim();
    // RFC 6265 §4.1.1: token and cookie-octets.
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || !/^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/.test(value))
      continue;
    if (!cookies.has(name)) cookies.set(name, value);
  }
  return cookies;
}

/** Lax, not Strict: the identity provider sends the browser back across sites. @param maxAge seconds; 0 ends the cookie */
const setCookie = (name: string, value: string, deps: CookieDeps, maxAge: number): string =>
  `${name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${isHttps(deps) ? "; Secure" : ""}`;
