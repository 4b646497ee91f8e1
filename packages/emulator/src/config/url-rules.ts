const loopbackHosts = new Set(["localhost", "127.0.0.1", "[::1]"]);
// Schemes that a browser runs or opens by itself; no app can own them.
const reservedSchemes = new Set(["javascript:", "data:", "vbscript:", "file:", "blob:", "about:"]);

/**
 * What is wrong with a callback or sign-out URL, or nothing. Cognito takes https, an app's own scheme, and http for
 * localhost, 127.0.0.1 and [::1]; absolute, without fragment and without wildcards.
 * Source: CreateUserPoolClient, CallbackURLs and LogoutURLs.
 */
export function callbackUrlProblem(value: string): string | undefined {
  if (/[\s\p{Cc}]/u.test(value)) return "must hold no white space or control characters";
  if (value.includes("*")) return "must not hold a wildcard: Cognito matches the whole text exactly";
  if (value.includes("#")) return "must not have a fragment";
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined) return "must be an absolute URL";
  if (url.protocol === "https:") return undefined;
  if (url.protocol === "http:") {
    return loopbackHosts.has(url.hostname)
      ? undefined
      : "must be https: http is for localhost, 127.0.0.1 and [::1] only";
  }
  return reservedSchemes.has(url.protocol) ? `must not use the scheme ${url.protocol}` : undefined;
}

/**
 * Whether a value may stand in the `resource` parameter: a URL that begins with https://, http://localhost or an
 * app's own scheme. Source: Cognito authorization endpoint, `resource`.
 */
export function isResourceUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname } = new URL(value);
  if (protocol === "http:") return hostname === "localhost" && value.startsWith("http://localhost");
  return /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(value);
}
