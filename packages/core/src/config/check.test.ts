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
      /give it a secret, or https addresses only in clients\.c\.redirectUris/,
    ],
    [
      "first party over loopback beside https",
      {
        clients: { c: { ...client, redirectUris: ["https://c.example/cb", "http://127.0.0.1/cb"], firstParty: true } },
      },
      "clients.c.firstParty",
      /skip consent/,
    ],
    ["a default that is no resource", { defaultResource: "/x" }, "defaultResource", /there are: \/mcp/],
    [
      "a machine's unknown resource",
      { machines: { m: { scopes: ["mcp/read"], resources: ["/x"] } } },
      "machines.m.resources[0]",
      /there are: \/mcp/,
    ],
    ["a path twice", { resources: [{ path: "/a" }, { path: "/a" }] }, "resources[1].path", /resources\[0\] already/],
    [
      "a required scope out of reach",
      { resources: [{ path: "/a", scopes: ["mcp/read"], requiredScopes: ["mcp/write"] }] },
      "resources[0].requiredScopes",
      /nobody can have mcp\/write here/,
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
    ["a short secret", { secret: ["abcdefghijklmnopqrstuvwxyz01234"] }, "secret[0]", /too weak/],
    ["a monotonous secret", { secret: ["abcabcabcabcabcabcabcabcabcabcabcabcabc"] }, "secret[0]", /too weak/],
    ["another store", { store: "redis://:password@h/0" }, "store", /cannot be redis:/],
    ["a store without path", { store: "sqlite:" }, "store", /sqlite: with a path/],
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
      { clients: { c: { ...client, redirectUris: ["cursor://x"], secrets: ["s"], firstParty: true } } },
    ],
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
