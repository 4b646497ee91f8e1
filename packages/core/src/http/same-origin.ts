import { OAuthError } from "../errors/index.ts";

/**
 * Refuses a POST that a page of another origin sent. Where a browser says where a request comes from it must be our own
 * origin; what says nothing is no browser, and still has to bring the sealed form and its cookie.
 * @param baseUrl public URL; its origin is ours
 * @throws OAuthError cross_site_post (403)
 */
export function checkSameOrigin(request: Request, baseUrl: string): void {
  const origin = request.headers.get("origin");
  const site = request.headers.get("sec-fetch-site");
  if ((origin === null || origin === new URL(baseUrl).origin) && (site === null || site === "same-origin")) return;
  throw new OAuthError("invalid_request", "cross_site_post", "This form was sent by another site.", { status: 403 });
}
