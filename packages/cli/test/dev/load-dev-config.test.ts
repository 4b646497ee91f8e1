import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { demoSettings } from "../../src/dev/demo-settings.ts";
import { loadDevConfig } from "../../src/dev/load-dev-config.ts";

const demo = demoSettings({
  gatewayUrl: "http://localhost:8000",
  port: 8000,
  cognitoUrl: "http://localhost:9229",
  clients: { clientId: "app", clientSecret: "secret", machineId: "machine", machineSecret: "other" },
  secret: "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
  store: "memory:",
  servers: ["clock", "notes", "everything"].map((name, index) => ({ name, url: `http://127.0.0.1:${index + 1}/mcp` })),
});

const rulesOf = (config: { readonly scopes: Readonly<Record<string, { readonly allow?: unknown }>> }) =>
  Object.values(config.scopes).filter(({ allow }) => allow !== undefined).length;

test("a file's servers go without the demo's rules, which name the demo servers", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "sallyport.toml");
  await writeFile(file, `[[servers]]\nname = "own"\nurl = "http://127.0.0.1:9/mcp"\nrequired_scopes = ["mcp/write"]\n`);
  const { config, warnings } = await loadDevConfig({ demo, file, env: {} });
  const { config: plain } = await loadDevConfig({ demo, file: undefined, env: {} });
  expect(warnings).toEqual([]);
  expect([rulesOf(plain), rulesOf(config)]).toEqual([3, 0]);
  expect([plain.policyTests.length, config.policyTests.length]).toEqual([4, 0]);
  expect(config.scopes).toMatchObject({ "mcp/write": { includes: ["mcp/read"] } });
});

test("of a file's [cognito] only names of scopes and claims count: the rest is about another pool", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "sallyport.toml");
  await writeFile(
    file,
    `[cognito]
    identity_provider = "Okta"
    scopes = ["openid", "mcp-server/read"]
    timeout = "2s"
    resource_server = "mcp-server"
    claims = ["custom:tenant"]
    user_info = true
    [scopes.read]
    [groups]
    readers = ["mcp-server/read"]`,
  );
  const { config } = await loadDevConfig({ demo, file, env: {} });
  const { config: plain } = await loadDevConfig({ demo, file: undefined, env: {} });
  expect(config.cognito).toEqual({
    ...plain.cognito,
    resourceServer: "mcp-server",
    claims: ["custom:tenant"],
    userInfo: true,
  });
  expect(plain.cognito).toMatchObject({ clientId: "app", scopes: ["openid", "email", "profile"], userInfo: false });
  expect(config.groups).toEqual({ readers: ["read"] });
});

test("a file for a server with a certificate and workers serves dev too, which has neither", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "sallyport.toml");
  await writeFile(
    file,
    `base_url = "https://mcp.example.com"
    listen = "0.0.0.0:443"
    workers = "auto"
    [tls]
    certificate = "fullchain.pem"
    key = "key.pem"`,
  );
  const env = { SALLYPORT_TLS_KEY: "other.pem", SALLYPORT_WORKERS: "3" };
  const { config, warnings } = await loadDevConfig({ demo, file, env });
  expect([config.tls, config.workers, config.listen]).toEqual([undefined, 1, { host: "127.0.0.1", port: 8000 }]);
  expect(warnings.map(({ message }) => message)).toEqual([
    "dev has its own base_url, listen, [tls], workers; what stands in the file is not used",
  ]);
});
