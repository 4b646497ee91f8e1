import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { OAuthError } from "../errors/index.ts";
import { parseRegistrationRequest, type RegistrationPolicy } from "./index.ts";

const identity = new Set(["openid", "email", "profile", "offline_access"]);
const policy: RegistrationPolicy = {
  callbackUrl: "https://auth.example.com/auth/callback",
  customSchemes: ["cursor"],
  capabilities: {
    clientGrantTypes: ["authorization_code", "refresh_token"],
    tokenEndpointAuthMethods: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
  },
  scopes: {
    resolve: (name) => ["mcp/read", "mcp/write"].find((scope) => scope === name || scope === `mcp/${name}`),
    isIdentityScope: (scope) => identity.has(scope),
    expand: (scopes) => [...scopes],
  },
  settings: { publicClientPatterns: ["*"] },
};

const jwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
const redirect_uris = ["https://app.example.com/cb"];
const register = (members: object) => parseRegistrationRequest({ redirect_uris, ...members }, policy);

function refusalOf(body: unknown): OAuthError {
  try {
    parseRegistrationRequest(body, policy);
  } catch (error) {
    if (error instanceof OAuthError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("registrations of real clients", () => {
  test("Cursor: three redirects of three kinds, none of them lost", () => {
    const cursor = [
      "cursor://anysphere.cursor-mcp/oauth/callback",
      "https://www.cursor.com/agents/mcp/oauth/callback",
      "http://localhost:8787/callback",
    ];
    const body = { client_name: "Cursor", redirect_uris: cursor, token_endpoint_auth_method: "none" };
    expect(parseRegistrationRequest(body, policy).redirect_uris).toEqual(cursor);
  });

  test("VS Code: native, with https and loopback redirects together", () => {
    const body = {
      client_name: "Visual Studio Code",
      client_uri: "https://code.visualstudio.com",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      redirect_uris: ["https://vscode.dev/redirect", "http://127.0.0.1/", "http://127.0.0.1:33418/"],
      token_endpoint_auth_method: "none",
      application_type: "native",
    };
    expect(parseRegistrationRequest(body, policy)).toEqual(body);
  });

  test("the Inspector sends an empty scope, others send null", () => {
    const metadata = register({ scope: "", client_uri: null, logo_uri: "", contacts: null });
    expect(Object.keys(metadata).sort()).toEqual([
      "grant_types",
      "redirect_uris",
      "response_types",
      "token_endpoint_auth_method",
    ]);
  });

  test("ChatGPT's four identity scopes are accepted", () => {
    expect(register({ scope: "openid email offline_access profile mcp/read" }).scope).toBe(
      "openid email offline_access profile mcp/read",
    );
  });
});

describe("what is left out", () => {
  test("defaults are answered, so that a client knows what it got (RFC 7591 §3.2.1)", () => {
    expect(register({})).toEqual({
      redirect_uris,
      token_endpoint_auth_method: "client_secret_basic",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
    });
  });

  test.each(["none", "client_secret_basic", "client_secret_post"])(
    "attacks §4 FM: %s is registered as asked",
    (method) => {
      expect(register({ token_endpoint_auth_method: method }).token_endpoint_auth_method).toBe(method);
    },
  );

  test("without application_type a client is not taken for a web client", () => {
    expect(register({ redirect_uris: ["http://localhost/cb"] }).application_type).toBeUndefined();
  });

  test("a client that wants no refresh tokens is registered without", () => {
    expect(register({ grant_types: ["authorization_code"] }).grant_types).toEqual(["authorization_code"]);
  });
});

describe("no member gives a client more than it may have", () => {
  test.each([
    ["attacks §4 BA #8632", "skip_consent"],
    ["first party", "firstParty"],
    ["first party", "first_party"],
    ["someone else's id", "client_id"],
    ["a secret of one's own", "client_secret"],
    ["attacks §4 OB", "registration_client_uri"],
    ["used", "used"],
  ])("%s: %s is ignored", (_row, member) => {
    expect(register({ [member]: true })).toEqual(register({}));
  });

  test("a member called __proto__ changes nothing", () => {
    const body: unknown = JSON.parse(
      '{"redirect_uris":["https://a.example/"],"__proto__":{"firstParty":true,"scope":"x"}}',
    );
    const metadata = parseRegistrationRequest(body, policy);
    expect("firstParty" in metadata).toBe(false);
    expect(metadata.scope).toBeUndefined();
  });
});

describe("metadata that is refused", () => {
  test.each<[string, object, string]>([
    ["unknown method", { token_endpoint_auth_method: "tls_client_auth" }, "token_endpoint_auth_method: must be one of"],
    ["method that is no text", { token_endpoint_auth_method: 1 }, "token_endpoint_auth_method"],
    ["unknown grant type", { grant_types: ["authorization_code", "password"] }, "grant_types: must be one of"],
    ["client_credentials is an administrator's matter", { grant_types: ["client_credentials"] }, "grant_types"],
    ["implicit", { grant_types: ["implicit"] }, "grant_types"],
    ["refresh alone", { grant_types: ["refresh_token"] }, "must hold authorization_code"],
    ["no grant type", { grant_types: [] }, "must hold authorization_code"],
    ["token response", { response_types: ["token"] }, "response_types"],
    ["no response", { response_types: [] }, "response_types"],
    ["unknown application type", { application_type: "service" }, "application_type"],
    ["unknown scope", { scope: "mcp/read root" }, "scope: holds an unknown scope"],
    ["scope as a list", { scope: ["mcp/read"] }, "scope: must be a text"],
    ["name too long", { client_name: "x".repeat(101) }, "client_name: must have at most 100"],
    ["name with a line break", { client_name: "Claude\nverified" }, "client_name"],
    ["name that turns direction", { client_name: "evil \u202egnihtemos" }, "client_name"],
    ["name with isolates", { client_name: "\u2066x\u2069" }, "client_name"],
    ["name that cannot be seen", { client_name: "\u200b\u3164\u2060" }, "client_name: must have a character"],
    ["name of spaces", { client_name: "   " }, "client_name"],
    ["attacks §4 CF client_uri scheme", { client_uri: "javascript:alert(1)" }, "client_uri: must be an https URL"],
    ["attacks §4 CF logo_uri scheme", { logo_uri: "data:image/svg+xml,x" }, "logo_uri"],
    ["tos_uri over http", { tos_uri: "http://app.example.com/tos" }, "tos_uri"],
    ["policy_uri with markup", { policy_uri: 'https://a.example/"><script>' }, "policy_uri"],
    ["client_uri with userinfo", { client_uri: "https://claude.ai@evil.example/" }, "client_uri"],
    ["contacts as text", { contacts: "me@example.com" }, "contacts"],
    ["too many contacts", { contacts: Array(11).fill("a@example.com") }, "contacts"],
    ["software_id too long", { software_id: "x".repeat(257) }, "software_id"],
    ["both key sources", { jwks: { keys: [] }, jwks_uri: "https://a.example/jwks" }, "jwks and jwks_uri"],
    ["attacks §1 private JWK", { jwks: { keys: [{ kty: "EC", d: "x" }] } }, "jwks: must hold public keys"],
    ["symmetric JWK", { jwks: { keys: [{ kty: "oct", k: "x" }] } }, "jwks: must hold public keys"],
    ["jwks as text", { jwks: "x" }, "jwks: must be a JWK set"],
    ["private_key_jwt without keys", { token_endpoint_auth_method: "private_key_jwt" }, "jwks: private_key_jwt needs"],
    [
      "private_key_jwt without a key that is of use",
      { token_endpoint_auth_method: "private_key_jwt", jwks: { keys: [{ kty: "EC", crv: "P-521" }] } },
      "jwks: holds no public key for RS256",
    ],
    ["too many members", Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`m${i}`, 1])), "members"],
  ])("%s", (_row, members, text) => {
    const error = refusalOf({ redirect_uris, ...members });
    expect([error.code, error.reason, error.status]).toEqual([
      "invalid_client_metadata",
      "client_metadata_invalid",
      400,
    ]);
    expect(error.message).toContain(text);
  });

  test.each([[null], [[]], ["text"], [1]])("a body that is no object: %j", (body) => {
    expect(refusalOf(body).code).toBe("invalid_client_metadata");
  });

  test("attacks §3: many long redirects together are more than a registration may take up", () => {
    const many = Array.from({ length: 32 }, (_, i) => `https://a.example/${i}${"x".repeat(1000)}`);
    expect(refusalOf({ redirect_uris: many }).message).toContain("all members together");
  });
});

describe("redirects that are refused", () => {
  test.each<[string, object, string]>([
    ["missing", { redirect_uris: undefined }, "must be a list"],
    ["empty", { redirect_uris: [] }, "at least one"],
    ["a text", { redirect_uris: "https://a.example/" }, "must be a list"],
    ["not texts", { redirect_uris: [1] }, "must hold texts"],
    ["too many", { redirect_uris: Array.from({ length: 33 }, (_, i) => `https://a.example/${i}`) }, "at most 32"],
    ["one bad among good ones", { redirect_uris: ["https://a.example/", "https://*.a.example/"] }, "wildcard"],
    ["web on loopback", { application_type: "web", redirect_uris: ["http://localhost/cb"] }, "application_type web"],
    ["web with a scheme", { application_type: "web", redirect_uris: ["cursor://x/cb"] }, "application_type web"],
    ["native over http", { application_type: "native", redirect_uris: ["http://a.example/cb"] }, "use https"],
  ])("%s", (_row, members, text) => {
    const error = refusalOf({ redirect_uris, ...members });
    expect([error.code, error.reason, error.status]).toEqual(["invalid_redirect_uri", "redirect_uri_invalid", 400]);
    expect(error.message).toContain(text);
  });
});

test("a name keeps its letters, marks and emoji; the space around it goes", () => {
  expect(register({ client_name: "  Zoë’s <b>עוזר</b> 👩‍💻 " }).client_name).toBe("Zoë’s <b>עוזר</b> 👩‍💻");
});

test("keys are not kept for a method that uses none", () => {
  expect(register({ jwks_uri: "https://a.example/jwks" })).toEqual(register({}));
});

test.each([
  ["jwks_uri", "https://a.example/jwks"],
  [
    "jwks",
    {
      keys: [
        { ...jwk, kid: "1" },
        { kty: "EC", crv: "P-521" },
      ],
    },
  ],
])("%s is kept for private_key_jwt as it was sent", (member, value) => {
  const metadata = register({ token_endpoint_auth_method: "private_key_jwt", [member]: value });
  expect(metadata).toEqual({
    ...register({}),
    token_endpoint_auth_method: "private_key_jwt",
    [member]: value,
  });
});

test("a redirect that is given twice is kept once", () => {
  expect(register({ redirect_uris: [...redirect_uris, ...redirect_uris] }).redirect_uris).toEqual(redirect_uris);
});
