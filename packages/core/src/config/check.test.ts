import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ConfigError, coreSection, loadConfig, type Problem, parseCoreConfig, ruleFor } from "./index.ts";
import type { CoreConfig, CoreConfigInput } from "./section.ts";

const good: CoreConfigInput = {
  baseUrl: "https://mcp.example.com",
  cognito: { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "4example", clientSecret: null, domain: "example" },
  resources: [{ path: "/mcp" }],
  scopes: { "mcp/read": {}, "mcp/write": { includes: ["mcp/read"] } },
};

function judge(input: Partial<CoreConfigInput>): { problems: readonly Problem[]; warnings: readonly Problem[] } {
  const warnings: Problem[] = [];
  try {
    parseCoreConfig({ ...good, ...input }, (warning) => warnings.push(warning));
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems, warnings };
    throw error;
  }
  return { problems: [], warnings };
}

const client = { name: "c", redirectUris: ["https://c.example/cb"] };
const hash = `sha256:${"a".repeat(43)}`;
const jwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
const shortJwk = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
const jwksUri = "https://c.example/jwks";
const cognito = good.cognito;

describe("the rules", () => {
  it("let good settings pass without a word", () => {
    expect(judge({})).toEqual({ problems: [], warnings: [] });
  });

  it.each<[string, Partial<CoreConfigInput>, string, RegExp]>([
    [
      "a group's unknown scope",
      { groups: { g: ["mcp/rite"] } },
      "groups.g[0]",
      /did you mean mcp\/write\? \(known: mcp\/read, mcp\/write\)/,
    ],
    ["a resource's", { resources: [{ path: "/mcp", scopes: ["x"] }] }, "resources[0].scopes[0]", /no scope "x"/],
    [
      "a required one",
      { resources: [{ path: "/m", requiredScopes: ["x"] }] },
      "resources[0].requiredScopes[0]",
      /no scope "x"/,
    ],
    ["one required of all", { requiredScopes: ["x"] }, "requiredScopes[0]", /no scope "x"/],
    ["a client's", { clients: { c: { ...client, scopes: ["x"] } } }, "clients.c.scopes[0]", /no scope "x"/],
    ["a machine's", { machines: { m: { scopes: ["x"] } } }, "machines.m.scopes[0]", /no scope "x"/],
    ["an included one", { scopes: { a: { includes: ["x"] } } }, "scopes.a.includes[0]", /no scope "x"/],
    ["any scope where there are none", { scopes: {}, groups: { g: ["x"] } }, "groups.g[0]", /name it under scopes/],
    ["a name that objects inherit", { groups: { g: ["constructor"] } }, "groups.g[0]", /no scope "constructor"/],
    ["an identity scope given", { groups: { g: ["openid"] } }, "groups.g[0]", /part of every sign-in/],
    ["an identity scope declared", { scopes: { email: {} } }, "scopes.email", /part of every sign-in/],
    [
      "a short name of two scopes",
      { scopes: { "a/read": {}, "b/read": {} }, groups: { g: ["read"] } },
      "groups.g[0]",
      /^"read" could be a\/read or b\/read; write one of them in full$/,
    ],
    [
      "a full name of another resource server",
      { cognito: { ...cognito, resourceServer: "mcp" }, scopes: { read: {} }, groups: { g: ["other/read"] } },
      "groups.g[0]",
      /no scope "other\/read"/,
    ],
    [
      "a full name that would have to be cut, without a resource server",
      { scopes: { read: {} }, machines: { m: { scopes: ["mcp/read"] } } },
      "machines.m.scopes[0]",
      /no scope "mcp\/read"/,
    ],
    [
      "a short name of a scope of another resource server",
      { cognito: { ...cognito, resourceServer: "mcp" }, scopes: { "other/read": {} }, groups: { g: ["read"] } },
      "groups.g[0]",
      /did you mean other\/read\?/,
    ],
    [
      "both names of one scope",
      { cognito: { ...cognito, resourceServer: "mcp" }, scopes: { read: {}, "mcp/read": {} } },
      "scopes.read",
      /is mcp\/read at Cognito, which is here as well/,
    ],
    [
      "a registration's default that does not exist",
      { registration: { defaultScopes: ["x"] } },
      "registration.defaultScopes[0]",
      /no scope "x"/,
    ],
    [
      "a registration's bound that does not exist",
      { registration: { allowedScopes: ["x"] } },
      "registration.allowedScopes[0]",
      /no scope "x"/,
    ],
    [
      "two ways to an identity provider",
      { cognito: { ...cognito, identityProvider: "Okta", idpIdentifier: "example.com" } },
      "cognito.idpIdentifier",
      /as cognito\.identityProvider does; keep one of the two/,
    ],
    [
      "a Cognito that may take longer than a lease",
      { cognito: { ...cognito, timeout: "10s" } },
      "cognito.timeout",
      /at most 9s/,
    ],
    [
      "a resource that Cognito takes for none",
      { cognito: { ...cognito, resource: "http://mcp.example.com/mcp" } },
      "cognito.resource",
      /https:\/\/…/,
    ],
    [
      "a resource on a host that only begins like localhost",
      { cognito: { ...cognito, resource: "http://localhost.example/mcp" } },
      "cognito.resource",
      /write a full URL/,
    ],
    [
      "a Cognito resource that is no URL",
      { cognito: { ...cognito, resource: "mailto:mcp" } },
      "cognito.resource",
      /write a full URL/,
    ],
    ["a scope that includes itself", { scopes: { a: { includes: ["a"] } } }, "scopes.a.includes", /a → a/],
    [
      "scopes in a circle, once",
      { scopes: { a: { includes: ["b"] }, b: { includes: ["c"] }, c: { includes: ["a"] } } },
      "scopes.a.includes",
      /a → b → c → a/,
    ],
    [
      "first party over a custom scheme",
      { clients: { c: { ...client, redirectUris: ["cursor://x/cb"], firstParty: true } } },
      "clients.c.firstParty",
      /give it a secret or keys, or https addresses only in clients\.c\.redirectUris/,
    ],
    [
      "first party over loopback beside https",
      {
        clients: { c: { ...client, redirectUris: ["https://c.example/cb", "http://127.0.0.1/cb"], firstParty: true } },
      },
      "clients.c.firstParty",
      /skip consent/,
    ],
    [
      "a key published for as long as one signs",
      { keys: { rotateEvery: "1d", publishBefore: "1d" } },
      "keys.publishBefore",
      /must be shorter than keys\.rotateEvery/,
    ],
    ["a default that is no resource", { defaultResource: "/x" }, "defaultResource", /there are: \/mcp/],
    [
      "a machine's unknown resource",
      { machines: { m: { scopes: ["mcp/read"], resources: ["/x"] } } },
      "machines.m.resources[0]",
      /there are: \/mcp/,
    ],
    [
      "a further URL twice",
      {
        resources: [
          { path: "/a", urls: ["https://a.example/x"] },
          { path: "/b", urls: ["https://A.example/x"] },
        ],
      },
      "resources[1].urls[0]",
      /stands at resources\[0\]\.urls\[0\] already/,
    ],
    [
      "a further URL on the own host",
      { resources: [{ path: "/a", urls: ["https://mcp.example.com/x"] }] },
      "resources[0].urls[0]",
      /is on the host of baseUrl/,
    ],
    ["a path twice", { resources: [{ path: "/a" }, { path: "/a" }] }, "resources[1].path", /resources\[0\] already/],
    [
      "a required scope out of reach",
      { resources: [{ path: "/a", scopes: ["mcp/read"], requiredScopes: ["mcp/write"] }] },
      "resources[0].requiredScopes",
      /nobody can have mcp\/write here/,
    ],
    [
      "keys and secrets of one client",
      { clients: { c: { ...client, jwks: { keys: [jwk] }, secretHashes: [hash] } } },
      "clients.c.jwks",
      /does not go with clients\.c\.secretHashes/,
    ],
    [
      "published keys and secrets of one client",
      { clients: { c: { ...client, jwksUri, secretHashes: [hash] } } },
      "clients.c.jwksUri",
      /does not go with clients\.c\.secretHashes/,
    ],
    [
      "a machine's keys in two places",
      { machines: { m: { scopes: ["mcp/read"], jwks: { keys: [jwk] }, jwksUri } } },
      "machines.m.jwksUri",
      /does not go with machines\.m\.jwks/,
    ],
    [
      "a machine whose keys are of no use",
      { machines: { m: { scopes: ["mcp/read"], jwks: { keys: [shortJwk] } } } },
      "machines.m.jwks",
      /must hold a public key for RS256.*RSA from 2048 bits/,
    ],
    [
      "a client whose keys are of no use",
      { clients: { c: { ...client, jwks: { keys: [{ ...jwk, use: "enc" }] } } } },
      "clients.c.jwks",
      /must hold a public key/,
    ],
    [
      "an address of keys that holds a password",
      { clients: { c: { ...client, jwksUri: "https://me:password@c.example/jwks" } } },
      "clients.c.jwksUri",
      /without user name/,
    ],
    [
      "a machine of a client's name",
      { clients: { one: client }, machines: { one: { scopes: ["mcp/read"] } } },
      "machines.one",
      /clients\.one has the same id/,
    ],
    [
      "a resource server's resource that is none",
      { resourceServers: { one: { secretHashes: [hash], resources: ["/mcp", "/x"] } } },
      "resourceServers.one.resources[1]",
      /is not the path of a resource; there are: \/mcp/,
    ],
    [
      "access tokens for a resource that live for a day",
      { resources: [{ path: "/mcp", accessTtl: "1d" }] },
      "resources[0].accessTtl",
      /at most 1h/,
    ],
    [
      "a resource server of a machine's name",
      {
        machines: { one: { scopes: ["mcp/read"] } },
        resourceServers: { one: { secretHashes: [hash], resources: ["/mcp"] } },
      },
      "resourceServers.one",
      /machines\.one has the same id/,
    ],
    [
      "a default for registrations beyond what they may have",
      { registration: { allowedScopes: ["mcp/read"], defaultScopes: ["mcp/write"] } },
      "registration.defaultScopes[0]",
      /add it to registration\.allowedScopes/,
    ],
    [
      "a weak initial access token",
      { registration: { initialAccessTokens: ["password"] } },
      "registration.initialAccessTokens[0]",
      /too easy to guess/,
    ],
    ["any origin", { allowedOrigins: ["*"] }, "allowedOrigins[0]", /https:\/\/app\.example\.com/],
    [
      "an origin with a slash",
      { allowedOrigins: ["https://a.example/"] },
      "allowedOrigins[0]",
      /write https:\/\/a\.example$/,
    ],
    ["the null origin", { allowedOrigins: ["null"] }, "allowedOrigins[0]", /plain origin/],
    [
      "an origin with a pattern",
      { allowedOrigins: ["https://*.example"] },
      "allowedOrigins[0]",
      /^(?!.*write https:\/\/\*)/,
    ],
    ["a proxy by name", { trustedProxies: ["10.0.0.0/8", "proxy.internal"] }, "trustedProxies[1]", /10\.0\.0\.0\/8/],
    ["every address as a proxy", { trustedProxies: ["0.0.0.0/0"] }, "trustedProxies[0]", /name your proxies/],
    ["a crooked network", { trustedProxies: ["10.0.0.1/8"] }, "trustedProxies[0]", /write 10\.0\.0\.0\/8$/],
    ["a short secret", { secret: ["abcdefghijklmnopqrstuvwxyz01234"] }, "secret[0]", /too weak/],
    ["a monotonous secret", { secret: ["abcabcabcabcabcabcabcabcabcabcabcabcabc"] }, "secret[0]", /too weak/],
    ["another store", { store: "postgres://user:pass@db/x" }, "store", /cannot be postgres:/],
    ["a store without path", { store: "sqlite:" }, "store", /sqlite:.\/path/],
    ["a store without scheme", { store: "password" }, "store", /has no scheme/],
    ["http beyond loopback", { baseUrl: "http://mcp.example.com" }, "baseUrl", /must be https/],
    [
      "a far Cognito over http",
      { cognito: { ...cognito, endpoint: "http://10.0.0.1:9229" } },
      "cognito.endpoint",
      /must be https/,
    ],
    [
      "a domain over http",
      { cognito: { ...cognito, domain: "http://auth.example.com" } },
      "cognito.domain",
      /must be https/,
    ],
    ["a domain with a path", { cognito: { ...cognito, domain: "https://a.example/x" } }, "cognito.domain", /no path/],
    ["a domain with a port only", { cognito: { ...cognito, domain: "a.example:99/" } }, "cognito.domain", /full URL/],
  ])("refuse %s", (_, input, setting, message) => {
    const { problems } = judge(input);
    expect(problems).toEqual([{ setting, source: "code", message: expect.stringMatching(message) }]);
    expect(problems[0]?.message).not.toContain("password");
  });

  it.each([
    "/authorize",
    "/consent",
    "/auth",
    "/auth/callback",
    "/token",
    "/register",
    "/revoke",
    "/introspect",
    "/device",
    "/device_authorization",
    "/logout",
    "/verify",
    "/healthz",
    "/readyz",
    "/metrics",
    "/console",
    "/api",
    "/api/mcp",
    "/.well-known",
    "/.well-known/mcp",
  ])("refuse %s as the path of a resource", (path) => {
    expect(judge({ resources: [{ path }] }).problems).toMatchObject([{ setting: "resources[0].path" }]);
  });

  it.each<[string, Partial<CoreConfigInput>, string]>([
    ["an issuer with a path", { issuer: "https://mcp.example.com/auth" }, "issuer"],
    ["a group that gives nothing", { groups: { g: [] } }, "groups.g"],
    [
      "a key of no use beside a good one",
      { machines: { m: { scopes: ["mcp/read"], jwks: { keys: [jwk, shortJwk] } } } },
      "machines.m.jwks.keys[1]",
    ],
    ["a required identity scope", { requiredScopes: ["openid"] }, "requiredScopes"],
  ])("warn of %s", (_, input, setting) => {
    const { problems, warnings } = judge(input);
    expect(problems).toEqual([]);
    expect(warnings).toMatchObject([{ setting, source: "code" }]);
  });

  it.each<[string, Partial<CoreConfigInput>]>([
    ["an issuer that is an origin", { issuer: "https://mcp.example.com" }],
    [
      "first party with a secret",
      { clients: { c: { ...client, redirectUris: ["cursor://x"], secretHashes: [hash], firstParty: true } } },
    ],
    [
      "first party with keys",
      { clients: { c: { ...client, redirectUris: ["cursor://x"], jwks: { keys: [jwk] }, firstParty: true } } },
    ],
    ["a machine with published keys", { machines: { "nightly.report-1": { scopes: ["mcp/read"], jwksUri } } }],
    [
      "a default for registrations that comes with what they may have",
      { registration: { allowedScopes: ["mcp/write"], defaultScopes: ["mcp/read"] } },
    ],
    [
      "short names of full scopes",
      {
        requiredScopes: ["read"],
        groups: { g: ["write"] },
        machines: { m: { scopes: ["read"] } },
        clients: { c: { ...client, scopes: ["read"] } },
      },
    ],
    [
      "full names of short scopes of the resource server",
      {
        cognito: { ...cognito, resourceServer: "mcp" },
        scopes: { read: {}, write: { includes: ["mcp/read"] } },
        requiredScopes: ["mcp/read"],
        groups: { g: ["mcp/write"] },
        registration: { defaultScopes: ["mcp/read"], allowedScopes: ["mcp/write"] },
      },
    ],
    ...["https://mcp.example.com/mcp", "http://localhost:8000/mcp", "http://localhost", "myapp://server"].map(
      (resource): [string, Partial<CoreConfigInput>] => [resource, { cognito: { ...cognito, resource } }],
    ),
    ["first party over https", { clients: { c: { ...client, firstParty: true } } }],
    [
      "a required scope that comes with another",
      { resources: [{ path: "/a", scopes: ["mcp/write"], requiredScopes: ["mcp/read"] }] },
    ],
    [
      "a diamond of scopes",
      { scopes: { a: { includes: ["b", "c"] }, b: { includes: ["d"] }, c: { includes: ["d"] }, d: {} } },
    ],
    ["origins", { allowedOrigins: ["https://a.example", "http://localhost:5173"] }],
    ["memory", { store: "memory:" }],
    ["a path that begins like a reserved one", { resources: [{ path: "/tokens/mcp" }] }],
    [
      "a local Cognito",
      { cognito: { ...cognito, endpoint: "http://localhost:9229", domain: "http://localhost:9229" } },
    ],
    [
      "scopes that only resources name",
      { scopes: {}, resources: [{ path: "/mcp", scopes: ["r"] }], groups: { g: ["r"] } },
    ],
  ])("allow %s", (_, input) => {
    expect(judge(input)).toEqual({ problems: [], warnings: [] });
  });

  it("are all applied, also beside a fault of the schema", () => {
    const { problems } = judge({
      baseUrl: "nonsense",
      groups: { g: ["x"] },
      resources: [{ path: "/token" }, { path: "/token" }],
      store: "file",
    });
    expect(problems.map(({ setting }) => setting)).toEqual([
      "baseUrl",
      "groups.g[0]",
      "resources[1].path",
      "resources[0].path",
      "resources[1].path",
      "store",
    ]);
  });

  it("can be added to, and replaced by name", async () => {
    const rule = ruleFor<CoreConfig>();
    const load = (rules: Parameters<typeof loadConfig>[0]["rules"]) =>
      loadConfig({
        schema: coreSection,
        env: {},
        overrides: { ...good, defaultResource: "/elsewhere" },
        rules: rules ?? [],
      });
    const refused = await load([
      rule("no-info", ["logLevel"], ({ logLevel }, report) => report.problem(["logLevel"], `not ${logLevel}`)),
    ]).catch((error) => error);
    expect(refused.problems).toMatchObject([
      { setting: "default_resource" },
      { setting: "log_level", source: "default", message: "not info" },
    ]);
    const { config } = await load([rule("default-resource", [], () => {})]);
    expect(config.defaultResource).toBe("/elsewhere");
  });
});

describe("parseCoreConfig", () => {
  it("fills in defaults and units", () => {
    const config = parseCoreConfig({ ...good, tokens: { accessTtl: "1m" } });
    expect(config.tokens).toMatchObject({ accessTtl: 60_000, codeTtl: 60_000 });
    expect(config.maxBody).toBe(65_536);
    expect(config.resources).toEqual([{ path: "/mcp", requiredScopes: [] }]);
  });

  it.each<[string, Record<string, unknown>, Problem]>([
    [
      "an unknown key",
      { base_url: "x" },
      { setting: "base_url", source: "code", message: "is not a setting; did you mean baseUrl?" },
    ],
    [
      "an unknown key in a list",
      { resources: [{ path: "/mcp", scope: [] }] },
      { setting: "resources[0].scope", source: "code", message: "is not a setting; did you mean resources[0].scopes?" },
    ],
    [
      "a secret left out",
      { cognito: { ...cognito, clientSecret: undefined } },
      {
        setting: "cognito.clientSecret",
        source: "default",
        message:
          "is missing: set cognito.clientSecret to the secret; for a public app client, which has no secret, to null",
      },
    ],
    [
      "a reference to a secret",
      { cognito: { ...cognito, clientSecret: "env:NAME" } },
      {
        setting: "cognito.clientSecret",
        source: "code",
        message: "env: and file: are followed in files and variables only; pass the secret itself",
      },
    ],
    ["no table", { tokens: [] }, { setting: "tokens", source: "code", message: "must be a table, not a list" }],
  ])("refuses %s", (_, input, problem) => {
    // As from JavaScript, where no compiler stands in the way.
    const given = { ...good, ...input } as CoreConfigInput;
    expect(() => parseCoreConfig(given)).toThrow(ConfigError);
    try {
      parseCoreConfig(given);
    } catch (error) {
      expect(error instanceof ConfigError && error.problems).toEqual([problem]);
    }
  });
});
