import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { ConfigError, combine, coreSection, duration, type LoadOptions, loadConfig, type Problem } from "./index.ts";

const gatewaySection = z.strictObject({
  listen: z.string().default("127.0.0.1:8000"),
  servers: z
    .array(
      z.discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("http"), upstreamUrl: z.string(), timeout: duration().prefault("30s") }),
        z.strictObject({ kind: z.literal("stdio"), commandLine: z.array(z.string()) }),
      ]),
    )
    .default([]),
  headers: z.record(z.string(), z.strictObject({ maxAge: z.int() })).default({}),
  apiKeys: z.record(z.string(), z.string().meta({ secret: true })).default({}),
  console: z.strictObject({ pageSize: z.int().default(20) }).optional(),
});
const schema = combine([coreSection, gatewaySection]);

const secretValue = "1example-client-secret-value1";
const env = {
  COGNITO_USER_POOL_ID: "eu-central-1_AbCdEfGhI",
  COGNITO_CLIENT_ID: "4example",
  COGNITO_CLIENT_SECRET: secretValue,
  COGNITO_DOMAIN: "example",
  SALLYPORT_BASE_URL: "https://mcp.example.com",
};

type Options = Partial<LoadOptions<typeof schema>>;
const load = (options: Options = {}) =>
  loadConfig({
    schema,
    file: "sallyport.toml",
    text: "",
    ...options,
    env: { ...env, ...options.env },
  });

async function problemsOf(options: Options): Promise<readonly Problem[]> {
  try {
    await load(options);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("the file", () => {
  it("turns keys to camelCase and leaves names alone", async () => {
    const { config } = await load({
      text: `
        default_resource = "/mcp"
        [[resources]]
        path = "/mcp"
        required_scopes = ["read_all"]
        [scopes.read_all]
        step_up = true
        [groups]
        my_group = ["read_all"]
        [clients."https://client.example/some_id"]
        name = "c"
        redirect_uris = ["https://client.example/cb"]
        [headers.some_name]
        max_age = 5
        [[servers]]
        kind = "http"
        upstream_url = "http://localhost:1"
        timeout = "1m"
        [tokens]
        access_ttl = "5m"`,
    });
    expect(config.defaultResource).toBe("/mcp");
    expect(config.resources[0]?.requiredScopes).toEqual(["read_all"]);
    expect(config.scopes.read_all?.stepUp).toBe(true);
    expect(config.groups).toEqual({ my_group: ["read_all"] });
    expect(config.clients["https://client.example/some_id"]?.redirectUris).toEqual(["https://client.example/cb"]);
    expect(config.headers).toEqual({ some_name: { maxAge: 5 } });
    expect(config.servers).toEqual([{ kind: "http", upstreamUrl: "http://localhost:1", timeout: 60_000 }]);
    expect(config.tokens.accessTtl).toBe(300_000);
    expect(config.tokens.codeTtl).toBe(60_000);
    expect(config).not.toHaveProperty("console");
  });

  it("knows an empty table from none", async () => {
    expect((await load({ text: "[console]" })).config.console).toEqual({ pageSize: 20 });
  });

  it.each<[string, string, Problem]>([
    [
      "a camelCase key",
      "\n[tokens]\naccessTtl = '5m'",
      {
        setting: "tokens.accessTtl",
        source: "sallyport.toml:3",
        message: "is not a setting; did you mean tokens.access_ttl?",
      },
    ],
    [
      "a misspelt key",
      "lgo_level = 'info'",
      { setting: "lgo_level", source: "sallyport.toml:1", message: "is not a setting; did you mean log_level?" },
    ],
    [
      "a key of another table",
      "access_ttl = '5m'",
      {
        setting: "access_ttl",
        source: "sallyport.toml:1",
        message: "is not a setting here; did you mean tokens.access_ttl?",
      },
    ],
    [
      "a key in a list",
      "[[resources]]\npath = '/mcp'\nrequiredScopes = []",
      {
        setting: "resources[0].requiredScopes",
        source: "sallyport.toml:3",
        message: "is not a setting; did you mean resources[0].required_scopes?",
      },
    ],
    [
      "a key in a record",
      "[scopes.'a/b']\nwhatever = 1",
      { setting: 'scopes."a/b".whatever', source: "sallyport.toml:2", message: "is not a setting; remove it" },
    ],
    [
      "a key of another kind of entry",
      "[[servers]]\nkind = 'http'\nupstream_url = 'x'\ncommand_line = []",
      {
        setting: "servers[0].command_line",
        source: "sallyport.toml:1",
        message: "does not go with the other settings here; remove it",
      },
    ],
    [
      "a kind that is not there",
      "[[servers]]\nkind = 'htpt'",
      { setting: "servers[0].kind", source: "sallyport.toml:2", message: "must be http or stdio" },
    ],
    [
      "a value where a table belongs",
      "tokens = 5",
      { setting: "tokens", source: "sallyport.toml:1", message: "must be a table, not a number" },
    ],
    [
      "a duration without unit",
      "tokens.access_ttl = 600",
      {
        setting: "tokens.access_ttl",
        source: "sallyport.toml:1",
        message: "write a duration such as 15s, 10m, 8h or 30d, in quotes",
      },
    ],
    [
      "a duration that is too long",
      "tokens.access_ttl = '2h'",
      { setting: "tokens.access_ttl", source: "sallyport.toml:1", message: "must be at most 1h" },
    ],
    [
      "a wrong type",
      "[groups]\nadmins = 'all'",
      { setting: "groups.admins", source: "sallyport.toml:2", message: "must be a list, not a text" },
    ],
    [
      "a number that is too small",
      "limits.token = 0",
      { setting: "limits.token", source: "sallyport.toml:1", message: "must be at least 1" },
    ],
    [
      "a name that cannot be one",
      "[scopes.'a b']",
      {
        setting: 'scopes."a b"',
        source: "sallyport.toml:1",
        message: "this name cannot be used: a scope has no spaces, quotes or backslashes",
      },
    ],
    [
      "something left out in a list",
      "\n[[resources]]\nname = 'x'",
      { setting: "resources[0].path", source: "sallyport.toml:2", message: "is missing; add it" },
    ],
  ])("refuses %s", async (_, text, problem) => {
    expect(await problemsOf({ text })).toEqual([problem]);
  });

  it("names line and column of a syntax error, and none of the text", async () => {
    const problems = await problemsOf({ text: `a = 1\nclient_secret = secret-value` });
    expect(problems).toEqual([
      {
        setting: "sallyport.toml",
        source: "sallyport.toml:2:17",
        message: "is not valid TOML: invalid value (line 2, column 17)",
      },
    ]);
  });

  it("must be there", async () => {
    const problems = await loadConfig({ schema, file: "/nowhere/sallyport.toml", env }).catch(
      (error) => error.problems,
    );
    expect(problems).toEqual([
      {
        setting: "/nowhere/sallyport.toml",
        source: "/nowhere/sallyport.toml",
        message: "cannot be read: there is no such file",
      },
    ]);
  });

  it("is not needed", async () => {
    const { config } = await loadConfig({ schema, env });
    expect(config.cognito.userPoolId).toBe(env.COGNITO_USER_POOL_ID);
  });
});

describe("what is missing", () => {
  it("is named setting by setting, with the mend", async () => {
    const problems = await problemsOf({ env: Object.fromEntries(Object.keys(env).map((name) => [name, undefined])) });
    expect(problems.map(({ setting, source }) => [setting, source])).toEqual([
      ["base_url", "default"],
      ["cognito.user_pool_id", "default"],
      ["cognito.client_id", "default"],
      ["cognito.client_secret", "default"],
      ["cognito.domain", "default"],
    ]);
    expect(problems[1]?.message).toBe(
      "is missing: set cognito.user_pool_id, or the variable SALLYPORT_COGNITO_USER_POOL_ID",
    );
    expect(problems[3]?.message).toContain('for a public app client, which has no secret, to "none"');
  });

  it("is reported together with everything else that is wrong", async () => {
    const problems = await problemsOf({
      text: "bogus = 1\nlimits.token = 0\nallowed_origins = ['*']\n[groups]\ndevs = ['mcp/x']",
      env: { COGNITO_CLIENT_ID: undefined, SALLYPORT_LOG_LEVEL: "loud" },
    });
    expect(problems.map(({ setting }) => setting).sort()).toEqual([
      "allowed_origins[0]",
      "bogus",
      "cognito.client_id",
      "groups.devs[0]",
      "limits.token",
      "log_level",
    ]);
  });
});

describe("the environment", () => {
  it.each<[string, string, (config: z.output<typeof schema>) => unknown, unknown]>([
    ["SALLYPORT_TOKENS_ACCESS_TTL", "5m", (c) => c.tokens.accessTtl, 300_000],
    ["SALLYPORT_MAX_BODY", "1MiB", (c) => c.maxBody, 1024 ** 2],
    ["SALLYPORT_LIMITS_FAILED_CLIENT_AUTH", "7", (c) => c.limits.failedClientAuth, 7],
    ["SALLYPORT_REGISTRATION_ENABLED", "false", (c) => c.registration.enabled, false],
    ["SALLYPORT_REGISTRATION_ENABLED", "1", (c) => c.registration.enabled, true],
    [
      "SALLYPORT_REGISTRATION_CUSTOM_SCHEMES",
      "cursor, vscode",
      (c) => c.registration.customSchemes,
      ["cursor", "vscode"],
    ],
    ["SALLYPORT_COGNITO_SCOPES", "openid email", (c) => c.cognito.scopes, ["openid", "email"]],
    ["SALLYPORT_COGNITO_SCOPES", '["openid"]', (c) => c.cognito.scopes, ["openid"]],
    ["SALLYPORT_COGNITO_RESOURCE_SERVER", "mcp", (c) => c.cognito.resourceServer, "mcp"],
    ["SALLYPORT_COGNITO_IDENTITY_PROVIDER", "Okta", (c) => c.cognito.identityProvider, "Okta"],
    ["SALLYPORT_COGNITO_IDP_IDENTIFIER", "example.com", (c) => c.cognito.idpIdentifier, "example.com"],
    ["SALLYPORT_COGNITO_LANG", "de", (c) => c.cognito.lang, "de"],
    ["SALLYPORT_COGNITO_PROMPT", "select_account", (c) => c.cognito.prompt, "select_account"],
    ["SALLYPORT_COGNITO_ACR_VALUES", "a:2 a:1", (c) => c.cognito.acrValues, ["a:2", "a:1"]],
    ["SALLYPORT_COGNITO_RESOURCE", "https://a.example/mcp", (c) => c.cognito.resource, "https://a.example/mcp"],
    ["SALLYPORT_COGNITO_CLAIMS", "custom:tenant,locale", (c) => c.cognito.claims, ["custom:tenant", "locale"]],
    ["SALLYPORT_COGNITO_CLAIMS", "[]", (c) => c.cognito.claims, []],
    ["SALLYPORT_COGNITO_USER_INFO", "true", (c) => c.cognito.userInfo, true],
    ["SALLYPORT_COGNITO_TIMEOUT", "3s", (c) => c.cognito.timeout, 3000],
    ["SALLYPORT_SCOPES", '{"my_read":{"step_up":true}}', (c) => c.scopes, { my_read: { includes: [], stepUp: true } }],
    ["SALLYPORT_RESOURCES", '[{"path":"/x"}]', (c) => c.resources, [{ path: "/x", requiredScopes: [] }]],
    ["SALLYPORT_COGNITO_CLIENT_SECRET", "none", (c) => c.cognito.clientSecret, null],
    ["COGNITO_CLIENT_SECRET", "none", (c) => c.cognito.clientSecret, null],
    ["SALLYPORT_COGNITO_DOMAIN", "other", (c) => c.cognito.domain, "other"],
    ["SALLYPORT_STORE", "", (c) => c.store, "sqlite:./.sallyport/store.db"],
    ["SALLYPORT_CONSOLE_PAGE_SIZE", "9", (c) => c.console, { pageSize: 9 }],
  ])("reads %s=%s", async (name, value, pick, expected) => {
    expect(pick((await load({ env: { [name]: value } })).config)).toEqual(expected);
  });

  it("takes several root secrets, separated by space or comma", async () => {
    const [one, two] = ["abcdefghijklmnopqrstuvwxyz012345", "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"];
    for (const text of [`${one} ${two}`, `${one},${two}`, JSON.stringify([one, two])]) {
      expect((await load({ env: { SALLYPORT_SECRET: text } })).config.secret).toEqual([one, two]);
    }
  });

  it.each<[string, string, string]>([
    ["SALLYPORT_LIMITS_TOKEN", "many", "must be a number, not a text"],
    ["SALLYPORT_REGISTRATION_ENABLED", "maybe", "must be true or false, not a text"],
    ["SALLYPORT_GROUPS", "{devs", "is not valid JSON; write an object as JSON, with the keys of the file"],
    ["SALLYPORT_GROUPS", "devs", "is not valid JSON; write an object as JSON, with the keys of the file"],
    ["SALLYPORT_RESOURCES", "/mcp", "is not valid JSON; write a list as JSON, with the keys of the file"],
  ])("refuses %s=%s", async (name, value, message) => {
    const problems = await problemsOf({ env: { [name]: value } });
    expect(problems).toEqual([{ setting: expect.any(String), source: name, message }]);
  });

  it("does not let the rules judge by a setting that could not be read", async () => {
    const problems = await problemsOf({ text: "[groups]\ndevs = ['mcp/read']", env: { SALLYPORT_SCOPES: "{mcp" } });
    expect(problems.map(({ setting }) => setting)).toEqual(["scopes"]);
  });

  it("refuses an unknown key in JSON", async () => {
    expect(await problemsOf({ env: { SALLYPORT_RESOURCES: '[{"path":"/x","requiredScopes":[]}]' } })).toEqual([
      {
        setting: "resources[0].requiredScopes",
        source: "SALLYPORT_RESOURCES",
        message: "is not a setting; did you mean resources[0].required_scopes?",
      },
    ]);
  });

  it.each([
    ["SALLYPORT_COGNTIO_DOMAIN", "did you mean SALLYPORT_COGNITO_DOMAIN?"],
    ["SALLYPORT_USER_POOL_ID", "did you mean SALLYPORT_COGNITO_USER_POOL_ID?"],
    ["SALLYPORT_XQZW", "it has no effect"],
  ])("warns of %s", async (name, hint) => {
    const { warnings } = await load({ env: { [name]: "x" } });
    expect(warnings).toEqual([{ setting: name, source: name, message: expect.stringContaining(hint) }]);
  });

  it("does not warn of what is to be ignored", async () => {
    const { warnings } = await load({
      env: { SALLYPORT_CONFIG: "x", SALLYPORT_TEST_A: "x" },
      ignoreEnv: ["SALLYPORT_CONFIG", "SALLYPORT_TEST_*"],
    });
    expect(warnings).toEqual([]);
  });

  it("warns when two names of a setting disagree", async () => {
    const { config, warnings } = await load({ env: { SALLYPORT_COGNITO_DOMAIN: "other" } });
    expect(config.cognito.domain).toBe("other");
    expect(warnings).toEqual([
      {
        setting: "cognito.domain",
        source: "SALLYPORT_COGNITO_DOMAIN",
        message: "COGNITO_DOMAIN says something else and is not used",
      },
    ]);
  });
});

describe("required scopes", () => {
  const text = `
    [[resources]]
    path = "/a"
    [[resources]]
    path = "/b"
    required_scopes = ["mcp/write"]
    [[resources]]
    path = "/c"
    required_scopes = []
    [scopes]
    "mcp/read" = {}
    "mcp/write" = {}`;

  it.each(["mcp/read", " mcp/read ", '["mcp/read"]', "openid,mcp/read"])(
    "from SALLYPORT_REQUIRED_SCOPES=%s hold where none are set",
    async (value) => {
      const { config } = await load({ text, env: { SALLYPORT_REQUIRED_SCOPES: value } });
      expect(config.resources.map((resource) => resource.requiredScopes)).toEqual([["mcp/read"], ["mcp/write"], []]);
    },
  );

  it("may have short names; what comes out is as configured, in every place that names a scope", async () => {
    const { config } = await load({
      text: `${text.replace('"mcp/write" = {}', '"mcp/write".includes = ["read"]')}
        [groups]
        readers = ["read", "mcp/write"]
        [machines.robot]
        scopes = ["write"]
        [registration]
        default_scopes = ["read"]
        [cognito]
        scopes = ["openid", "read"]`,
      env: { SALLYPORT_REQUIRED_SCOPES: "openid read" },
    });
    expect(config.requiredScopes).toEqual(["mcp/read"]);
    expect(config.resources.map((resource) => resource.requiredScopes)).toEqual([["mcp/read"], ["mcp/write"], []]);
    expect(config.scopes["mcp/write"]?.includes).toEqual(["mcp/read"]);
    expect(config.groups).toEqual({ readers: ["mcp/read", "mcp/write"] });
    expect(config.machines.robot?.scopes).toEqual(["mcp/write"]);
    expect(config.registration.defaultScopes).toEqual(["mcp/read"]);
    // These are Cognito's own and none of ours.
    expect(config.cognito.scopes).toEqual(["openid", "read"]);
  });

  it("may have full names where the resource server is named", async () => {
    const { config } = await load({
      text: "scopes.read = {}\ncognito.resource_server = 'mcp'\n[[resources]]\npath = '/a'",
      env: { SALLYPORT_REQUIRED_SCOPES: "mcp/read" },
    });
    expect(config.resources[0]?.requiredScopes).toEqual(["read"]);
  });

  it("leave out identity scopes, with a warning", async () => {
    const { config, warnings } = await load({ text, env: { SALLYPORT_REQUIRED_SCOPES: "openid email" } });
    expect(config.requiredScopes).toEqual([]);
    expect(warnings[0]).toMatchObject({ setting: "required_scopes", source: "SALLYPORT_REQUIRED_SCOPES" });
    expect(warnings[0]?.message).toMatch(/^openid, email: ignored/);
  });

  it("that are unknown are reported once, with their source", async () => {
    const problems = await problemsOf({ text, env: { SALLYPORT_REQUIRED_SCOPES: "mcp/raed" } });
    expect(problems).toEqual([
      {
        setting: "required_scopes[0]",
        source: "SALLYPORT_REQUIRED_SCOPES",
        message: 'there is no scope "mcp/raed"; did you mean mcp/read? (known: mcp/read, mcp/write)',
      },
    ]);
  });

  it("make the scopes known where none are written down", async () => {
    const { config } = await load({
      text: "[[resources]]\npath = '/a'\nscopes = ['mcp/read']",
      env: { SALLYPORT_REQUIRED_SCOPES: "mcp/read" },
    });
    expect(config.scopes).toEqual({ "mcp/read": { includes: [], stepUp: false } });
  });
});

describe("scopes that nobody wrote down", () => {
  it("are made of what resources name; a short name beside a full one is no scope of its own", async () => {
    const { config } = await load({
      text: "[[resources]]\npath = '/a'\nrequired_scopes = ['read']\n[[resources]]\npath = '/b'\nscopes = ['mcp/read']",
    });
    expect(Object.keys(config.scopes)).toEqual(["mcp/read"]);
    expect(config.resources[0]?.requiredScopes).toEqual(["mcp/read"]);
  });

  it("are not guessed where a short name could be several", async () => {
    const problems = await problemsOf({
      text: "[[resources]]\npath = '/a'\nrequired_scopes = ['read']\n[[resources]]\npath = '/b'\nscopes = ['x/read', 'y/read']",
    });
    expect(problems).toMatchObject([
      {
        setting: "resources[0].required_scopes[0]",
        message: '"read" could be x/read or y/read; write one of them in full',
      },
    ]);
  });
});

describe("FastMCP's variables", () => {
  const prefix = "FASTMCP_SERVER_AUTH_AWS_COGNITO_";
  const fastmcp = (entries: Record<string, string>) => ({
    ...Object.fromEntries(Object.keys(env).map((name) => [name, undefined])),
    COGNITO_DOMAIN: "example",
    ...Object.fromEntries(Object.entries(entries).map(([name, value]) => [prefix + name, value])),
  });
  const full = {
    USER_POOL_ID: "eu-central-1_AbCdEfGhI",
    CLIENT_ID: "4example",
    CLIENT_SECRET: "none",
    BASE_URL: "https://old.example.com",
    ISSUER_URL: "https://issuer.example.com",
    REQUIRED_SCOPES: "openid,email,mcp/read",
    AWS_REGION: "eu-central-1",
    REDIRECT_PATH: "auth/callback",
  };

  it("are read, with a notice for each", async () => {
    const notices: string[] = [];
    const { config, sources } = await load({
      env: fastmcp(full),
      text: "[scopes.'mcp/read']",
      notice: (message) => notices.push(message),
    });
    expect(config.cognito).toMatchObject({
      userPoolId: "eu-central-1_AbCdEfGhI",
      clientId: "4example",
      clientSecret: null,
    });
    expect(config).toMatchObject({ baseUrl: full.BASE_URL, issuer: full.ISSUER_URL, requiredScopes: ["mcp/read"] });
    expect(sources.base_url).toBe(`${prefix}BASE_URL`);
    expect(notices).toHaveLength(8);
    expect(notices).toContain(
      `${prefix}BASE_URL is read as base_url if nothing else sets that; write SALLYPORT_BASE_URL instead`,
    );
  });

  it("become warnings when nobody listens", async () => {
    const { warnings } = await load({ env: { [`${prefix}AWS_REGION`]: "eu-central-1" } });
    expect(warnings.map((warning) => warning.message)).toEqual([expect.stringContaining("is not needed")]);
  });

  it("count less than the file", async () => {
    const { config } = await load({
      env: fastmcp(full),
      text: "base_url = 'https://new.example.com'\nscopes.'mcp/read' = {}",
    });
    expect(config.baseUrl).toBe("https://new.example.com");
  });

  it("refuse another region than the pool's", async () => {
    const problems = await problemsOf({ env: { [`${prefix}AWS_REGION`]: "us-east-1" } });
    expect(problems).toMatchObject([{ setting: "cognito.user_pool_id", source: `${prefix}AWS_REGION` }]);
    expect(problems[0]?.message).toContain("begins with eu-central-1; correct the id or unset");
  });

  it("refuse another callback path", async () => {
    const problems = await problemsOf({ env: { [`${prefix}REDIRECT_PATH`]: "/oauth/cb" } });
    expect(problems).toMatchObject([{ source: `${prefix}REDIRECT_PATH` }]);
    expect(problems[0]?.message).toContain("allow <base_url>/auth/callback as a callback URL");
  });
});

describe("precedence", () => {
  it("is code, environment, file, default", async () => {
    const text = "log_level = 'warn'\nstore = 'sqlite:./file.db'\nlisten = 'file'";
    const { config, sources } = await load({
      text,
      env: { SALLYPORT_LOG_LEVEL: "error", SALLYPORT_STORE: "sqlite:./env.db" },
      overrides: { logLevel: "debug", tokens: { accessTtl: "2m", codeTtl: undefined } },
    });
    expect(config).toMatchObject({ logLevel: "debug", store: "sqlite:./env.db", listen: "file", logFormat: "text" });
    expect(config.tokens).toMatchObject({ accessTtl: 120_000, codeTtl: 60_000 });
    expect(sources).toMatchObject({
      log_level: "code",
      store: "SALLYPORT_STORE",
      listen: "sallyport.toml:3",
      log_format: "default",
      "tokens.access_ttl": "code",
      "tokens.code_ttl": "default",
      "cognito.domain": "COGNITO_DOMAIN",
    });
  });

  it("is led by no default of the program over what the file or the environment sets", async () => {
    const seen: Record<string, boolean> = {};
    const { config } = await load({
      text: '[scopes."own/read"]\n[tokens]\naccess_ttl = "5m"\n',
      env: { SALLYPORT_LOG_LEVEL: "debug" },
      defaults: (isSet) => {
        for (const key of ["scopes", "tokens", "token", "logLevel", "groups"]) seen[key] = isSet([key]);
        seen.accessTtl = isSet(["tokens", "accessTtl"]);
        seen.codeTtl = isSet(["tokens", "codeTtl"]);
        return { scopes: { given: {} }, logLevel: "warn", tokens: { codeTtl: "30s" }, logFormat: "json" };
      },
    });
    expect(seen).toEqual({
      scopes: true,
      tokens: true,
      token: false,
      logLevel: true,
      groups: false,
      accessTtl: true,
      codeTtl: false,
    });
    expect(config).toMatchObject({
      scopes: { "own/read": {} },
      logLevel: "debug",
      logFormat: "json",
      tokens: { accessTtl: 300_000, codeTtl: 30_000 },
    });
  });

  it("replaces lists and records as a whole", async () => {
    const { config } = await load({ text: "[groups]\na = []\n[scopes]\nx = {}", overrides: { groups: { b: ["x"] } } });
    expect(config.groups).toEqual({ b: ["x"] });
  });

  it("refuses an unknown override", async () => {
    expect(await problemsOf({ overrides: { base_url: "https://x", tokens: { acessTtl: "1m" } } })).toEqual([
      { setting: "base_url", source: "code", message: "is not a setting; did you mean baseUrl?" },
      { setting: "tokens.acessTtl", source: "code", message: "is not a setting; did you mean tokens.accessTtl?" },
    ]);
  });
});

describe("secrets by reference", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "sallyport-config-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  const withSecret = (reference: string, more: Record<string, string> = {}) =>
    load({
      text: `[cognito]\nclient_secret = ${JSON.stringify(reference)}`,
      file: join(folder, "sallyport.toml"),
      env: { COGNITO_CLIENT_SECRET: undefined, ...more },
    });

  it("come from variables", async () => {
    expect((await withSecret("env:MY_SECRET", { MY_SECRET: "s1" })).config.cognito.clientSecret).toBe("s1");
  });

  it("come from files, beside the configuration, without the last line break", async () => {
    await writeFile(join(folder, "secret"), "s1\r\n", { mode: 0o600 });
    const { config, warnings } = await withSecret("file:./secret");
    expect(config.cognito.clientSecret).toBe("s1");
    expect(warnings).toEqual([]);
  });

  it.skipIf(process.platform === "win32")("warn of files that others can read", async () => {
    await writeFile(join(folder, "secret"), "s1\n");
    await chmod(join(folder, "secret"), 0o640);
    const { warnings } = await withSecret("file:secret");
    expect(warnings).toMatchObject([{ setting: "cognito.client_secret" }]);
    expect(warnings[0]?.message).toBe("other users can read the file secret; chmod 600 it");
  });

  it.each([
    ["env:MY_SECRET", "the environment variable MY_SECRET is not set; set it"],
    ["env:", "write env:NAME with the name of a variable"],
    ["env:not a name", "write env:NAME with the name of a variable"],
    ["file:", "write file:path with the path of a file"],
    ["file:nowhere", "the file nowhere cannot be read: there is no such file"],
    ["file:.", "the file . cannot be read: it is a folder"],
  ])("are refused when there is nothing at %s", async (reference, message) => {
    const error = await withSecret(reference).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.problems).toEqual([
      { setting: "cognito.client_secret", source: `${join(folder, "sallyport.toml")}:2`, message },
    ]);
  });

  it("work in lists and in records, and are not judged as secrets when they are not found", async () => {
    const problems = await problemsOf({
      text: `
        secret = ["env:GONE"]
        [registration]
        initial_access_tokens = ["file:gone"]
        [api_keys]
        first = "file:gone"`,
    });
    const settings = problems.map(({ setting }) => setting).toSorted();
    expect(settings).toEqual(["api_keys.first", "registration.initial_access_tokens[0]", "secret[0]"]);
  });

  it("are followed for secret settings only", async () => {
    const { config } = await load({ text: "[[resources]]\npath = '/mcp'\nname = 'env:HOME'" });
    expect(config.resources[0]?.name).toBe("env:HOME");
  });
});

it("never repeats a secret in an error, even when a schema does", async () => {
  const leaky = combine([
    coreSection,
    z.strictObject({
      apiKey: z
        .string()
        .meta({ secret: true })
        .refine(() => false, { error: (issue) => `bad: ${String(issue.input)}` }),
    }),
  ]);
  const error = await loadConfig({
    schema: leaky,
    env: { ...env, SALLYPORT_API_KEY: "leaky-api-key", SALLYPORT_SECRET: "weak-secret" },
  }).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(ConfigError);
  expect(error.problems.map((problem: Problem) => problem.setting)).toEqual(["api_key", "secret[0]"]);
  expect(JSON.stringify(error.problems) + error.message + error.stack).not.toMatch(/leaky-api-key|weak-secret/);
});
