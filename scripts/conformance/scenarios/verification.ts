import { testsIn } from "../evidence.ts";
import { differs, missing, not, type ScenarioFile, shown } from "../scenario.ts";

const metadata = testsIn("test/conformance/metadata.test.ts");
const forged = testsIn("test/attacks/forged-tokens.test.ts");
const audience = testsIn("test/attacks/audience.test.ts");
const providerTokens = testsIn("test/attacks/provider-tokens.test.ts");
const accessToken = testsIn("packages/core/src/keys/access-token.test.ts");
const verifier = testsIn("packages/core/src/verify/create-verifier.test.ts");
const resources = testsIn("packages/core/src/verify/resource-catalog.test.ts");
const cognito = testsIn("packages/core/src/identity/cognito/cognito-provider.test.ts");
const door = testsIn("packages/gateway/test/at-the-door.test.ts");
const decide = testsIn("packages/gateway/test/decide.test.ts");
const strictClient = testsIn("test/clients/oauth4webapi.test.ts");
const afterIssue = testsIn("test/attacks/after-issue.test.ts");
const introspect = testsIn("test/introspection/introspect.test.ts");
const scopes = testsIn("packages/core/src/scopes/scopes.test.ts");
const stepUp = testsIn("test/main-flow/step-up.test.ts");

const ownTokens = "the tokens are Sallyport's own, of one form.";
const perTool = "Sallyport decides for a whole server so far; rules for single tools come later.";

export const verificationScenarios: readonly ScenarioFile[] = [
  {
    file: "test_jwt_provider.py, test_jwt_provider_bearer.py",
    about: "Bearer tokens that are checked by their signature.",
    scenarios: [
      shown(
        "A critical header that is not understood is refused.",
        accessToken("with %s is refused as %s", "crit"),
        forged("a foreign key with %s", "an unknown critical header"),
      ),
      not(
        "Shared secrets and other algorithms as a choice (12 cases).",
        "tokens are signed with ES256, and nothing else is accepted.",
      ),
      shown(
        "A shared-secret signature by a public key is refused.",
        forged("HS256 keyed with our public key, in every spelling of it (attacks §4 Hono CVE-2026-22817)"),
      ),
      shown(
        "Another signature, algorithm, issuer or audience, or an end that has passed, is refused.",
        forged("with our kid, %s"),
        verifier("door one > refuses %s"),
      ),
      shown(
        "Keys are found by their id, also new ones; keys that cannot be used do no harm (9 cases).",
        cognito("a new key is found as soon as a token names it"),
        cognito("a token that names no key is refused, even where there is one key only"),
        verifier("a token of an unknown key > is verified after the keyring was read again"),
      ),
      not("A list of issuers or audiences, and `scp` beside `scope` (11 cases).", ownTokens),
      shown("An audience in a list is refused.", forged("signed by our own key, with %s", "a list with ours alone")),
      shown(
        "Subject and client are handed to the tool.",
        verifier("is checked without a promise, and its signature once"),
      ),
      shown(
        "Over HTTP: 401 without a token or with a bad one, 403 with too little, 200 with enough.",
        audience("how a token is presented > %s"),
        door("a missing scope that can be had is named in a challenge"),
        strictClient("uses its token at the resource, and reads the challenge where it has none"),
      ),
      not("`scopes_supported` falls back to the required ones.", "every resource lists its own scopes."),
    ],
  },
  {
    file: "test_multi_auth.py",
    about: "Several sources of tokens beside each other.",
    scenarios: [
      shown(
        "A token of the second source is accepted as well.",
        verifier(
          "an access token that Cognito issued to a machine > passes door one alone, with the scopes that are mapped to the resource",
        ),
        providerTokens("a configured machine's access token: accepted where its scope is mapped (control)"),
      ),
      differs(
        "A source that fails is skipped.",
        "a source that cannot be asked is 503: a good token is never called bad.",
        verifier("that cannot be verified (%s): %i", "unavailable"),
      ),
      shown("A token of no source is refused.", audience("how a token is presented > %s")),
      not(
        "Any number of sources, in an order, with settings that one inherits from another (30 cases).",
        "there are two: Sallyport's own tokens and Cognito's.",
      ),
    ],
  },
  {
    file: "test_remote_auth_provider.py, test_auth_provider.py",
    about: "A resource server and its metadata.",
    scenarios: [
      shown("The challenge points to the metadata.", door("no token: 401 with a challenge before anything else (%s)")),
      shown(
        "The metadata name resource and authorization server, wherever the resource lies (12 cases).",
        strictClient("finds the protected resource metadata of %s"),
        resources("below a path, the metadata's well-known part goes between host and path (RFC 9728 §3.1)"),
        resources("a resource at the root of the origin"),
      ),
      shown(
        "Supported scopes are listed.",
        metadata("every scope that is named can be asked for, by the server's and by the resource's metadata"),
      ),
      shown(
        "A valid token passes, a bad one does not.",
        strictClient("uses its token at the resource, and reads the challenge where it has none"),
      ),
      not("Several authorization servers, and a page of documentation.", "the one authorization server is Sallyport."),
      not("Positional arguments keep their places.", "settings have names."),
    ],
  },
  {
    file: "providers/test_introspection.py",
    about: "Introspection, asked by a resource server. Sallyport is the one that answers.",
    scenarios: [
      shown(
        "An active token with its scopes, client and subject.",
        introspect("tells a resource server what it may know of a token for it"),
      ),
      shown(
        "Authentication by Basic and in the form.",
        introspect("a server that is several resources; both secrets while they are changed; by Basic and in the form"),
      ),
      shown("Scopes that are not given any more do not count.", introspect("scope is what counts now; %s")),
      shown(
        "Inactive tokens, and whatever is no token, are just not active.",
        afterIssue("introspection says nothing more than that a token is not active > %s"),
      ),
      shown("Who may not ask is refused.", afterIssue("who may introspect > %s: refused, token or no token")),
      differs(
        "A failure of the server is a refusal of the token.",
        "it is 503, so that nobody takes an outage for a bad token.",
        afterIssue("an outage is 503, never “not active”"),
      ),
      missing(
        "The caller's cache: off, bounded, by hashed keys, never for failures (15 cases).",
        "a resource server's side, which asks by introspection, comes later.",
      ),
      not("`client_id` falls back to the subject.", "both are always there."),
    ],
  },
  {
    file: "server/test_authorization.py",
    about: "Rules for tools, resources and prompts.",
    scenarios: [
      shown(
        "Required scopes: all there, some, none, and no token.",
        decide("without rules each server goes by its required scopes > %s"),
        door("R2, R6: no scope at all is refused even where the server requires none, without a challenge"),
      ),
      shown(
        "Missing rights are 403, a missing token is 401.",
        door("a missing scope that can be had is named in a challenge"),
        door("no token: 401 with a challenge before anything else (%s)"),
      ),
      shown(
        "A challenge names all missing scopes and those that are granted already.",
        stepUp("alice with a narrow token: one challenge with all that the next token needs, and with that it works"),
      ),
      shown(
        "There is no challenge where a new sign-in would not help.",
        stepUp("bob, whose groups do not give it: refused without a challenge"),
        stepUp("a machine cannot sign in again: refused without a challenge"),
      ),
      shown(
        "Groups of the user decide; absent or unknown ones give nothing (14 cases).",
        scopes("what groups give > %j → %j"),
        cognito("ID token with %s", "groups that are no list"),
      ),
      missing(
        "Scopes and roles for single tools, resources, templates and prompts; lists without what is not allowed (45 cases).",
        perTool,
      ),
      not("Rules as Python functions, their combination, and errors in them (12 cases).", "rules are settings."),
    ],
  },
];
