import { hash } from "node:crypto";

/**
 * Headers of everything that a browser shows or follows.
 *
 * Left out on purpose: `form-action`, because Chromium applies it to the redirects that follow a form, and consent would
 * lead nowhere; `Cross-Origin-Opener-Policy`, because it severs clients that sign in from a popup. `Referrer-Policy` is
 * `same-origin`, because under `no-referrer` Chromium posts our own form with `Origin: null`.
 * @param style the page's one inline style, exactly as it stands between its tags
 * @param imageSource where the page's one image comes from, as a source of the policy
 */
export function pageHeaders(style?: string, imageSource?: string): Headers {
  const styles = style === undefined ? "" : ` style-src 'sha256-${hash("sha256", style, "base64")}';`;
  const images = imageSource === undefined ? "" : ` img-src ${imageSource};`;
  return new Headers({
    "Content-Security-Policy": `default-src 'none';${styles}${images} base-uri 'none'; frame-ancestors 'none'`,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
  });
}

/**
 * Answers with a page. Its one inline style is the only thing that the browser may apply; there are no scripts.
 * @param setCookies values of `Set-Cookie`
 * @param imageSource where the page's one image comes from
 */
export function htmlAnswer(
  status: number,
  page: string,
  setCookies: readonly string[] = [],
  imageSource?: string,
): Response {
  const headers = pageHeaders(/<style>([^<]*)<\/style>/.exec(page)?.[1], imageSource);
  headers.set("Content-Type", "text/html; charset=utf-8");
  for (const cookie of setCookies) headers.append("Set-Cookie", cookie);
  return new Response(page, { status, headers });
}

/** Answers with JSON that nothing may keep (RFC 6749 §5.1, RFC 7591 §3.2.1). */
export const jsonAnswer = (status: number, body: unknown): Response =>
  new Response(JSON.stringify(body), {
    status,
    headers: {
      "Content-Type": "application/json",
      "Cache-Control": "no-store",
      Pragma: "no-cache",
      "X-Content-Type-Options": "nosniff",
    },
  });
