import { testsIn } from "../evidence.ts";
import { differs, missing, not, type ScenarioFile, shown } from "../scenario.ts";

const registration = testsIn("packages/core/src/clients/registration-request.test.ts");
const registrationSettings = testsIn("packages/core/src/clients/registration-settings.test.ts");
const documentAttacks = testsIn("test/attacks/metadata-documents.test.ts");
const documents = testsIn("test/clients/metadata-documents.test.ts");
const parsed = testsIn("packages/core/src/clients/metadata-document/parse-document.test.ts");
const kept = testsIn("packages/core/src/clients/metadata-document/metadata-documents.test.ts");
const fresh = testsIn("packages/core/src/clients/metadata-document/freshness.test.ts");
const idUrl = testsIn("packages/core/src/clients/metadata-document/client-id-url.test.ts");
const guarded = testsIn("packages/core/src/net/guarded-fetch-over-tls.test.ts");
const address = testsIn("packages/core/src/net/public-address.test.ts");
const redirectUri = testsIn("packages/core/src/clients/redirect-uri.test.ts");
const matching = testsIn("packages/core/src/clients/validated-redirect.test.ts");
const assertion = testsIn("packages/core/src/clients/client-assertion.test.ts");
const assertionKeys = testsIn("packages/core/src/clients/assertion-keys.test.ts");
const redirects = testsIn("test/attacks/redirect-uri.test.ts");
const authentication = testsIn("test/attacks/client-authentication.test.ts");
const strictClient = testsIn("test/clients/oauth4webapi.test.ts");
const metadata = testsIn("test/conformance/metadata.test.ts");

const inDocument = "refused, naming the member > %s";
const noPatterns = "redirect URIs are matched as they are registered; there are no patterns.";
const refusedFor = "redirect URIs that are refused, each for its own rule > %s: %j";
const usedBy = "redirect URIs that clients use are registered unchanged > %s: %s";
const registered = "redirects that are refused > %s";
const presented = "matching a presented redirect URI > %s: %s ← %s";

export const clientScenarios: readonly ScenarioFile[] = [
  {
    file: "oauth_proxy/test_client_registration.py",
    about: "Dynamic registration, and what is made of a client id.",
    scenarios: [
      shown(
        "A registered client is kept and found again; an unknown id is nobody.",
        strictClient("registers with %s, signs in, validates the token and renews it"),
        authentication("a client that is %s: 401", "unknown"),
      ),
      shown("An https callback of another host is accepted.", redirectUri(usedBy, "Claude")),
      shown(
        "The scheme javascript and its like are refused for every type of client.",
        redirects("at /register, %s: refused", "javascript:"),
        redirectUri(refusedFor, "attacks §1 javascript"),
      ),
      differs(
        "A registration without redirects is accepted for native clients.",
        "it is refused: what has no redirect cannot sign anyone in.",
        registration(registered, "missing"),
      ),
      shown(
        "At the authorization endpoint what is registered is accepted and everything else refused.",
        redirects("at /authorize, %s: allowed, and errors go there"),
        redirects("at /authorize, %s: a page and no redirect"),
      ),
      differs(
        "A list of patterns bounds the redirects of registered clients; an empty one allows none.",
        "the list is of hosts, for https redirects.",
        registrationSettings("redirect_hosts > %s"),
        registrationSettings("one that is not allowed is refused among those that are"),
      ),
      shown(
        "The configured default scopes are those of a client that registers none.",
        registrationSettings("allowed_scopes and default_scopes > %s"),
      ),
      differs(
        "Whatever method a client asks for, it is registered as public (3 cases).",
        "it is registered as it asked, and the answer says so.",
        registration("attacks §4 FM: %s is registered as asked"),
      ),
      differs(
        "The type of application is native unless it is given.",
        "left out it is neither, as clients with redirects of both kinds leave it out.",
        registration("without application_type a client is not taken for a web client"),
      ),
      shown(
        "A loopback address beside 127.0.0.1 is registered, and used with another port.",
        redirectUri(usedBy, "loopback, whole 127/8"),
        matching("every port of a loopback redirect matches"),
      ),
      shown(
        "A web client may not have loopback redirects or schemes of its own; https is fine.",
        registration(registered, "web on loopback"),
        registration(registered, "web with a scheme"),
        redirectUri(usedBy, "ChatGPT"),
      ),
      differs(
        "Who presents the identity provider's own client id is a client with any redirect.",
        "that id is nobody here: it is public, and anyone could come with it.",
        authentication("a client that is %s: 401", "the app client at Cognito"),
      ),
      not("Clients without any bound on redirects, and patterns for them.", noPatterns),
    ],
  },
  {
    file: "oauth_proxy/test_oauth_proxy_redirect_validation.py",
    about: "Redirect URIs of each type of client, at registration and at the authorization endpoint.",
    scenarios: [
      shown("A loopback redirect matches with any port.", matching("every port of a loopback redirect matches")),
      shown(
        "Any other redirect matches exactly.",
        matching("any single change of a registered redirect, but for a loopback port, no longer matches"),
      ),
      not("Patterns, alone and beside the default; none; an empty list (10 cases).", noPatterns),
      shown(
        "A stored redirect with an unsafe scheme is refused when it is used.",
        matching(presented, "a configured javascript: redirect"),
      ),
      shown(
        "Schemes that are never allowed, for both types (8 cases).",
        redirectUri(refusedFor),
        redirectUri("a dangerous scheme stays refused when it is configured"),
      ),
      shown(
        "The loopback range 127/8 and ::1 count as loopback (12 cases).",
        redirectUri(usedBy, "loopback, whole 127/8"),
        redirectUri(usedBy, "RFC 8252 §7.3"),
      ),
      differs(
        "So do names below localhost, and spellings with capitals or a dot at the end.",
        "they are refused, as not every resolver keeps them on the machine.",
        redirectUri(refusedFor, "attacks §1 localhost subdomain"),
        redirectUri(refusedFor, "host with a trailing dot"),
        redirectUri(refusedFor, "host in capitals"),
      ),
      shown(
        "Hosts that only look like loopback are not (8 cases).",
        redirectUri(refusedFor, "localhost as a prefix"),
        redirectUri(refusedFor, "127 as a prefix"),
      ),
      shown("A web client keeps to https beyond loopback (17 cases).", registration(registered, "web on loopback")),
      shown(
        "A native client may have loopback, https and schemes of its own (23 cases).",
        registration("VS Code: native, with https and loopback redirects together"),
        redirectUri(usedBy, "Cursor"),
      ),
      shown(
        "A native client may not have http beyond loopback (4 cases).",
        registration(registered, "native over http"),
      ),
    ],
  },
  {
    file: "test_redirect_validation.py",
    about: "The functions behind it.",
    scenarios: [
      shown(
        "An answer is added to a redirect without a change to any other byte.",
        matching("appending an answer to a redirect > %s keeps every byte"),
        matching("values come back as they were, whatever is in them"),
      ),
      shown(
        "`iss` is there once; a redirect that brings it along is refused.",
        redirectUri(refusedFor, "our parameter in the query"),
        strictClient("reads a denial with its issuer and state"),
      ),
      not("Patterns with wildcards for port, path and host (16 cases).", noPatterns),
      shown("A pattern as a redirect is refused.", redirectUri(refusedFor, "attacks §1 wildcard across /")),
      shown(
        "User names in front of the host do not pass for the host.",
        redirectUri(refusedFor, "attacks §4 FM 4.16.8 localhost:x@evil"),
        redirects("at /authorize, %s: a page and no redirect", "our host as userinfo of another"),
      ),
      shown(
        "Dot segments, plain, encoded and mixed, are refused; dots in names are not.",
        redirectUri(refusedFor, "attacks §1 %2e"),
        redirectUri(refusedFor, "dot segment at the end"),
      ),
      shown(
        "A loopback redirect without a port matches any; scheme, host and path still count.",
        matching(presented, "registered without port"),
        matching(presented, "loopback, other path"),
        matching(presented, "localhost is not 127.0.0.1"),
      ),
      differs(
        "A loopback redirect that is registered with a port matches that port alone.",
        "it matches any, as RFC 8252 §7.3 asks.",
        matching(presented, "RFC 8252 §7.3 other port"),
      ),
      shown(
        "An https redirect without a port means the default port.",
        matching(presented, "https takes no other port"),
      ),
    ],
  },
  {
    file: "test_cimd.py",
    about: "Client-id metadata documents: their content, and how they are fetched and kept.",
    scenarios: [
      shown(
        "The least document, and a full one.",
        parsed("the least there must be; what is left out is what it can use"),
        parsed("documents as they are published"),
      ),
      shown("`private_key_jwt` is a method for it.", parsed("methods > %s", "private_key_jwt by keys in it")),
      shown(
        "Methods with a shared secret are refused (3 cases).",
        parsed(inDocument, "a secret's method"),
        parsed(inDocument, "a shared key's method"),
      ),
      shown(
        "Redirects that are missing, empty or no full address are refused (5 cases).",
        parsed(inDocument, "redirect_uris missing"),
        parsed(inDocument, "redirect_uris empty"),
        parsed(inDocument, "one bad among good ones"),
      ),
      shown(
        "Which client ids are addresses of documents: https, with a path.",
        idUrl("which ids mean a document > %s: %s"),
        idUrl("draft-ietf-oauth-client-id-metadata-document §3, on the text itself > %s: %s", "no path but /"),
      ),
      shown(
        "Its redirects match exactly, on loopback with any port.",
        documents("signs in, calls a tool and refreshes > %s at %s", "claude-code"),
        redirects("at /authorize, %s: a page and no redirect"),
      ),
      differs(
        "Its redirects may be patterns.",
        "a document with one is refused.",
        parsed(inDocument, "attacks §4 wildcard"),
      ),
      shown(
        "A document is fetched, and kept as long as its headers say.",
        fresh("how long an answer may be used (RFC 9111 §4.2) > %s"),
        kept("a document is asked for once"),
      ),
      shown(
        "It is asked for again by ETag or date, and a 304 renews it (4 cases).",
        fresh("asking whether it still stands (RFC 9110 §13.1) > %s"),
        fresh("304: what it leaves out stands, what it says anew counts (RFC 9111 §4.3.4)"),
        kept("its host is asked whether it still stands; 304 renews it"),
      ),
      differs(
        "`no-store` and `no-cache` are obeyed to the letter.",
        "each document is kept for a minute, so that nobody can have us fetch at every request.",
        fresh("how long an answer may be used (RFC 9111 §4.2) > %s", "no-store"),
        kept("also where its host forbids to keep it: for a minute"),
      ),
      shown("Another `client_id` than the address is refused.", parsed(inDocument, "attacks §1 client_id of another")),
      shown(
        "An error of the host, no JSON, or no document is refused.",
        kept("answers that are no document > %s"),
        parsed("attacks §1 not a JSON object: %s"),
      ),
    ],
  },
  {
    file: "test_cimd_validators.py",
    about: "Assertions by the keys of a document, and clients made of documents.",
    scenarios: [
      shown(
        "An assertion by a key of the document, inside it or published beside it, authenticates.",
        assertion("an assertion that is right > signed with %s, with and without kid"),
        assertionKeys("are fetched once for many, and again when they are old"),
      ),
      shown(
        "Another issuer, audience or subject is refused.",
        assertion("an assertion that is wrong > %s", "another issuer than subject"),
        metadata("a client authenticates by %s where that is named, and nowhere else"),
      ),
      shown(
        "Without `jti`, used before, or expired it is refused.",
        assertion("also of two at once, and as long as it could be valid"),
        assertion("its jti in another assertion does not count again; another client's same one does"),
      ),
      shown(
        "Where it is off, an address is nobody's id.",
        metadata("a client is known by the URL of its metadata document where that is named, and nowhere else"),
      ),
      shown(
        "A document that cannot be fetched makes no client.",
        kept("answers that are no document > %s", "no connection"),
      ),
      differs(
        "The scope of the document, else the configured one, is the client's.",
        "a document's scope bounds nothing: groups and resource do.",
        parsed("no member gives a client more than it may have"),
      ),
      shown(
        "A client with the wrong method, or without the document's keys, does not authenticate.",
        documents("a client that only signs cannot come without a signature"),
        kept("at the other endpoints it is failed authentication"),
      ),
      differs(
        "Its redirects must be in the document and match the server's patterns.",
        "in the document, by the rules for every redirect; the server's list is of the hosts of documents.",
        parsed(inDocument, "attacks §1 javascript:"),
        kept("trust policy > %s"),
      ),
    ],
  },
  {
    file: "test_ssrf_protection.py",
    about: "Requests to addresses that a client names.",
    scenarios: [
      shown(
        "Public addresses are asked; private, loopback, link-local and shared ones are not.",
        address("public addresses"),
        address("its first and its last address are refused, and say why"),
        guarded("addresses > %s is not asked"),
      ),
      shown(
        "Nor are addresses that carry such a one inside (17 cases).",
        address("addresses that carry an IPv4 address > %s: %s"),
      ),
      differs(
        "Some forms that carry a public address are allowed (4 cases).",
        "mapped, NAT64 and ISATAP are; 6to4, Teredo and compatible addresses never, as no client needs them.",
        address("addresses that carry an IPv4 address > %s: %s", "NAT64, public"),
        address("addresses that carry an IPv4 address > %s: %s", "6to4, whatever it carries"),
      ),
      shown(
        "http, no host, and an address without a path are refused.",
        guarded("URLs that are not asked, and not even resolved > %s"),
        idUrl("draft-ietf-oauth-client-id-metadata-document §3, on the text itself > %s: %s", "http"),
      ),
      shown(
        "The connection goes to the address that was checked, with the name kept.",
        guarded("rebinding: the name is resolved once, and the connection goes to that very answer"),
        guarded(
          "an answer comes back whole; the request names host and media type, and asks for no coding and no reuse",
        ),
      ),
      shown(
        "Where one address does not answer the next is tried.",
        guarded("the next address is tried where one refuses, and where one is silent"),
      ),
      shown(
        "An answer is bounded, whatever it says of its length.",
        guarded("answers > %s: %s", "one byte longer, as it says itself"),
      ),
      shown(
        "Redirects are not followed, and there is one limit of time for all.",
        guarded("a redirect is an answer, and not followed"),
        guarded("one deadline over everything: %s"),
      ),
      shown(
        "Published keys are fetched with the same guard (3 cases).",
        documentAttacks("the keys of a document are fetched under the same guard"),
      ),
      shown("A proxy that the environment names is not used.", guarded("no proxy > of the environment is used")),
      missing(
        "A proxy for outgoing requests (14 cases).",
        "documents and keys are fetched directly; there is no setting for a proxy.",
      ),
    ],
  },
];
