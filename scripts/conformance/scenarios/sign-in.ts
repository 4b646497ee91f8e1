import { testsIn } from "../evidence.ts";
import { differs, not, type ScenarioFile, shown } from "../scenario.ts";

const mainFlow = testsIn("test/main-flow/sign-in.test.ts");
const metadata = testsIn("test/conformance/metadata.test.ts");
const limits = testsIn("test/attacks/limits.test.ts");
const pkce = testsIn("test/attacks/pkce.test.ts");
const audience = testsIn("test/attacks/audience.test.ts");
const redirects = testsIn("test/attacks/redirect-uri.test.ts");
const binding = testsIn("test/attacks/browser-binding.test.ts");
const pageAttacks = testsIn("test/attacks/pages.test.ts");
const scopes = testsIn("packages/core/src/scopes/scopes.test.ts");
const resources = testsIn("packages/core/src/verify/resource-catalog.test.ts");
const settings = testsIn("packages/core/src/config/check.test.ts");
const loading = testsIn("packages/core/src/config/load.test.ts");
const cognitoOptions = testsIn("packages/core/src/identity/cognito/endpoints.test.ts");
const cognito = testsIn("packages/core/src/identity/cognito/cognito-provider.test.ts");
const emulator = testsIn("test/identity/cognito-emulator.test.ts");
const validated = testsIn("packages/core/src/clients/validated-redirect.test.ts");
const pages = testsIn("packages/core/src/pages/pages.test.ts");

const noSwitch = "PKCE towards the identity provider cannot be switched off.";
const python = "it is about how Python objects are built.";

export const signInScenarios: readonly ScenarioFile[] = [
  {
    file: "oauth_proxy/test_authorization.py",
    about: "What the authorization endpoint makes of a request.",
    scenarios: [
      differs(
        "A request is stored as a transaction, and the browser is sent to the consent page.",
        "the answer is the page itself, and nothing is stored before a user approves.",
        limits("no question to Cognito and no write for a request that nobody approved"),
        mainFlow("alice signs in, calls, and refreshes"),
      ),
      shown("A request without scopes gets the configured default.", scopes("what a client asks for > %j at %s: %j")),
      shown(
        "A request for fewer scopes is never widened.",
        testsIn("packages/core/test/properties/scopes.test.ts")(
          "what is granted lies inside the request, the client's bound, the groups and the resource",
        ),
      ),
      shown(
        "Towards the identity provider there is a PKCE pair of its own, another than the client's.",
        pkce("towards Cognito: challenge at /oauth2/authorize, its own verifier at /oauth2/token"),
      ),
      not("With PKCE switched off none is sent.", noSwitch),
      shown(
        "Further parameters of the authorization request reach the identity provider.",
        cognitoOptions("has what is configured and asked for"),
        cognito("the authorization request > %j gives %j"),
      ),
    ],
  },
  {
    file: "oauth_proxy/test_config.py",
    about: "The resource that a client names, and the URLs that are made of the settings.",
    scenarios: [
      shown("Spellings of a resource that mean the same (11 cases).", resources("%s makes no difference")),
      shown(
        "A resource that is none of ours, another path included, is refused.",
        audience("resource %s is none of ours"),
        resources("%s: none is meant"),
      ),
      shown("A matching one, or one with a query, is accepted.", resources("%s makes no difference", "a query")),
      differs(
        "A request without a resource is accepted.",
        "if it is clear which one is meant: the only one, or the configured default.",
        resources("its default is the configured one, else the only one"),
      ),
      not(
        "A server whose own URL has a query needs the exact one (5 cases).",
        "the path of a resource has no query here; settings with one are refused.",
      ),
      shown(
        "Tokens name issuer and resource as configured, where either has a path.",
        metadata("the answer names the issuer, and its token verifies by jwks_uri"),
        resources("below a path, the metadata's well-known part goes between host and path (RFC 9728 §3.1)"),
      ),
      not("A base URL of its own for resources.", "resources lie below `base_url`."),
      not("The issuer cannot be read before the provider is set up.", python),
    ],
  },
  {
    file: "oauth_proxy/test_e2e.py",
    about: "The whole flow against an identity provider.",
    scenarios: [
      shown("Sign-in from the first request to a tool call.", mainFlow("alice signs in, calls, and refreshes")),
      shown("A refresh reaches the identity provider.", emulator("a %s app client > signs in, renews and revokes")),
      shown(
        "The identity provider checks the PKCE verifier.",
        emulator("a code is good once, with its own verifier and nonce"),
      ),
    ],
  },
  {
    file: "oauth_proxy/test_oauth_proxy.py",
    about: "The provider as a whole.",
    scenarios: [
      shown(
        "It starts from the fewest settings, and from all of them.",
        settings("parseCoreConfig > fills in defaults and units"),
        testsIn("test/docs/readme-library.test.ts")(
          "the README's library code signs a user in and knows who calls its tool",
        ),
      ),
      not(
        "The default scopes can be changed while it runs, and reach every part of it.",
        "settings are read at start; a change is a restart.",
      ),
      differs(
        "A redirect path without a slash gets one.",
        "the callback path is fixed, and another one in FastMCP's variables is refused.",
        loading("FastMCP's variables > refuse another callback path"),
      ),
      differs(
        "The metadata advertise public clients only.",
        "they name every method that some client can use, and no other.",
        metadata("a client authenticates by %s where that is named, and nowhere else"),
      ),
      shown(
        "The metadata advertise the `iss` parameter.",
        metadata("the answer names the issuer, and its token verifies by jwks_uri"),
      ),
      shown(
        "An app client without a secret works, with a signing key of its own.",
        emulator("a %s app client > signs in, renews and revokes"),
        testsIn("test/cli/serve.test.ts")("does not start with %s", "no root secret"),
      ),
      shown(
        "An error of the identity provider is sent on to the client.",
        pageAttacks("error=%s: a redirect in our own words (attacks §3, §4 FM)"),
      ),
      shown(
        "`iss` stands in an answer once, whatever the redirect URI holds.",
        validated("appending an answer to a redirect > %s keeps every byte"),
        testsIn("packages/core/src/clients/redirect-uri.test.ts")(
          "redirect URIs that are refused, each for its own rule > %s: %j",
          "our parameter in the query",
        ),
      ),
      shown(
        "A stored redirect that is no longer good ends at a page of ours.",
        redirects("the client was deleted before completion: no redirect, no code, no grant"),
        redirects(
          "the configuration names another redirect by now > at completion: no redirect, and the sign-in is used up",
        ),
      ),
      shown("An unknown transaction ends at a page of ours.", binding("forged state, %s")),
      shown(
        "The token endpoint of the metadata is the one that assertions may name.",
        testsIn("packages/core/src/clients/client-assertion.test.ts")(
          "an assertion that is right > %s",
          "for the token endpoint",
        ),
        metadata("every endpoint that is named answers, and none that is not"),
      ),
    ],
  },
  {
    file: "oauth_proxy/test_upstream_client.py",
    about: "The requests to the identity provider's token endpoint.",
    scenarios: [
      shown(
        "The app client's secret is sent by Basic where there is one; a public one sends its id alone.",
        cognito("redeems the code with PKCE and the client's secret, and builds the identity from both tokens"),
        cognito("a public app client sends its id and no secret"),
      ),
      not(
        "The secret in the form instead, or an unknown method.",
        "Cognito takes Basic, and nothing has to be chosen.",
      ),
      shown(
        "The code is exchanged with what belongs to it, and the end of the tokens is worked out.",
        cognito("redeems the code with PKCE and the client's secret, and builds the identity from both tokens"),
      ),
      shown("OAuth errors and server errors are told apart.", cognito("what the token endpoint answers > %s")),
      shown(
        "A refresh that answers no new refresh token keeps the one that was sent.",
        cognito("keeps the refresh token that was sent unless there is a new one; a nonce is not needed"),
        emulator("a rotated refresh token takes the place of the one that was sent"),
      ),
    ],
  },
  {
    file: "oauth_proxy/test_ui.py",
    about: "Error pages.",
    scenarios: [
      shown(
        "A page says what happened, with details.",
        pages("the error page > %s tells what happened and what to do"),
      ),
      shown(
        "What it shows is escaped.",
        pages("error page: %s"),
        pageAttacks("HTML in %s: the error page does not repeat it"),
      ),
      shown("A failed callback answers a page.", binding("forged state, %s")),
      shown("The client's name is escaped on the consent page.", pageAttacks("HTML in client_name is text")),
    ],
  },
  {
    file: "providers/test_aws.py",
    about: "The Cognito provider. FastMCP verifies no token in this file.",
    scenarios: [
      shown("It starts with its parameters.", settings("parseCoreConfig > fills in defaults and units")),
      differs(
        "Defaults: scope openid, a callback path, the region eu-central-1.",
        "the region is read from the pool's id, and there is no default for it.",
        cognitoOptions("discovery is asked at > %s", "the pool's region"),
        loading("FastMCP's variables > refuse another region than the pool's"),
      ),
      shown(
        "Issuer and keys come from the pool's discovery document.",
        cognito("the issuer on %s is taken as it is"),
        emulator("the updated form of issuer is taken from discovery"),
      ),
      shown(
        "An access token is checked for the app client in `client_id`, as Cognito writes no audience.",
        cognito("access token with %s", "another client"),
        testsIn("test/attacks/provider-tokens.test.ts")(
          "a machine's of another app client of the pool (attacks §4 FastMCP #3406)",
        ),
      ),
      differs(
        "An audience can be given instead.",
        "where a resource is asked of Cognito, `aud` must be that resource.",
        cognito(
          "a resource that tokens are bound to > is in the access token as it was asked for, at sign-in and at renewal",
        ),
        emulator("a pool whose tier binds no tokens is found out"),
      ),
    ],
  },
];
