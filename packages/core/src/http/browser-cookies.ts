import { randomId } from "../crypto/index.ts";
import type { Clock, Random } from "../runtime/index.ts";

/** `page` binds a consent form to a browser, `tx` a sign-in that is under way. */
export type CookieKind = "page" | "tx";

/** Several at once, one per tab; a browser with more loses the oldest. */
const mostOfAKind = 8;
const mostCookies = 100;

/** Where cookies are set: on https with the `__Host-` prefix, on loopback http without it. */
interface CookieDeps {
  readonly baseUrl: string;
  readonly clock: Clock;
  readonly random: Random;
}

/** Values of all cookies of a kind that the browser sent (RFC 6265 §5.4). */
export const browserCookies = (request: Request, kind: CookieKind): string[] =>
  ourCookies(request, kind).map(([, value]) => value);

/**
 * `Set-Cookie` lines for one more cookie of a kind, the oldest beyond eight expired.
 * @param life milliseconds
 */
export function addBrowserCookie(request: Request, deps: CookieDeps, kind: CookieKind, value: string, life: number): string[] {
  const secure = deps.baseUrl.startsWith("https:");
  // A name that sorts by time tells the oldest apart without anything being stored.
  const time = deps.clock.now().toString(36).padStart(9, "0");
  const name = `${secure ? "__Host-" : ""}sallyport-${kind}-${time}${randomId(deps.random, 6)}`;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
  const names = ourCookies(request, kind).map(([known]) => known);
  const expired = names.sort().slice(0, Math.max(0, names.length + 1 - mostOfAKind));
  return [
    `${name}=${value}; Max-Age=${Math.ceil(life / 1000)}; ${attributes}`,
    ...expired.map((old) => `${old}=; Max-Age=0; ${attributes}`),
  ];
}

function ourCookies(request: Request, kind: CookieKind): [string, string][] {
  const header = request.headers.get("cookie") ?? "";
  const ours: [string, string][] = [];
  for (const pair of header.split(";", mostCookies)) {
    const match = /^\s*((?:__Host-)?sallyport-(page|tx)-[A-Za-z0-9_-]+)=([A-Za-z0-9_-]+)\s*$/.exec(pair);
    if (match?.[2] === kind) ours.push([match[1] ?? "", match[3] ?? ""]);
  }
  return ours;
}
