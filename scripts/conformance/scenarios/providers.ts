import { testsIn } from "../evidence.ts";
import { differs, missing, not, type ScenarioFile, shown } from "../scenario.ts";

const scopeNames = testsIn("packages/core/src/config/scope-names.test.ts");
const cognito = testsIn("packages/core/src/identity/cognito/cognito-provider.test.ts");
const provider = testsIn("test/attacks/provider-tokens.test.ts");
const door = testsIn("packages/gateway/test/at-the-door.test.ts");
const sessions = testsIn("packages/gateway/test/sessions.test.ts");
const code = testsIn("test/attacks/code.test.ts");
const refresh = testsIn("test/attacks/refresh.test.ts");
const pkce = testsIn("test/attacks/pkce.test.ts");
const redirects = testsIn("test/attacks/redirect-uri.test.ts");
const registration = testsIn("packages/core/src/clients/registration-request.test.ts");
const authentication = testsIn("test/attacks/client-authentication.test.ts");
const scopes = testsIn("packages/core/src/scopes/scopes.test.ts");
const audience = testsIn("test/attacks/audience.test.ts");

const otherProvider = "it is about another identity provider.";
const noClient = "Sallyport has no client for programs yet; the clients in use are tested against it in test/clients.";

export const providerScenarios: readonly ScenarioFile[] = [
  {
    file: "test_identity_assertion.py",
    about: "Identity assertions of an enterprise's identity provider (ID-JAG).",
    scenarios: [
      missing(
        "Settings, discovery, the exchange itself, and every assertion that has to be refused (50 cases).",
        "the grant type is not served, and the metadata do not name it.",
      ),
      shown(
        "Where it is off it is refused, and not advertised.",
        testsIn("test/conformance/metadata.test.ts")(
          "every grant type that is named is taken at the token endpoint, and no other",
        ),
      ),
    ],
  },
  {
    file: "providers/test_azure.py, test_azure_scopes.py",
    about: "Microsoft Entra; what of it holds for Cognito.",
    scenarios: [
      shown(
        "Short names of scopes are written in full for the provider and back, each the exact inverse of the other (20 cases).",
        scopeNames("toProvider: how Cognito calls a configured scope"),
        scopeNames("fromProvider: what a scope in one of Cognito's tokens is"),
      ),
      shown("OpenID's own scopes are no scopes of the server.", scopes("%s is an identity scope: %s")),
      differs(
        "The resource is left out towards a provider that would not know it.",
        "what a client names stays here; Cognito is asked for the configured resource, or none.",
        cognito("is nothing to ask for where none is configured"),
      ),
      shown(
        "A token for another app is refused.",
        provider("a machine's of another app client of the pool (attacks §4 FastMCP #3406)"),
      ),
      not("Tenants, clouds, and access on behalf of a user (60 cases).", otherProvider),
    ],
  },
  {
    file: "providers/test_google.py, test_github.py, test_discord.py, test_clerk.py, test_workos.py, test_auth0_mcp.py, test_propelauth.py, test_descope.py, test_scalekit.py, test_keycloak.py, test_supabase.py, test_oci.py, test_auth0.py, test_huggingface.py",
    about: "Other identity providers; what of it holds for Cognito.",
    scenarios: [
      shown(
        "A token of another application is refused.",
        provider("a machine's of another app client of the pool (attacks §4 FastMCP #3406)"),
        cognito("access token with %s", "another client"),
      ),
      shown("A token without subject is refused.", cognito("ID token with %s", "no subject")),
      shown("The audience is the resource, without a setting.", audience("our own tokens elsewhere > at %s")),
      shown(
        "Building the provider asks nobody; failed discovery is not kept.",
        cognito("nothing is asked at start, and discovery and keys are asked once for many"),
        cognito("%s instead of keys is unavailable, asked again after 5 seconds"),
      ),
      shown(
        "A provider that changes its issuer is followed; an unknown one is refused.",
        cognito("a pool that changed its issuer is followed without a wait for the document's age"),
        cognito("access token with %s", "another issuer"),
      ),
      not("Their own parameters, endpoints and caches (about 150 cases).", otherProvider),
    ],
  },
  {
    file: "test_http_client.py",
    about: "An HTTP client of the program's own.",
    scenarios: [
      shown(
        "What is handed in is used for every request to the provider.",
        cognito("nothing is asked at start, and discovery and keys are asked once for many"),
      ),
    ],
  },
  {
    file: "test_static_token_verifier.py, test_debug_verifier.py",
    about: "Verifiers for tests.",
    scenarios: [
      not(
        "Tokens from a list, and a verifier that accepts anything (21 cases).",
        "there is no such verifier: the emulator gives real tokens.",
      ),
    ],
  },
  {
    file: "Bearer tokens and sessions over HTTP (outside tests/server/auth)",
    about: "Transport and endpoints as the MCP SDK has them.",
    scenarios: [
      shown("No token, a bad one, another scheme.", audience("how a token is presented > %s")),
      shown("A session with another user's token is 404.", sessions("an envelope is useless to %s", "another user")),
      shown(
        "Host and Origin are checked (13 cases).",
        door("Origin %j gives %i"),
        door("own name and loopback names pass, foreign names do not (DNS rebinding)"),
      ),
      shown(
        "An expired or unknown code; another redirect; another verifier.",
        code("a code is good for 60 seconds and then never again"),
        code("another redirect_uri: %s"),
        pkce("at /token, one code for every attempt > verifier %s: refused"),
      ),
      shown(
        "An unknown or expired refresh token; more scope than was granted.",
        refresh("a code, an access token, and nonsense as refresh token"),
        refresh("narrowed, then back to what was granted, never beyond it"),
        testsIn("packages/core/src/grants/rotate-refresh-token.test.ts")(
          "ends where it is not used for 30 days; a use begins them anew",
        ),
      ),
      shown(
        "A request without client, response type or challenge.",
        redirects("never redirect before validation > %s", "no client"),
        pkce("%s at /authorize > %s: told at the client's redirect, no page to approve"),
      ),
      shown(
        "A registration without redirects, with an unknown grant type, or with scopes that cannot be had.",
        registration("redirects that are refused > %s", "empty"),
        registration("metadata that is refused > %s", "unknown grant type"),
        authentication("registration > %s: refused", "a scope that does not exist"),
      ),
    ],
  },
  {
    file: "The OAuth client (outside tests/server/auth)",
    about: "FastMCP's own client.",
    scenarios: [
      missing("Its cache, callback server, retries and step-up (20 cases).", noClient),
      shown(
        "What such a client does, seen from the server: an ended registration is told so, and a scope is asked for once more.",
        testsIn("test/clients/sdk-v2.test.ts")("signs in without it, is asked once more, and then passes"),
        authentication("an unused registration expires (attacks §3: stored for ever)"),
      ),
    ],
  },
];
