import type { GatewayConfigInput } from "@sallyport/gateway";
import type { CoreConfigInput } from "sallyport";
import { describe, expect, it } from "vitest";
import { secretRule } from "../../src/config/gateway-rules.ts";
import { loadGatewayConfig } from "../../src/config/load-gateway-config.ts";
import { CommandFailure } from "../../src/process/failure.ts";

type Settings = CoreConfigInput & GatewayConfigInput;
const url = "http://127.0.0.1:3001/mcp";
const good: Settings = {
  baseUrl: "https://mcp.example.com",
  cognito: { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "4example", clientSecret: null, domain: "example" },
  scopes: { "mcp/read": {} },
  groups: { readers: ["mcp/read"] },
  servers: [{ name: "a", url, requiredScopes: ["mcp/read"] }],
};

async function judge(settings: Partial<Settings>) {
  try {
    const { warnings } = await loadGatewayConfig({ env: {}, overrides: { ...good, ...settings }, rules: [secretRule] });
    return { lines: [], warnings: warnings.map(({ setting }) => setting) };
  } catch (error) {
    if (error instanceof CommandFailure) return { lines: error.lines, warnings: [] };
    throw error;
  }
}

const secret = ["0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"];

const hash = `sha256:${"x".repeat(43)}`;

describe("the rules of a gateway", () => {
  it.each<[string, Partial<Settings>]>([
    ["plain settings", {}],
    ["a server as default resource", { defaultResource: "/a/mcp" }],
    ["a resource as default beside a server", { defaultResource: "/own", resources: [{ path: "/own" }] }],
    ["a machine at a server", { machines: { m: { scopes: ["mcp/read"], resources: ["/a/mcp"] } } }],
    [
      "a resource server that is a server's own",
      { resourceServers: { r: { secretHashes: [hash], resources: ["/a/mcp"] } } },
    ],
  ])("let %s pass", async (_, settings) => {
    expect(await judge({ secret, ...settings })).toEqual({ lines: [], warnings: [] });
  });

  it.each<[string, Partial<Settings>, string]>([
    [
      "a default resource that is none",
      { defaultResource: "/a" },
      "default_resource (code): is not the path of a server or resource; there are: /a/mcp",
    ],
    [
      "a machine's resource that is none",
      { machines: { m: { scopes: ["mcp/read"], resources: ["/x"] } }, resources: [{ path: "/own" }] },
      "machines.m.resources[0] (code): is not the path of a server or resource; there are: /own, /a/mcp",
    ],
    [
      "a resource server's resource that is none",
      { resourceServers: { r: { secretHashes: [hash], resources: ["/x"] } } },
      "resource_servers.r.resources[0] (code): is not the path of a server or resource; there are: /a/mcp",
    ],
    [
      "a resource in a server's place",
      { resources: [{ path: "/a/mcp" }] },
      "resources[0].path (code): /a/mcp is the path of servers[0] already; remove one of the two",
    ],
    [
      "an unknown scope required by a server",
      { servers: [{ name: "a", url, requiredScopes: ["mcp/read", "mcp/rite"] }] },
      'servers[0].required_scopes[1] (code): there is no scope "mcp/rite" (known: mcp/read)',
    ],
    [
      "a scope required by a server where there are none",
      { scopes: {}, groups: {} },
      'servers[0].required_scopes[0] (code): there is no scope "mcp/read"; name it under scopes',
    ],
    [
      "an identity scope required by a server",
      { servers: [{ name: "a", url, requiredScopes: ["openid"] }] },
      "servers[0].required_scopes[0] (code): openid is part of every sign-in and is not granted; leave it out",
    ],
    [
      "two servers of one name",
      { servers: [...(good.servers ?? []), { name: "a", url }] },
      "servers[1].name (code): another server is named a already",
    ],
    [
      "a path in the base URL",
      { baseUrl: "https://mcp.example.com/gw" },
      "base_url (code): must have no path: the gateway answers at the root of its host name; leave it out",
    ],
    [
      "a token of Cognito's that nobody would get",
      { exposeCognitoToken: true },
      "expose_cognito_token (code): is for code that calls the library; no server of a gateway gets the token: remove it",
    ],
    [
      "no root secret",
      { secret: [] },
      "secret (code): is missing: set SALLYPORT_SECRET to at least 32 random bytes, such as from: openssl rand -base64 32",
    ],
  ])("refuse %s", async (_, settings, line) => {
    expect(await judge({ secret, ...settings })).toEqual({ lines: [line], warnings: [] });
  });

  it("warn where there is nothing to protect", async () => {
    expect(await judge({ secret, servers: [] })).toEqual({ lines: [], warnings: ["servers"] });
  });
});
