import { testsIn } from "../evidence.ts";
import { differs, not, type ScenarioFile, shown } from "../scenario.ts";

const mainFlow = testsIn("test/main-flow/sign-in.test.ts");
const metadata = testsIn("test/conformance/metadata.test.ts");
const form = testsIn("test/attacks/consent-form.test.ts");
const remembered = testsIn("test/consent/remembered.test.ts");
const memory = testsIn("test/attacks/consent-memory.test.ts");
const binding = testsIn("test/attacks/browser-binding.test.ts");
const pageAttacks = testsIn("test/attacks/pages.test.ts");
const redirects = testsIn("test/attacks/redirect-uri.test.ts");
const audience = testsIn("test/attacks/audience.test.ts");
const onceOnly = testsIn("test/browser/once-only.test.ts");
const signIn = testsIn("test/browser/sign-in.test.ts");
const embedding = testsIn("test/browser/embedding.test.ts");
const pages = testsIn("packages/core/src/pages/pages.test.ts");
const headers = testsIn("packages/core/src/http/headers.test.ts");
const cookies = testsIn("packages/core/src/http/cookies.test.ts");
const records = testsIn("packages/core/src/records/record-store.test.ts");
const scopes = testsIn("packages/core/src/scopes/scopes.test.ts");
const requireScopes = testsIn("packages/core/src/verify/require-scopes.test.ts");
const door = testsIn("packages/gateway/test/at-the-door.test.ts");
const verifier = testsIn("packages/core/src/verify/create-verifier.test.ts");
const strictClient = testsIn("test/clients/oauth4webapi.test.ts");

export const consentScenarios: readonly ScenarioFile[] = [
  {
    file: "test_oauth_consent_flow.py",
    about: "From the consent page to the identity provider, and who may go that way.",
    scenarios: [
      shown(
        "Transactions, codes and the like are kept in the store, each kind by itself.",
        records("a grant comes back as it was, and neither its handle nor anything of the user is readable"),
        records("nor a transaction's verifier, nonce or request"),
      ),
      differs(
        "The authorization endpoint redirects to the consent page, which holds the transaction.",
        "the page is the answer, and holds the request, sealed.",
        pages("has one form with what the endpoint reads: the sealed request, two decisions, another account"),
      ),
      shown("A form without its token, or with a forged one, is refused.", form("the form > not ours: %s")),
      shown(
        "So is a good one without the cookie that came with it.",
        form("the first form with the second page's cookie alone: refused"),
        binding("the attacker's own consent form, posted by the victim's browser: refused"),
      ),
      shown(
        "Of a page that was rendered twice either can be submitted (3 cases).",
        form("loaded twice, posted twice: two sign-ins that both end well"),
        onceOnly("back from Cognito's sign-in to the consent page, and approved once more"),
      ),
      shown(
        "To finish one sign-in leaves another in the same browser alone.",
        onceOnly("two tabs sign in side by side, completed %s"),
        binding("two tabs in parallel: each code goes to its own request"),
      ),
      shown(
        "The cookies of one browser are bounded.",
        cookies("the newest eight of a kind are kept, the oldest is ended"),
        onceOnly("nine tabs: the newest eight can be completed, the ninth is told to begin again"),
      ),
      differs(
        "A stored transaction can be read again.",
        "it is taken once, so that no answer can be repeated.",
        binding("ten visits at the same moment: one code"),
      ),
      shown("The page refuses to be framed.", embedding("a consent page in a frame shows nothing: %s")),
      shown(
        "A denial goes to the client with the issuer, once.",
        mainFlow("a denial goes back to the client and is final"),
        strictClient("reads a denial with its issuer and state"),
      ),
      differs(
        "A denial is remembered and repeated without a page.",
        "only approvals are, so that a user can change their mind.",
        remembered("by a denial, or by an approval whose sign-in was not finished"),
      ),
      shown(
        "With consent remembered, a second sign-in needs no page.",
        remembered("the second sign-in goes straight to Cognito, and its tokens are as good"),
      ),
      differs(
        "Without that setting nothing is remembered.",
        "it is on, for 30 days, kept in the store rather than the cookie, and never for loopback or an app's own scheme.",
        remembered("an approval is not remembered > for %s"),
        remembered("a sign-in by memory does not lengthen it: after 30 days the user is asked"),
      ),
      shown(
        "An approval sets the cookie that binds the sign-in to the browser, and goes on.",
        binding("without a cookie: no code (attacks §4 FM, GHSA-rww4-4w9c-7733), and nothing is used up"),
      ),
      shown(
        "A cookie that was changed counts for nothing.",
        binding("with the cookie of another browser's sign-in: no code"),
        binding("the page cookie proves nothing at the callback"),
      ),
      differs(
        "A page of another site, or a browser that does not say whence it comes, is asked even so.",
        "a client on the web begins every sign-in from another site; frames and scripts get the page, and so does another user of the browser.",
        memory("is not used for an answer that goes into a page of somebody's: Sec-Fetch-Dest %s"),
        memory("stolen: the thief's own sign-in at Cognito is asked, and gets no code without"),
      ),
      shown(
        "A cookie of remembered consent that was changed counts for nothing.",
        memory("forged, %s: counts for nothing"),
      ),
    ],
  },
  {
    file: "test_oauth_consent_page.py",
    about: "The page itself, and the binding of a sign-in to a browser.",
    scenarios: [
      shown(
        "Names are escaped.",
        pages("attacks §1: HTML in names, scopes and addresses stays text"),
        pageAttacks("HTML in client_name is text"),
      ),
      shown(
        "The content security policy has no `form-action`, as Chromium would end the sign-in.",
        headers("attacks §1 CSP: no form-action, no opener policy, no referrer policy that hides our own origin"),
        signIn("alice mistypes her password, signs in, and her client calls a tool server"),
      ),
      not("The policy can be replaced, or left out.", "it is fixed: nothing on the page needs another one."),
      shown(
        "A denial never goes to a redirect that is no longer good.",
        redirects("the registration ended before %s: no redirect"),
        redirects("the configuration names another redirect by now > at %s: no redirect"),
      ),
      shown(
        "Flows in parallel do not disturb each other.",
        binding("two tabs in parallel: each code goes to its own request"),
      ),
      shown(
        "A callback without the cookie, or with another one, is refused with 403.",
        binding("without a cookie: no code (attacks §4 FM, GHSA-rww4-4w9c-7733), and nothing is used up"),
        binding("with the cookie of another tab alone: no code"),
      ),
      differs(
        "Where consent is off, the binding is not checked.",
        "it is always checked; consent is left out for single clients, by configuration.",
        binding("without a cookie: no code (attacks §4 FM, GHSA-rww4-4w9c-7733), and nothing is used up"),
        testsIn("packages/core/src/config/check.test.ts")("the rules > allow %s", "first party over https"),
      ),
    ],
  },
  {
    file: "test_enhanced_error_responses.py",
    about: "What errors say, to people and to programs.",
    scenarios: [
      shown(
        "An unknown client gets a page that says how to go on.",
        signIn("an unknown client gets a page that tells how to go on, and no redirect"),
        pages("an unknown client's page says how to clear the registration, for each client that keeps one"),
      ),
      differs(
        "A program that accepts JSON gets the error as JSON, a browser as a page, and who accepts anything JSON.",
        "who accepts anything gets the page.",
        pageAttacks("an unknown client that accepts %s is answered in %s, with the same error"),
      ),
      shown(
        "Errors and codes at the redirect name the issuer, exactly as the metadata do (8 cases).",
        metadata("the answer names the issuer, and its token verifies by jwks_uri"),
        strictClient("reads an error that is sent back before the consent page"),
        strictClient("reads the refusal of a user who may do nothing"),
      ),
      shown(
        "A 401 without a token has no `error`.",
        audience("no token, no challenge error; a bad cookie is no token (attacks §2 R7)"),
        mainFlow("a request without a token gets the full challenge"),
      ),
      shown(
        "The challenge names the scopes to ask for; those for later steps are left out.",
        scopes("every scope where it names none; step-up scopes are no default, nor is what includes one"),
        testsIn("test/main-flow/step-up.test.ts")(
          "the first challenge leaves step-up scopes out; where one is needed the next challenge names it",
        ),
      ),
      shown(
        "A 403 names what is missing in one challenge.",
        requireScopes("what is missing and what is already granted stand in one challenge, once each"),
        door("a missing scope that can be had is named in a challenge"),
      ),
      shown(
        "A bad token is `invalid_token`, with a well-formed header.",
        verifier("door one > %s: 401 with the challenge"),
      ),
    ],
  },
];
