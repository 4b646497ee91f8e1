import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError, loadConfigFile, type PoolConfig, startCognitoEmulator } from "../src/index.ts";
import { callback, pool, secret, web } from "./support.ts";

/** The problems of starting with this pool, as `path: message`. */
async function problems(config: unknown, options: object = {}): Promise<string[]> {
  try {
    const emulator = await startCognitoEmulator({ port: 0, pool: config as PoolConfig, ...options });
    await emulator.close();
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

const client = { ...web, id: "web" };
const withClient = (change: object) => ({ ...pool, clients: [{ ...client, ...change }] });
const machine = { id: "m", secret, allowedOAuthFlows: ["client_credentials"], scopes: ["mcp/read"] };

describe("what is wrong with a pool is said by its place", () => {
  const rows: [string, unknown, RegExp][] = [
    ["nothing at all", undefined, /^pool: /],
    ["pool id", { ...pool, id: "local_1" }, /^pool\.id: must look like us-east-1_AbCdEfGhI/],
    ["no client", { ...pool, clients: [] }, /^pool\.clients: /],
    ["unknown key of the pool", { ...pool, tier: "PLUS" }, /^pool\.tier: is not a known setting/],
    [
      "unknown key of a client",
      withClient({ callbackUrl: callback }),
      /^pool\.clients\[0\]\.callbackUrl: is not a known/,
    ],
    ["client id", withClient({ id: "my client" }), /^pool\.clients\[0\]\.id: /],
    ["client id that stands twice", { ...pool, clients: [client, client] }, /^pool\.clients\[1\]\.id: stands twice/],
    ["short secret", withClient({ secret: "short" }), /^pool\.clients\[0\]\.secret: must be 24 to 128/],
    ["three secrets", withClient({ secrets: [secret, secret, secret] }), /^pool\.clients\[0\]\.secrets: /],
    ["secret and secrets", withClient({ secret, secrets: [secret] }), /secrets: give either secret or secrets/],
    ["no callback URL", withClient({ callbackUrls: [] }), /callbackUrls: needs at least one URL/],
    [
      "relative callback URL",
      withClient({ callbackUrls: ["/callback"] }),
      /callbackUrls\[0\]: must be an absolute URL/,
    ],
    ["http to another host", withClient({ callbackUrls: ["http://example.com/"] }), /callbackUrls\[0\]: must be https/],
    [
      "wildcard",
      withClient({ callbackUrls: ["https://*.example.com/"] }),
      /callbackUrls\[0\]: must not hold a wildcard/,
    ],
    [
      "fragment",
      withClient({ callbackUrls: ["https://example.com/#x"] }),
      /callbackUrls\[0\]: must not have a fragment/,
    ],
    [
      "scheme that a browser runs",
      withClient({ logoutUrls: ["javascript:alert(1)"] }),
      /logoutUrls\[0\]: must not use/,
    ],
    [
      "default redirect URI",
      withClient({ defaultRedirectUri: "https://x.example" }),
      /defaultRedirectUri: must be one of/,
    ],
    ["access token too short", withClient({ accessTokenValidity: "4m" }), /accessTokenValidity: must be from 5m to 1d/],
    ["ID token too long", withClient({ idTokenValidity: 86_401 }), /idTokenValidity: must be from 5m to 1d/],
    [
      "refresh token too short",
      withClient({ refreshTokenValidity: "59m" }),
      /refreshTokenValidity: must be from 60m to 3650d/,
    ],
    [
      "duration that is none",
      withClient({ accessTokenValidity: "1 hour" }),
      /accessTokenValidity: must be whole seconds/,
    ],
    ["grace", withClient({ refreshTokenRotation: { retryGracePeriodSeconds: 61 } }), /retryGracePeriodSeconds: /],
    ["scope that stands twice", withClient({ scopes: ["openid", "openid"] }), /scopes\[1\]: openid stands twice/],
    ["scope that does not exist", withClient({ scopes: ["mcp/x"] }), /scopes\[0\]: mcp\/x does not exist/],
    ["offline_access", withClient({ scopes: ["offline_access"] }), /scopes\[0\]: offline_access does not exist/],
    ["unknown flow", withClient({ allowedOAuthFlows: ["device"] }), /allowedOAuthFlows\[0\]: /],
    ["attribute that is none", withClient({ readAttributes: ["mail"] }), /readAttributes\[0\]: is not an attribute/],
    [
      "machine with another flow",
      {
        ...pool,
        clients: [{ ...machine, allowedOAuthFlows: ["client_credentials", "code"], callbackUrls: [callback] }],
      },
      /allowedOAuthFlows: client_credentials stands alone/,
    ],
    ["machine without a secret", { ...pool, clients: [{ ...machine, secret: undefined }] }, /secret: is needed/],
    [
      "machine with openid",
      { ...pool, clients: [{ ...machine, scopes: ["openid"] }] },
      /scopes\[0\]: openid is for users/,
    ],
    [
      "scope name with a slash",
      { ...pool, resourceServers: [{ identifier: "mcp", scopes: [{ name: "a/b" }] }] },
      /resourceServers\[0\]\.scopes\[0\]\.name: must hold no/,
    ],
    ["user without a password", { ...pool, users: [{ username: "x" }] }, /users\[0\]\.password: /],
    [
      "user that stands twice",
      {
        ...pool,
        users: [
          { username: "x", password: "p" },
          { username: "X", password: "p" },
        ],
      },
      /users\[1\]\.username: stands twice/,
    ],
    [
      "unknown group",
      { ...pool, users: [{ username: "x", password: "p", groups: ["nobodies"] }] },
      /users\[0\]\.groups\[0\]: nobodies is not one/,
    ],
    [
      "unknown identity provider",
      { ...pool, users: [{ username: "x", password: "p", identityProvider: "Okta" }] },
      /users\[0\]\.identityProvider: Okta is not one/,
    ],
    [
      "identity provider that stands twice",
      { ...pool, identityProviders: [{ name: "Okta" }, { name: "Okta" }] },
      /identityProviders\[1\]\.name: stands twice/,
    ],
    [
      "identifier of two identity providers",
      {
        ...pool,
        identityProviders: [
          { name: "Okta", identifiers: ["x.example"] },
          { name: "Entra", identifiers: ["x.example"] },
        ],
      },
      /identityProviders\[1\]\.identifiers\[0\]: stands twice/,
    ],
    [
      "identity provider called as the pool's own directory",
      { ...pool, identityProviders: [{ name: "COGNITO" }] },
      /identityProviders\[0\]\.name: is the pool's own/,
    ],
    [
      "claim to suppress that is no attribute",
      { ...pool, claimsToSuppress: ["sub"] },
      /claimsToSuppress\[0\]: is not an attribute/,
    ],
    [
      "unknown attribute",
      { ...pool, users: [{ username: "x", password: "p", attributes: { mail: "x" } }] },
      /users\[0\]\.attributes\.mail: is not an attribute/,
    ],
    [
      "verified that is neither",
      { ...pool, users: [{ username: "x", password: "p", attributes: { email_verified: "yes" } }] },
      /attributes\.email_verified: must be true or false/,
    ],
    [
      "attribute too long",
      { ...pool, users: [{ username: "x", password: "p", attributes: { "custom:x": "x".repeat(2049) } }] },
      /attributes\["custom:x"\]: must not be longer/,
    ],
    [
      "status",
      { ...pool, users: [{ username: "x", password: "p", status: "FORCE_CHANGE_PASSWORD" }] },
      /users\[0\]\.status: /,
    ],
    [
      "no e-mail address",
      { ...pool, signInWith: "email", users: [{ username: "x", password: "p" }] },
      /users\[0\]\.username: must be an e-mail address/,
    ],
    [
      "another e-mail address",
      { ...pool, signInWith: "email", users: [{ username: "x@y", password: "p", attributes: { email: "z@y" } }] },
      /attributes\.email: must be the user name/,
    ],
  ];
  test.each(rows)("%s", async (_name, config, expected) => {
    const found = await problems(config);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  test("all at once: a spelling mistake does not hide what another section has", async () => {
    const found = await problems({
      ...pool,
      extra: 1,
      clients: [
        { ...client, scopes: ["mcp/x"] },
        { ...machine, secret: "short" },
      ],
      users: [{ username: "x", password: "p", groups: ["nobodies"] }],
    });
    expect(found.map((line) => line.split(":")[0]).toSorted()).toEqual([
      "pool.clients[1].secret",
      "pool.extra",
      "pool.users[0].groups[0]",
    ]);
  });

  test("no secret stands in an error", async () => {
    const hidden = "hunter2";
    const config = { ...withClient({ secret: hidden }), users: [{ username: "x y", password: hidden }] };
    const found = await problems(config);
    expect(found).toHaveLength(2);
    expect(found.join()).not.toContain(hidden);
  });

  const options: [object, string][] = [
    [{ port: 70_000 }, "port"],
    [{ baseUrl: "http://localhost:9229/" }, "baseUrl"],
    [{ baseUrl: "localhost:9229" }, "baseUrl"],
    [{ issuer: "cognito" }, "issuer"],
    [{ issuer: "https://x.example/" }, "issuer"],
  ];
  test.each(options)("option %o", async (option, path) => {
    expect((await problems(pool, option)).map((line) => line.split(":")[0])).toEqual([path]);
  });
});

test("a taken port is one clear line", async () => {
  const first = await startCognitoEmulator({ port: 0, pool });
  await expect(startCognitoEmulator({ port: first.port, pool })).rejects.toThrow(
    `The Cognito emulator cannot listen on 127.0.0.1 port ${first.port}: the port is taken`,
  );
  await first.close();
});

test("the live pool can be read, without passwords and secrets", async () => {
  const emulator = await startCognitoEmulator({ port: 0, pool });
  expect(emulator.pool.user("ALICE")).toMatchObject({
    username: "alice",
    groups: ["admins", "readers"],
    enabled: true,
  });
  expect(emulator.pool.user(emulator.pool.user("bob")?.sub ?? "")?.username).toBe("bob");
  expect(emulator.pool.clients().find(({ id }) => id === "web")).toMatchObject({ confidential: true, name: "Web app" });
  const all = JSON.stringify([emulator.pool.users(), emulator.pool.clients()]);
  expect(all).not.toContain("Password-1");
  expect(all).not.toContain(secret);
  expect(() => emulator.pool.disableUser("nobody")).toThrow("The pool has no user nobody");
  expect(() => emulator.pool.setGroups("bob", ["nobodies"])).toThrow("The pool has no group nobodies");
  expect(() => emulator.pool.removeScope("mcp/nothing")).toThrow("The pool has no custom scope mcp/nothing");
  await emulator.close();
});

describe("a configuration file", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "cognito-emulator-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const write = async (name: string, text: string): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, text);
    return file;
  };
  const failure = async (name: string, text: string): Promise<string> => {
    const error: unknown = await loadConfigFile(await write(name, text)).catch((caught: unknown) => caught);
    if (!(error instanceof ConfigError)) throw new Error("the file was accepted");
    return error.message;
  };

  const toml = `port = 9300
base_url = "http://localhost:9300"
[pool]
id = "eu-west-1_FromToml1"
sign_in_with = "email"
[[pool.clients]]
id = "web"
allowed_oauth_flows = ["code"]
scopes = ["openid"]
callback_urls = ["http://localhost:3000/callback"]
access_token_validity = "10m"
refresh_token_rotation = { enabled = true, retry_grace_period_seconds = 30 }
[[pool.users]]
username = "eve@example.com"
password = "hunter2hunter2"
attributes = { given_name = "Eve", "custom:Team" = "red" }
`;

  test("in TOML has settings in snake_case and attributes as they are", async () => {
    expect(await loadConfigFile(await write("good.toml", toml))).toEqual({
      port: 9300,
      baseUrl: "http://localhost:9300",
      pool: {
        id: "eu-west-1_FromToml1",
        signInWith: "email",
        clients: [
          {
            id: "web",
            allowedOAuthFlows: ["code"],
            scopes: ["openid"],
            callbackUrls: ["http://localhost:3000/callback"],
            accessTokenValidity: "10m",
            refreshTokenRotation: { enabled: true, retryGracePeriodSeconds: 30 },
          },
        ],
        users: [
          {
            username: "eve@example.com",
            password: "hunter2hunter2",
            attributes: { given_name: "Eve", "custom:Team": "red" },
          },
        ],
      },
    });
  });

  test("in JSON is read the same way", async () => {
    const file = await write(
      "good.json",
      JSON.stringify({
        pool: { id: pool.id, clients: [{ id: "web", scopes: ["openid"], callback_urls: [callback] }] },
      }),
    );
    expect((await loadConfigFile(file)).pool.clients[0]?.callbackUrls).toEqual([callback]);
  });

  test("reports every problem in the file's own spelling", async () => {
    const text = toml
      .replace("10m", "1m")
      .replace("base_url", "base_uri")
      .replace('"custom:Team"', '"Team"')
      .replace("http://localhost:3000/callback", "http://example.com");
    const message = await failure("bad.toml", text);
    expect(message).toContain("base_uri: is not a known setting");
    expect(message).toContain("pool.clients[0].access_token_validity: must be from 5m to 1d");
    expect(message).toContain("pool.clients[0].callback_urls[0]: must be https");
    expect(message).toContain("is not an attribute");
    expect(message).toContain("bad.toml");
  });

  const broken: [string, string, RegExp][] = [
    [
      "camel.toml",
      toml.replace("callback_urls", "callbackUrls"),
      /pool.clients\[0\]: callbackUrls is written callback_urls in a file/,
    ],
    ["broken.toml", 'password = "hunter2hunter2', /it is not TOML: see line 1/],
    ["broken.json", '{ "password": "hunter2hunter2" oops', /it is not JSON/],
    ["empty.toml", "", /pool: is needed/],
    ["list.json", "[]", /expected object/],
  ];
  test.each(broken)("%s", async (name, text, expected) => {
    const message = await failure(name, text);
    expect(message).toMatch(expected);
    expect(message).not.toContain("hunter2");
  });

  test("that is missing", async () => {
    await expect(loadConfigFile(join(folder, "none.toml"))).rejects.toThrow("it cannot be read");
  });
});
