import { type Evidence, testsIn } from "./evidence.ts";

/** A rule that the MCP authorization specification has for a server. */
export interface Rule {
  readonly number: number;
  /** A: the authorization server. R: the resource server. G: the transport, here the gateway's. */
  readonly who: "A" | "R" | "A, R" | "G";
  /** What the specification calls it; "guidance" where the rule is the client's and the server has to be ready for it. */
  readonly level: "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT" | "MAY" | "guidance";
  readonly rule: string;
  /** Where it stands in the specification of 2026-07-28. */
  readonly section: string;
  /** The first revision that has it. */
  readonly since: "2025-03-26" | "2025-06-18" | "2025-11-25" | "2026-07-28";
  readonly shownBy: readonly Evidence[];
}

const metadata = testsIn("test/conformance/metadata.test.ts");
const suiteThroughGateway = testsIn("test/conformance/gateway.test.ts");
const suiteForServer = testsIn("test/conformance/authorization-server.test.ts");
const strictClient = testsIn("test/clients/oauth4webapi.test.ts");
const documents = testsIn("test/clients/metadata-documents.test.ts");
const parsedDocument = testsIn("packages/core/src/clients/metadata-document/parse-document.test.ts");
const keptDocument = testsIn("packages/core/src/clients/metadata-document/metadata-documents.test.ts");
const documentAttacks = testsIn("test/attacks/metadata-documents.test.ts");
const mainFlow = testsIn("test/main-flow/sign-in.test.ts");
const redirectAttacks = testsIn("test/attacks/redirect-uri.test.ts");
const bindingAttacks = testsIn("test/attacks/browser-binding.test.ts");
const formAttacks = testsIn("test/attacks/consent-form.test.ts");
const refreshAttacks = testsIn("test/attacks/refresh.test.ts");
const audienceAttacks = testsIn("test/attacks/audience.test.ts");
const pages = testsIn("packages/core/src/pages/pages.test.ts");
const registration = testsIn("packages/core/src/clients/registration-request.test.ts");
const door = testsIn("packages/gateway/test/at-the-door.test.ts");
const sessions = testsIn("packages/gateway/test/sessions.test.ts");
const mirrored = testsIn("packages/gateway/test/mirrored-headers.test.ts");
const headers = testsIn("packages/gateway/test/headers.test.ts");
const streaming = testsIn("packages/gateway/test/streaming.test.ts");

export const rules: readonly Rule[] = [
  {
    number: 1,
    who: "A",
    level: "MUST",
    rule: "OAuth 2.1 for clients with and without a secret.",
    section: "Overview",
    since: "2025-03-26",
    shownBy: [
      strictClient("registers with %s, signs in, validates the token and renews it"),
      suiteForServer("accepts it with a configured client"),
    ],
  },
  {
    number: 2,
    who: "A",
    level: "MUST",
    rule: "Authorization server metadata are published, by RFC 8414 or by OpenID Connect Discovery. Here: both.",
    section: "Overview",
    since: "2025-11-25",
    shownBy: [
      strictClient("finds the same authorization server by RFC 8414 and by OpenID Connect Discovery"),
      metadata("the document is the issuer's own, and the OpenID alias says the same"),
    ],
  },
  {
    number: 3,
    who: "A",
    level: "MUST",
    rule: "The issuer inside the metadata is exactly the one from which a client built their address.",
    section: "Authorization Server Metadata Discovery",
    since: "2026-07-28",
    shownBy: [metadata("the document is the issuer's own, and the OpenID alias says the same")],
  },
  {
    number: 4,
    who: "A",
    level: "MUST",
    rule: "PKCE with S256, and the metadata say so in each of their forms.",
    section: "Authorization Code Protection",
    since: "2025-11-25",
    shownBy: [
      metadata("the authorization endpoint takes every %s that is named, and no other", "code_challenge_method"),
      testsIn("test/attacks/pkce.test.ts")("%s at /authorize > %s: told at the client's redirect, no page to approve"),
    ],
  },
  {
    number: 5,
    who: "A",
    level: "SHOULD",
    rule: "Every answer of the authorization endpoint names its issuer in `iss`, errors too.",
    section: "Authorization Response Validation",
    since: "2026-07-28",
    shownBy: [
      metadata("the answer names the issuer, and its token verifies by jwks_uri"),
      strictClient("reads a denial with its issuer and state"),
      strictClient("reads an error that is sent back before the consent page"),
    ],
  },
  {
    number: 6,
    who: "A",
    level: "MUST",
    rule: "Who sends `iss` says so in the metadata, and sends the issuer byte for byte.",
    section: "Authorization Response Validation",
    since: "2026-07-28",
    shownBy: [metadata("the answer names the issuer, and its token verifies by jwks_uri")],
  },
  {
    number: 7,
    who: "A",
    level: "SHOULD",
    rule: "A client may be known by the URL of its metadata document, and the metadata say so.",
    section: "Client ID Metadata Documents",
    since: "2025-11-25",
    shownBy: [
      metadata("a client is known by the URL of its metadata document where that is named, and nowhere else"),
      documents("signs in, calls a tool and refreshes > %s at %s"),
    ],
  },
  {
    number: 8,
    who: "A",
    level: "MUST",
    rule: "The document is valid JSON with the required members, its `client_id` is exactly its URL, and only the redirects that it lists count.",
    section: "Client ID Metadata Documents, Implementation Requirements",
    since: "2025-11-25",
    shownBy: [
      parsedDocument("refused, naming the member > %s", "attacks §1 client_id of another"),
      documentAttacks("attacks §1: answers that are no document > %s"),
      documentAttacks("attacks §1 a redirect that is not in it is not followed"),
    ],
  },
  {
    number: 9,
    who: "A",
    level: "SHOULD",
    rule: "The document is fetched with a guard against requests to inner networks, cached as its headers say, and only from hosts that are trusted.",
    section: "Client ID Metadata Documents, Security",
    since: "2025-11-25",
    shownBy: [
      documentAttacks("rebinding: the name is resolved once, and the connection goes to that very address"),
      testsIn("packages/core/src/clients/metadata-document/freshness.test.ts")(
        "how long an answer may be used (RFC 9111 §4.2)",
      ),
      keptDocument("trust policy > %s", "a denied host"),
    ],
  },
  {
    number: 10,
    who: "A",
    level: "MUST",
    rule: "The page on which a user decides shows the host to which the answer goes, and warns where that is only this machine.",
    section: "Localhost Redirect URI Risks",
    since: "2025-11-25",
    shownBy: [
      pages("says who asks, for what, and where the answer goes (MCP: display the redirect host)"),
      pages("loopback and custom schemes are warned about, https is not"),
    ],
  },
  {
    number: 11,
    who: "A",
    level: "MAY",
    rule: "Dynamic client registration by RFC 7591; deprecated, and still what many clients use.",
    section: "Dynamic Client Registration",
    since: "2025-03-26",
    shownBy: [
      registration("defaults are answered, so that a client knows what it got (RFC 7591 §3.2.1)"),
      suiteForServer("accepts it with a client that registered itself"),
    ],
  },
  {
    number: 12,
    who: "A",
    level: "guidance",
    rule: "Clients register with an `application_type`, `native` or `web`; the server holds them to it.",
    section: "Application Type",
    since: "2026-07-28",
    shownBy: [
      registration("VS Code: native, with https and loopback redirects together"),
      registration("redirects that are refused > %s", "web on loopback"),
      registration("without application_type a client is not taken for a web client"),
    ],
  },
  {
    number: 13,
    who: "A",
    level: "MUST",
    rule: "Redirect URIs match exactly what was registered; nothing is sent to any other address.",
    section: "Open Redirection",
    since: "2025-03-26",
    shownBy: [
      redirectAttacks("at /authorize, %s: a page and no redirect"),
      redirectAttacks("never redirect before validation"),
      testsIn("packages/core/test/properties/redirects.test.ts")(
        "no answer goes to an address that is not registered, for ten thousand pairs of registered and presented",
      ),
    ],
  },
  {
    number: 14,
    who: "A",
    level: "MUST",
    rule: "Endpoints are on https; redirects go to https or to this machine. Here also to an app's own scheme that is registered exactly, which desktop clients need.",
    section: "Communication Security",
    since: "2025-03-26",
    shownBy: [
      testsIn("packages/core/src/config/check.test.ts")("parseCoreConfig > refuses %s", "http beyond loopback"),
      testsIn("packages/core/src/clients/redirect-uri.test.ts")(
        "redirect URIs that are refused, each for its own rule > %s: %j",
        "http beyond loopback",
      ),
    ],
  },
  {
    number: 15,
    who: "A",
    level: "MUST",
    rule: "Refresh tokens of public clients are rotated, and access tokens live a short time.",
    section: "Token Theft",
    since: "2025-06-18",
    shownBy: [
      mainFlow("alice signs in, calls, and refreshes"),
      testsIn("packages/core/src/grants/rotate-refresh-token.test.ts")(
        "a refresh token > is followed by another at every use",
      ),
      refreshAttacks("reuse after the window kills the family, descendants and access tokens (attacks §3)"),
    ],
  },
  {
    number: 16,
    who: "A, R",
    level: "guidance",
    rule: "Clients name the resource at the authorization and token endpoints; the token is bound to it, however its host is spelled.",
    section: "Resource Parameter Implementation",
    since: "2025-06-18",
    shownBy: [
      testsIn("packages/core/src/verify/resource-catalog.test.ts")("%s makes no difference"),
      testsIn("test/attacks/code.test.ts")("a resource that is %s"),
      refreshAttacks("a resource that is %s: refused, and the token stays good (attacks §3)"),
    ],
  },
  {
    number: 17,
    who: "A",
    level: "MUST",
    rule: "A proxy with one client id at its identity provider asks each user's consent for each client before it sends the browser on.",
    section: "Confused Deputy Problem",
    since: "2025-06-18",
    shownBy: [
      bindingAttacks(
        "a victim who is signed in at Cognito still gets the consent page first (attacks §4 FM GHSA-c2jp-c369-7pvx)",
      ),
      testsIn("test/attacks/limits.test.ts")("no question to Cognito and no write for a request that nobody approved"),
    ],
  },
  {
    number: 18,
    who: "A",
    level: "MUST",
    rule: "The consent page names client, scopes and redirect, cannot be framed or posted from elsewhere; approvals are kept for each user and client; cookies are host-bound, and the state towards the identity provider is random, good once, for ten minutes and set only after consent.",
    section: "Security Best Practices, Confused Deputy Problem",
    since: "2025-06-18",
    shownBy: [
      formAttacks("cross-site POST"),
      testsIn("test/browser/embedding.test.ts")("a consent page in a frame shows nothing: %s"),
      testsIn("packages/core/src/http/cookies.test.ts")(
        "on https a cookie has the __Host- prefix and all that it asks for",
      ),
      testsIn("test/consent/remembered.test.ts")(
        "for more than was approved, another resource, another redirect, another client",
      ),
      bindingAttacks("replayed state: the second visit gets a page"),
      bindingAttacks("a sign-in older than 10 minutes is over"),
    ],
  },
  {
    number: 19,
    who: "R",
    level: "MUST",
    rule: "Protected resource metadata (RFC 9728) name at least one authorization server.",
    section: "Authorization Server Location",
    since: "2025-06-18",
    shownBy: [
      metadata("every scope that is named can be asked for, by the server's and by the resource's metadata"),
      strictClient("finds the protected resource metadata of %s"),
    ],
  },
  {
    number: 20,
    who: "R",
    level: "MUST",
    rule: "A client finds these metadata by the challenge or at the well-known address. Here: by both.",
    section: "Protected Resource Metadata Discovery Requirements",
    since: "2025-11-25",
    shownBy: [
      mainFlow("a request without a token gets the full challenge"),
      testsIn("packages/core/src/verify/resource-catalog.test.ts")(
        "below a path, the metadata's well-known part goes between host and path (RFC 9728 §3.1)",
      ),
    ],
  },
  {
    number: 21,
    who: "R",
    level: "SHOULD",
    rule: "The challenge of a 401 names the scopes to ask for.",
    section: "Scope Selection Strategy",
    since: "2025-11-25",
    shownBy: [
      mainFlow("a request without a token gets the full challenge"),
      door("no token: 401 with a challenge before anything else (%s)"),
    ],
  },
  {
    number: 22,
    who: "R",
    level: "SHOULD NOT",
    rule: "Name `offline_access` in a challenge or in protected resource metadata.",
    section: "Refresh Tokens",
    since: "2026-07-28",
    shownBy: [
      mainFlow("a request without a token gets the full challenge"),
      metadata("every scope that is named can be asked for, by the server's and by the resource's metadata"),
    ],
  },
  {
    number: 23,
    who: "R",
    level: "MUST",
    rule: "Every request brings its token in the header, where it is checked for signature, life and audience; a bad one is answered 401.",
    section: "Token Handling",
    since: "2025-03-26",
    shownBy: [
      testsIn("packages/core/src/verify/create-verifier.test.ts")("door one > refuses %s"),
      audienceAttacks("our own tokens elsewhere > at %s"),
      audienceAttacks("in the query or as a form it does not count (RFC 6750 §2.2, §2.3)"),
    ],
  },
  {
    number: 24,
    who: "R",
    level: "MUST NOT",
    rule: "Accept tokens that are for others, or pass the client's own on.",
    section: "Token Handling; Access Token Privilege Restriction",
    since: "2025-06-18",
    shownBy: [
      testsIn("test/attacks/provider-tokens.test.ts")("a user's access token straight from Cognito"),
      headers("no header of the lists goes upstream, nor the token, nor any spelling with an underscore"),
      testsIn("test/secrets-in-logs/secrets-in-logs.test.ts")("not to the MCP servers"),
    ],
  },
  {
    number: 25,
    who: "R",
    level: "SHOULD",
    rule: "Missing scopes are answered 403 with `insufficient_scope`: all of them in one challenge. Here only where a new sign-in can give them, so that no client loops.",
    section: "Scope Challenge Handling",
    since: "2025-11-25",
    shownBy: [
      testsIn("packages/core/src/verify/require-scopes.test.ts")(
        "what is missing and what is already granted stand in one challenge, once each",
      ),
      door("a missing scope that can be had is named in a challenge"),
      testsIn("test/clients/sdk-v2.test.ts")("signs in without it, is asked once more, and then passes"),
    ],
  },
  {
    number: 26,
    who: "R",
    level: "MUST",
    rule: "A scope that includes another counts as it.",
    section: "Step-Up Authorization Flow",
    since: "2026-07-28",
    shownBy: [
      mainFlow("alice signs in, calls, and refreshes"),
      testsIn("packages/core/src/scopes/scopes.test.ts")(
        "expand: a scope brings what it includes, once, in the catalog's order",
      ),
    ],
  },
  {
    number: 27,
    who: "R",
    level: "MUST",
    rule: "401 for a missing or bad token, 403 for missing rights, 400 for a malformed request.",
    section: "Error Handling",
    since: "2025-03-26",
    shownBy: [
      testsIn("packages/core/src/verify/create-verifier.test.ts")("door one > %s: 401 with the challenge"),
      door("a missing scope that can be had is named in a challenge"),
      testsIn("packages/gateway/test/bodies.test.ts")("what is no single JSON-RPC message never goes upstream"),
    ],
  },
  {
    number: 28,
    who: "G",
    level: "MUST",
    rule: "A request from a web origin that is not allowed is answered 403.",
    section: "Streamable HTTP, Security",
    since: "2025-03-26",
    shownBy: [
      door("Origin %j gives %i"),
      door("own name and loopback names pass, foreign names do not (DNS rebinding)"),
    ],
  },
  {
    number: 29,
    who: "G",
    level: "MUST",
    rule: "One endpoint takes POST; where a server has no sessions, GET and DELETE are 405 and a session header counts for nothing.",
    section: "Streamable HTTP, Earlier Revisions",
    since: "2026-07-28",
    shownBy: [
      sessions("a revision without sessions ignores the header and sends none upstream"),
      headers("an upstream's own statuses and bodies pass"),
      suiteThroughGateway(
        "with alice's token, all that %s requires holds, and what it lists beyond that",
        "2026-07-28",
      ),
    ],
  },
  {
    number: 30,
    who: "G",
    level: "MUST",
    rule: "The headers that repeat the body are required and compared with it, decoded where they are encoded; a difference is 400 with -32020.",
    section: "Streamable HTTP, Server Validation",
    since: "2026-07-28",
    shownBy: [
      mirrored("a conforming request of 2026-07-28 passes"),
      mirrored("headers and body that differ are refused with -32020"),
      mirrored("headers that were not compared do not go upstream"),
    ],
  },
  {
    number: 31,
    who: "G",
    level: "MUST",
    rule: "An unsupported revision is 400 with -32022, an unknown method 404 with -32601; `server/discover` answers. The gateway leaves these to the server behind it.",
    section: "Protocol Version Header; Versioning",
    since: "2026-07-28",
    shownBy: [
      suiteThroughGateway(
        "with alice's token, all that %s requires holds, and what it lists beyond that",
        "2026-07-28",
      ),
      suiteThroughGateway(
        "leaves it to the server to say that resources/subscribe is gone (was 403 for want of a uri, not 404)",
      ),
      mirrored("what is wrong with the body's own claim is the upstream's to say"),
    ],
  },
  {
    number: 32,
    who: "G",
    level: "MUST",
    rule: "A client that disconnects cancels its request; events are passed on as they come, keep-alive comments too.",
    section: "Streamable HTTP, Cancellation",
    since: "2026-07-28",
    shownBy: [
      streaming("a client that goes away cancels the upstream's work"),
      streaming("head and events come as they are sent, none waits for the next"),
    ],
  },
  {
    number: 33,
    who: "G",
    level: "guidance",
    rule: "`subscriptions/listen` keeps a POST open for as long as the client listens.",
    section: "Subscriptions",
    since: "2026-07-28",
    shownBy: [
      streaming("a response that has begun has no end of time"),
      testsIn("packages/gateway/test/open-responses.test.ts")(
        "and goes on while the answer is the same; one question an interval",
      ),
      testsIn("packages/cli/src/demo/serve-mcp.test.ts")(
        "everything over %s > tells those who listen of a tool that comes and goes",
      ),
    ],
  },
  {
    number: 34,
    who: "G",
    level: "MUST",
    rule: "Results say their type and for how long and for whom they may be cached. The gateway filters no list yet, so it passes on what the server says.",
    section: "Caching",
    since: "2026-07-28",
    shownBy: [
      suiteThroughGateway(
        "with alice's token, all that %s requires holds, and what it lists beyond that",
        "2026-07-28",
      ),
      headers("an upstream's own statuses and bodies pass"),
    ],
  },
  {
    number: 35,
    who: "G",
    level: "MUST",
    rule: "In revisions with sessions an ended or unknown session is 404; a session belongs to its user and proves nothing about who asks.",
    section: "Transports of 2025-11-25; Session Hijacking",
    since: "2025-03-26",
    shownBy: [
      sessions("an invented, changed or bare id is no session, on any method"),
      sessions("an envelope is useless to %s"),
      suiteThroughGateway(
        "with alice's token, all that %s requires holds, and what it lists beyond that",
        "2025-11-25",
      ),
      testsIn("packages/cli/src/demo/serve-mcp.test.ts")("end with DELETE, after which their id is unknown"),
    ],
  },
  {
    number: 36,
    who: "G",
    level: "MUST NOT",
    rule: "Take a handle of state for authentication. Here it is sealed to its user, client and server.",
    section: "State Handle Hijacking",
    since: "2026-07-28",
    shownBy: [
      sessions("an envelope is useless to %s"),
      door("no token: 401 with a challenge before anything else (%s)"),
    ],
  },
];
