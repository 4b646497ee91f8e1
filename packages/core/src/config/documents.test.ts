import { describe, expect, it } from "vitest";
import { z } from "zod";
import { combine, configJsonSchema, coreSection, loadConfig, settingsReference, showConfig } from "./index.ts";

const extra = z.strictObject({
  listen: z.string().default("127.0.0.1:8000"),
  apiKeys: z.record(z.string(), z.string().meta({ secret: true })).default({}),
  servers: z.array(z.strictObject({ upstreamUrl: z.string(), headers: z.record(z.string(), z.string()) })).default([]),
});
const schema = combine([coreSection, extra]);
const env = {
  COGNITO_USER_POOL_ID: "eu-central-1_AbCdEfGhI",
  COGNITO_CLIENT_ID: "4example",
  COGNITO_CLIENT_SECRET: "1example-client-secret-value1",
  COGNITO_DOMAIN: "example",
  SALLYPORT_REQUIRED_SCOPES: "mcp/read",
};
const text = `base_url = "https://mcp.example.com"
[[resources]]
path = "/mcp"
[scopes."mcp/read"]
[groups]
team_a = ["mcp/read"]
[api_keys]
some_key = "key-value-1"
[[servers]]
upstream_url = "https://user:hunter2@up.example"
headers = { x_one = "1" }
`;

describe("showConfig", () => {
  it("shows values as they are written, with their sources, and no secret", async () => {
    const rows = showConfig(await loadConfig({ schema, env, text, file: "sallyport.toml" }));
    const bySetting = Object.fromEntries(rows.map(({ setting, value, source }) => [setting, [value, source]]));
    expect(bySetting).toMatchObject({
      base_url: ["https://mcp.example.com", "sallyport.toml:1"],
      "cognito.client_secret": ["••••", "COGNITO_CLIENT_SECRET"],
      "cognito.scopes": ['["openid","email","profile"]', "default"],
      "resources[0].path": ["/mcp", "sallyport.toml:3"],
      "resources[0].required_scopes": ['["mcp/read"]', "SALLYPORT_REQUIRED_SCOPES"],
      'scopes."mcp/read".step_up': ["false", "default"],
      "groups.team_a": ['["mcp/read"]', "sallyport.toml:6"],
      "api_keys.some_key": ["••••", "sallyport.toml:8"],
      "servers[0].upstream_url": ["https://user:••••@up.example", "sallyport.toml:10"],
      "servers[0].headers.x_one": ["1", "sallyport.toml:11"],
      "tokens.access_ttl": ["10m", "default"],
      machines: ["{}", "default"],
      secret: ["[]", "default"],
    });
    expect(bySetting).not.toHaveProperty("issuer");
    expect(JSON.stringify(rows)).not.toMatch(/client-secret-value|key-value|hunter2/);
  });

  it("shows that there is no client secret", async () => {
    const loaded = await loadConfig({ schema, env: { ...env, COGNITO_CLIENT_SECRET: "none" }, text });
    expect(showConfig(loaded)).toContainEqual({
      setting: "cognito.client_secret",
      value: "none",
      source: "COGNITO_CLIENT_SECRET",
    });
  });
});

describe("configJsonSchema", () => {
  const generated = configJsonSchema(schema);

  it("has the keys of the file", () => {
    expect(generated).toMatchObject({
      type: "object",
      additionalProperties: false,
      properties: {
        base_url: { type: "string", description: coreSection.shape.baseUrl.description },
        tokens: { properties: { access_ttl: { type: "string", default: "10m" } } },
        resources: { items: { required: ["path"], properties: { required_scopes: { type: "array" } } } },
        servers: { items: { required: ["upstream_url", "headers"] } },
        log_level: { enum: ["debug", "info", "warn", "error"] },
      },
    });
  });

  it("requires nothing that the environment may hold", () => {
    expect(generated).not.toHaveProperty("required");
    expect(generated).not.toHaveProperty(["properties", "cognito", "required"]);
  });

  it("has no null and none of our own keywords", () => {
    expect(generated).toHaveProperty(["properties", "cognito", "properties", "client_secret", "writeOnly"], true);
    const keywords = new Set<string>();
    const collect = (node: unknown): void => {
      if (typeof node !== "object" || node === null) return;
      for (const [key, value] of Object.entries(node)) {
        keywords.add(key);
        if (key !== "properties") collect(value);
        else for (const child of Object.values(value)) collect(child);
      }
    };
    collect(generated);
    expect([...keywords].filter((key) => /[A-Z]|secret|kind/.test(key)).sort()).toEqual([
      "additionalProperties",
      "anyOf",
      "maxItems",
      "maxLength",
      "minItems",
      "minLength",
      "propertyNames",
      "writeOnly",
    ]);
    expect(JSON.stringify(generated)).not.toContain('"type":"null"');
  });
});

describe("settingsReference", () => {
  const markdown = settingsReference(schema);

  it.each([
    "| `base_url` | URL | required | `SALLYPORT_BASE_URL` | Public URL of this deployment. Every URL we give out starts with it. |",
    "| `tokens.access_ttl` | duration | `10m` | `SALLYPORT_TOKENS_ACCESS_TTL` |  |",
    "| `registration.cap` | whole number | `10000` | `SALLYPORT_REGISTRATION_CAP` |",
    "| `secret` | list of secrets | `[]` | `SALLYPORT_SECRET` |",
    "| `cognito.client_secret` | secret, or `none` | required | `SALLYPORT_COGNITO_CLIENT_SECRET`, `COGNITO_CLIENT_SECRET` |",
    "| `resources[].required_scopes` | list of scopes | `[]` |  |",
    "| `clients.<name>.first_party` | `true` or `false` | `false` |  |",
    "| `log_format` | `text` or `json` | `text` | `SALLYPORT_LOG_FORMAT` |",
    "| `api_keys` | table of name → secret | `{}` | `SALLYPORT_API_KEYS` |",
  ])("has %s", (row) => {
    expect(markdown).toContain(row.replace(/ $/, ""));
  });

  it("has a row for each setting, with as many cells as columns", () => {
    const rows = markdown.split("\n").filter((line) => line.startsWith("| `"));
    expect(rows.length).toBeGreaterThan(50);
    for (const row of rows) expect(row.replaceAll("\\|", "").split("|")).toHaveLength(7);
  });
});
