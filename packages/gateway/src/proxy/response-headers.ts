/** What becomes of a response header of an upstream. */
type Fate = "forward" | "drop" | "contentType" | "contentEncoding" | "contentLength" | "sessionId" | "connection";

const read: Readonly<Record<string, Fate>> = {
  "content-type": "contentType",
  "content-encoding": "contentEncoding",
  "content-length": "contentLength",
  "mcp-session-id": "sessionId",
  connection: "connection",
};

/** Headers that an upstream may send but no client may get from one. `prefixes` match the beginning of a name. */
export const droppedResponseHeaders: readonly {
  readonly because: string;
  readonly names: readonly string[];
  readonly prefixes: readonly string[];
}[] = [
  {
    because: "meant for one hop only (RFC 9110 §7.6.1)",
    names: ["keep-alive", "te", "trailer", "transfer-encoding", "upgrade"],
    prefixes: ["proxy-"],
  },
  {
    because: "would be kept for the gateway's origin, which all servers and the sign-in share",
    names: [
      "set-cookie",
      "set-cookie2",
      "clear-site-data",
      "strict-transport-security",
      "alt-svc",
      "service-worker-allowed",
      "nel",
      "report-to",
      "reporting-endpoints",
      "origin-agent-cluster",
    ],
    prefixes: ["public-key-pins", "content-security-policy"],
  },
  {
    because: "a challenge sends clients to sign in, and only the gateway knows where",
    names: ["www-authenticate", "authentication-info"],
    prefixes: [],
  },
  {
    because: "the gateway answers to browsers itself",
    names: ["x-content-type-options"],
    prefixes: ["access-control-"],
  },
  {
    because: "would lead a client or a proxy elsewhere",
    names: ["location", "content-location", "refresh", "link", "x-sendfile"],
    prefixes: ["x-accel-"],
  },
  { because: "tells strangers what runs inside", names: ["server", "x-powered-by", "via"], prefixes: ["x-aspnet"] },
];

const names = new Set(droppedResponseHeaders.flatMap((rule) => rule.names));
const prefixes = droppedResponseHeaders.flatMap((rule) => rule.prefixes);

/** @param name in small letters */
function responseHeaderFate(name: string): Fate {
  if (Object.hasOwn(read, name)) return read[name] ?? "drop";
  return names.has(name) || prefixes.some((prefix) => name.startsWith(prefix)) ? "drop" : "forward";
}

/** An upstream's response headers after one pass over them. */
export interface ResponseHead {
  /** What goes to the client as it came: name, value, name, value … */
  readonly forward: string[];
  contentType: string | undefined;
  /** As the upstream names it; several, separated by commas. */
  contentEncoding: string | undefined;
  /** Bytes; undefined where the upstream does not say. */
  contentLength: number | undefined;
  /** The upstream's own session id, never for the client. */
  sessionId: string | undefined;
}

const fates = new Map<string, Fate>();
const maxFates = 1000;

function fateOf(name: string): Fate {
  const known = fates.get(name);
  if (known !== undefined) return known;
  const fate = responseHeaderFate(name);
  if (fates.size < maxFates) fates.set(name, fate);
  return fate;
}

/** An upstream's headers by their names in small letters; several values where a name came more than once. */
export type UpstreamHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Decides for each header of an upstream's response what becomes of it. */
export function readResponseHead(received: UpstreamHeaders): ResponseHead {
  const head: ResponseHead = {
    forward: [],
    contentType: undefined,
    contentEncoding: undefined,
    contentLength: undefined,
    sessionId: undefined,
  };
  let named: Set<string> | undefined;
  for (const name of Object.keys(received)) {
    const values = received[name];
    const fate = fateOf(name);
    if (fate === "drop" || values === undefined) continue;
    if (typeof values === "string") named = take(head, fate, name, values, named);
    else for (const value of values) named = take(head, fate, name, value, named);
  }
  if (named !== undefined) {
    for (let i = head.forward.length - 2; i >= 0; i -= 2) {
      if (named.has(head.forward[i] ?? "")) head.forward.splice(i, 2);
    }
  }
  return head;
}

function take(
  head: ResponseHead,
  fate: Exclude<Fate, "drop">,
  name: string,
  value: string,
  named: Set<string> | undefined,
): Set<string> | undefined {
  switch (fate) {
    case "forward":
      break;
    case "contentType":
      head.contentType = value;
      break;
    case "contentEncoding":
      head.contentEncoding = head.contentEncoding === undefined ? value : `${head.contentEncoding},${value}`;
      break;
    case "contentLength":
      head.contentLength = Number(value);
      break;
    case "sessionId":
      head.sessionId = value;
      return named;
    case "connection":
      return namedHeaders(value, named);
  }
  head.forward.push(name, value);
  return named;
}

/** RFC 9110 §7.6.1: what `Connection` names is meant for this hop only; what frames the content is not up to it. */
function namedHeaders(connection: string, before: Set<string> | undefined): Set<string> | undefined {
  const lower = connection.toLowerCase();
  if (lower === "keep-alive" || lower === "close") return before;
  const named = before ?? new Set<string>();
  for (const name of lower.split(",")) named.add(name.trim());
  named.delete("content-type");
  named.delete("content-length");
  return named;
}
