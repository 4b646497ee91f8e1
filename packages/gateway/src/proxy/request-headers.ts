import type { RequestHead } from "./request-head.ts";

/** What becomes of a request header: goes upstream, goes nowhere, or is read here (and goes upstream too, or not). */
export type Fate =
  | "forward"
  | "drop"
  | { readonly field: Exclude<keyof RequestHead, "forward" | "repeated">; readonly forward: boolean };

/** Headers that the gateway itself reads. Each may come once only, but for those of traces. */
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
  traceparent: { field: "traceparent", forward: false },
  tracestate: { field: "tracestate", forward: false },
  baggage: { field: "baggage", forward: false },
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
      "x-consumer-",
      "x-credential-",
      "x-oidc-",
      "x-saml-",
      "x-jwt-",
      "tailscale-",
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

/** A name as servers take it that know letters, digits and one mark only (CGI, PHP): `X.Api_Key` is `x-api-key`. */
export const foldedHeader = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "-");

/** Repeats an argument of a tool, under a name that the server's own list gives (MCP 2026-07-28, Request Metadata). */
const parameter = "mcp-param-";

/**
 * What becomes of a request header.
 * A name that another spelling of a dropped one could be never goes upstream, nor does any with an underscore: CGI and
 * WSGI servers read `X_User` and `X-User` as one.
 * @param name in small letters
 */
export function requestHeaderFate(name: string): Fate {
  if (Object.hasOwn(read, name)) return read[name] ?? "drop";
  if (name.startsWith(parameter)) return "forward";
  const folded = foldedHeader(name);
  if (name.includes("_") || names.has(folded) || Object.hasOwn(read, folded)) return "drop";
  return prefixes.some((prefix) => folded.startsWith(prefix)) ? "drop" : "forward";
}

const ofThisHop = new Set(["keep-alive", "te", "trailer", "upgrade", "expect", "accept", "accept-encoding"]);
const reserved = ["proxy-", "mcp-", "sec-"];

/** Whether a header means something to the gateway, to HTTP or to MCP, so that no credential may take its name. */
export const isReservedForUpstream = (name: string): boolean =>
  (Object.hasOwn(read, name) && name !== "authorization") ||
  ofThisHop.has(name) ||
  name === "last-event-id" ||
  reserved.some((prefix) => name.startsWith(prefix));
