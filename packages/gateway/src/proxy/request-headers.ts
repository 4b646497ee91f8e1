import type { RequestHead } from "./request-head.ts";

/** What becomes of a request header: goes upstream, goes nowhere, or is read here (and goes upstream too, or not). */
export type Fate =
  | "forward"
  | "drop"
  | { readonly field: Exclude<keyof RequestHead, "forward" | "repeated">; readonly forward: boolean };

/** Headers that the gateway itself reads. Each may come once only. */
const read: Readonly<Record<string, Fate>> = {
  host: { field: "host", forward: false },
  origin: { field: "origin", forward: false },
  authorization: { field: "authorization", forward: false },
  connection: { field: "connection", forward: false },
  "content-type": { field: "contentType", forward: true },
  "content-encoding": { field: "contentEncoding", forward: false },
  "content-length": { field: "contentLength", forward: false },
  "transfer-encoding": { field: "transferEncoding", forward: false },
  "mcp-protocol-version": { field: "protocolVersion", forward: true },
  "mcp-method": { field: "mcpMethod", forward: false },
  "mcp-name": { field: "mcpName", forward: false },
  "mcp-session-id": { field: "sessionId", forward: false },
};

/** Headers that a client may send but no upstream may get from one. `prefixes` match the beginning of a name. */
export const droppedRequestHeaders: readonly {
  readonly because: string;
  readonly names: readonly string[];
  readonly prefixes: readonly string[];
}[] = [
  {
    because: "meant for one hop only (RFC 9110 §7.6.1)",
    names: ["keep-alive", "te", "trailer", "upgrade", "expect", "http2-settings"],
    prefixes: ["proxy-"],
  },
  {
    because: "the client's credentials are for the gateway alone",
    names: ["cookie", "cookie2", "x-access-token", "x-id-token", "x-jwt", "x-token"],
    prefixes: ["x-session"],
  },
  {
    because: "says where a request came from, which only a trusted proxy may say",
    names: ["forwarded", "x-real-ip", "true-client-ip", "cf-connecting-ip", "fastly-client-ip", "x-cluster-client-ip"],
    prefixes: ["x-forwarded", "x-original-", "x-rewrite-", "x-envoy-", "x-host", "x-proxy-"],
  },
  {
    because: "says who the user is; an upstream that trusts its gateway would believe it",
    names: ["x-email", "x-subject", "x-sub", "x-login", "x-claims", "x-ms-client-principal", "from"],
    prefixes: [
      "x-user",
      "x-group",
      "x-role",
      "x-scope",
      "x-auth",
      "x-client-",
      "x-principal",
      "x-identity",
      "x-tenant",
      "x-sallyport-",
      "x-internal-",
      "x-remote-",
      "x-webauth-",
      "x-impersonat",
      "impersonate-",
      "remote-",
      "x-amzn-oidc-",
      "x-amzn-mtls-",
      "x-goog-authenticated-",
      "x-goog-iap-",
      "x-ms-client-principal-",
      "cf-access-",
      "x-vouch-",
      "x-pomerium-",
    ],
  },
  {
    because: "speaks of a client certificate, which only the end of the TLS connection can",
    names: ["client-cert", "client-cert-chain", "x-ssl", "x-cert"],
    prefixes: ["x-ssl-", "ssl-client-", "x-tls-", "x-cert-"],
  },
  {
    because: "changes the method or the file behind the request after it has been judged",
    names: [
      "x-http-method",
      "x-http-method-override",
      "x-method-override",
      "x-sendfile-type",
      "x-middleware-subrequest",
    ],
    prefixes: ["x-accel-"],
  },
  {
    because: "belongs to the browser's page and the gateway's own origin, which the gateway has checked",
    names: ["referer", "upgrade-insecure-requests", "dnt"],
    prefixes: ["sec-", "access-control-"],
  },
  {
    because: "the gateway says itself what it takes: packed event streams arrive late",
    names: ["accept-encoding"],
    prefixes: [],
  },
];

const names = new Set(droppedRequestHeaders.flatMap((rule) => rule.names));
const prefixes = droppedRequestHeaders.flatMap((rule) => rule.prefixes);

/**
 * What becomes of a request header.
 * A name with an underscore never goes upstream: CGI and WSGI servers read `X_User` and `X-User` as one.
 * @param name in small letters
 */
export function requestHeaderFate(name: string): Fate {
  if (Object.hasOwn(read, name)) return read[name] ?? "drop";
  if (name.includes("_") || names.has(name)) return "drop";
  return prefixes.some((prefix) => name.startsWith(prefix)) ? "drop" : "forward";
}
