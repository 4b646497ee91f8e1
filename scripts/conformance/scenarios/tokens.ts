import { testsIn } from "../evidence.ts";
import { differs, missing, not, type ScenarioFile, shown } from "../scenario.ts";

const metadata = testsIn("test/conformance/metadata.test.ts");
const mainFlow = testsIn("test/main-flow/sign-in.test.ts");
const strictClient = testsIn("test/clients/oauth4webapi.test.ts");
const authentication = testsIn("test/attacks/client-authentication.test.ts");
const refresh = testsIn("test/attacks/refresh.test.ts");
const redirects = testsIn("test/attacks/redirect-uri.test.ts");
const outages = testsIn("test/attacks/outages.test.ts");
const forged = testsIn("test/attacks/forged-tokens.test.ts");
const judge = testsIn("packages/core/src/grants/judge-grant.test.ts");
const lease = testsIn("packages/core/src/grants/renewal-lease.test.ts");
const rotation = testsIn("packages/core/src/grants/rotate-refresh-token.test.ts");
const rotated = testsIn("packages/core/src/grants/rotated-token.test.ts");
const cognito = testsIn("packages/core/src/identity/cognito/cognito-provider.test.ts");
const rootKeys = testsIn("packages/core/src/crypto/root-keys.test.ts");
const accessToken = testsIn("packages/core/src/keys/access-token.test.ts");
const verifier = testsIn("packages/core/src/verify/create-verifier.test.ts");
const settings = testsIn("packages/core/src/config/check.test.ts");
const loading = testsIn("packages/core/src/config/load.test.ts");
const records = testsIn("packages/core/src/records/record-store.test.ts");
const discovery = "discovery > with %s is no fault of the token";

const oneRecord = "a grant is one record; there is no second one whose life could differ.";
const python = "it is about how Python objects are built.";

export const tokenScenarios: readonly ScenarioFile[] = [
  {
    file: "oauth_proxy/test_tokens.py",
    about: "Tokens, their lives, and the identity provider's tokens behind them.",
    scenarios: [
      shown(
        "An answer at the redirect names the issuer.",
        metadata("the answer names the issuer, and its token verifies by jwks_uri"),
      ),
      shown(
        "A stored redirect that has become unsafe is refused.",
        redirects("the client was deleted before completion: no redirect, no code, no grant"),
      ),
      shown(
        "A failed client authentication is `invalid_client`, 401.",
        authentication("Authorization that is malformed, one code for every attempt > %s: 401"),
        authentication("how a client says who it is > %s", "a wrong secret"),
      ),
      shown(
        "`unauthorized_client` stays what it is.",
        refresh("a client that did not register for refresh tokens gets none"),
      ),
      differs(
        "`invalid_grant` is answered 401.",
        "400, as RFC 6749 §5.2 has it; clients sign in again all the same.",
        strictClient("reads the token endpoint's errors"),
        testsIn("test/clients/sdk-v1.test.ts")("renews its token by itself when it has run out, without a browser"),
      ),
      differs(
        "The life of access tokens is the identity provider's, a fallback, or a setting (8 cases).",
        "always the setting's: a grant ends with Cognito's word whatever its tokens say.",
        mainFlow("alice signs in, calls, and refreshes"),
        judge("a sign-in for which Cognito gave no refresh token ends when its word has run out"),
      ),
      differs(
        "The life of refresh tokens falls back to a year, and 0 means the default (6 cases).",
        "30 days without use, and never past Cognito's own.",
        rotation("ends where it is not used for 30 days; a use begins them anew"),
        rotation("never outlives Cognito's own"),
      ),
      not("The records of a token live as long as the longest of its tokens (5 cases).", oneRecord),
      shown(
        "Near the end of the identity provider's tokens they are renewed, before a request has to wait (6 cases).",
        judge("with a random %d it is due at %d of the maximum age"),
        judge("in the background it holds up no request, and the next reading sees what it brought"),
        judge("once the age has run out the request waits, and sees the groups of now"),
      ),
      shown(
        "What a renewal brings is stored, before anything else.",
        rotated("a token that Cognito rotated is not lost to an outage of what is asked after it, however long"),
        cognito("keeps the refresh token that was sent unless there is a new one; a nonce is not needed"),
      ),
      shown(
        "A renewal that is refused ends the access.",
        judge("a user who was disabled loses access, %s"),
        outages("Cognito refusing is no outage: it ends the grant"),
      ),
      shown(
        "Who lost a race reads again what another worker stored.",
        lease("and whom Cognito then refuses does not end the grant"),
        lease("of two replicas one asks Cognito, the other waits and sees the answer"),
      ),
      differs(
        "Locks for renewal are per process and bounded.",
        "the lock is a lease in the store, so that it holds between processes.",
        testsIn("test/grants/two-processes.test.ts")(
          "ten parallel refreshes of one token from two processes: one call to Cognito, one successor",
        ),
      ),
      differs(
        "Claims of the identity provider are copied into the token.",
        "they are given to the tool with the principal, and stand in no token.",
        verifier("is checked without a promise, and its signature once"),
      ),
      shown(
        "An unknown refresh token is refused, and that is on record.",
        refresh("a code, an access token, and nonsense as refresh token"),
      ),
      not("The HTTP client for the callback is closed.", python),
    ],
  },
  {
    file: "test_jwt_issuer.py",
    about: "The tokens that clients get.",
    scenarios: [
      shown(
        "Keys are derived from the secret: the same each time, another for each use and secret.",
        rootKeys("each use has a key of its own, the same at every start"),
        rootKeys("a keyed hash differs by key, label and value, and names its key"),
      ),
      differs(
        "Tokens are signed with a shared key (HS256).",
        "ES256, so that any server can check them with the published key.",
        accessToken("verifies here and by any JOSE library with the published key"),
      ),
      differs(
        "An access token says nothing about the user, unless claims are copied.",
        "it has the subject, as RFC 9068 asks, and nothing else of Cognito's.",
        testsIn("test/secrets-in-logs/secrets-in-logs.test.ts")(
          "not into answers, headers and bodies, where it does not belong",
        ),
      ),
      shown(
        "A token by another key, expired, or of another issuer or audience is refused.",
        forged("a foreign key with %s"),
        verifier("door one > refuses %s"),
      ),
      shown("A malformed token is refused.", accessToken("with %s is refused as %s")),
      shown(
        "A refresh token is no access token, and the other way round.",
        refresh("a refresh token and a code as access token"),
        refresh("a code, an access token, and nonsense as refresh token"),
      ),
    ],
  },
  {
    file: "test_issuer_url_identity.py",
    about: "An issuer that is not the base URL.",
    scenarios: [
      shown(
        "Metadata, tokens and `iss` name the issuer, the endpoints stay below the base URL (10 cases).",
        metadata("the document is the issuer's own, and the OpenID alias says the same"),
        metadata("the answer names the issuer, and its token verifies by jwks_uri"),
        metadata("every endpoint that is named answers, and none that is not"),
      ),
      shown(
        "Left out, the issuer is that of the base URL.",
        metadata("the document is the issuer's own, and the OpenID alias says the same"),
      ),
      missing("The audience of an identity assertion is the issuer.", "identity assertions are not accepted yet."),
    ],
  },
  {
    file: "test_oauth_mounting.py",
    about: "A provider below a path of another app.",
    scenarios: [
      shown(
        "The well-known documents of an issuer with a path are where RFC 8414 and OpenID Connect put them (8 cases).",
        metadata("the document is the issuer's own, and the OpenID alias says the same"),
      ),
      shown(
        "So are those of a resource below a path.",
        testsIn("packages/core/src/verify/resource-catalog.test.ts")(
          "below a path, the metadata's well-known part goes between host and path (RFC 9728 §3.1)",
        ),
        testsIn("packages/cli/test/serve/start-server.test.ts")(
          "both a resource of its own and each server have their metadata",
        ),
      ),
      shown("An issuer with a path is warned of.", settings("warn of %s", "an issuer with a path")),
    ],
  },
  {
    file: "oauth_proxy/test_oauth_proxy_storage.py",
    about: "Clients in the store.",
    scenarios: [
      shown(
        "A client survives a restart.",
        testsIn("test/cli/dev.test.ts")(
          "tokens survive a restart, and a description that a killed run left behind does not",
        ),
        testsIn("test/grants/killed.test.ts")(
          "after the code was given, and after its redemption: the client goes on with what it has",
        ),
      ),
      shown("An unknown one is nobody.", authentication("a client that is %s: 401", "unknown")),
      shown(
        "The store may be in memory.",
        testsIn("packages/core/src/store/open.test.ts")("memory: is a store of its own each time"),
      ),
      differs(
        "Records are structured values, in the clear unless the store is wrapped.",
        "what is secret in them is sealed before it reaches any store.",
        records("a grant comes back as it was, and neither its handle nor anything of the user is readable"),
        records("a sealed field or data key of another record"),
      ),
    ],
  },
  {
    file: "test_oidc_proxy.py, test_oidc_proxy_token.py",
    about: "A provider that is set up from an OpenID discovery document.",
    scenarios: [
      shown(
        "A document without what is needed, or for another issuer, is refused.",
        cognito(discovery, "no issuer"),
        cognito(discovery, "another pool"),
      ),
      not(
        "A lenient mode for documents that are not to the letter, and other providers' documents.",
        "the one document is Cognito's; other OpenID providers come later.",
      ),
      differs(
        "Discovery happens once, with a time limit, when the provider is built.",
        "when it is first needed, so that an outage keeps no server from starting.",
        cognito("nothing is asked at start, and discovery and keys are asked once for many"),
        cognito("%s within the time limit is unavailable"),
      ),
      shown("Settings that are needed are asked for by name.", loading("is named setting by setting, with the mend")),
      shown(
        "Further parameters can be sent.",
        testsIn("packages/core/src/identity/cognito/endpoints.test.ts")("has what is configured and asked for"),
      ),
      differs(
        "The ID token can be verified instead of the access token (12 cases).",
        "both are verified, at sign-in and at each renewal, and must be of one user.",
        cognito("ID token with %s"),
        cognito("access token with %s"),
        cognito("with another subject in both tokens is an invalid response"),
      ),
    ],
  },
];
