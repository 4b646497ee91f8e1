import { describe, expect, test } from "vitest";
import { scopeNames } from "./scope-names.ts";

const short = ["read", "files:write"];
const full = ["mcp/read", "mcp/write", "other/write"];
const url = "https://mcp.example.com/mcp";

describe("resolve: what a client or an administrator means", () => {
  test.each<[string, readonly string[], string | undefined, string, string | undefined]>([
    ["a configured short name", short, undefined, "read", "read"],
    ["a configured full name", full, undefined, "mcp/read", "mcp/read"],
    ["nothing like it", full, undefined, "delete", undefined],
    ["another letter case", short, undefined, "Read", undefined],
    ["a name that objects inherit", short, "mcp", "constructor", undefined],
    ["no name", full, "mcp", "", undefined],

    ["full, of the resource server", short, "mcp", "mcp/read", "read"],
    ["full, of the resource server, with a colon", short, "mcp", "mcp/files:write", "files:write"],
    ["full, of a resource server that is a URL", short, url, `${url}/read`, "read"],
    ["full, of another resource server", short, "mcp", "other/read", undefined],
    ["full, of a resource server whose name begins alike", short, "mcp", "mcp2/read", undefined],
    ["the resource server twice", short, "mcp", "mcp/mcp/read", undefined],
    ["the resource server alone", short, "mcp", "mcp/", undefined],
    ["short, for a full one of the resource server", full, "mcp", "read", "mcp/read"],
    ["short, for full ones of which one is the resource server's", full, "mcp", "write", "mcp/write"],
    ["short, for a full one of another resource server", ["other/delete"], "mcp", "delete", undefined],
    ["a configured full name of another resource server", full, "mcp", "other/write", "other/write"],
    ["a configured name with a slash is never cut out of a longer one", ["mcp/read"], "x", "x/mcp/read", undefined],

    ["short, without a resource server, for the only full one", full, undefined, "read", "mcp/read"],
    ["short, without a resource server, for two full ones", full, undefined, "write", undefined],
    ["short, for the end of a URL's scope", [`${url}/read`], undefined, "read", `${url}/read`],
    ["the end of a short name", ["mcp/reread"], undefined, "read", undefined],
    ["two parts of a full name", [`${url}/read`], undefined, "mcp/read", undefined],
    ["full, without a resource server, is never cut", short, undefined, "mcp/read", undefined],

    ["an identity scope", ["mcp/email"], "mcp", "email", undefined],
    ["an identity scope without a resource server", ["mcp/profile"], undefined, "profile", undefined],
    ["a scope called like an identity scope, in full", ["mcp/email"], "mcp", "mcp/email", "mcp/email"],
  ])("%s", (_, configured, resourceServer, name, meant) => {
    expect(scopeNames(configured, resourceServer).resolve(name)).toBe(meant);
  });
});

describe("fromProvider: what a scope in one of Cognito's tokens is", () => {
  test.each<[string, readonly string[], string | undefined, string, string | undefined]>([
    ["a configured full name", full, undefined, "mcp/read", "mcp/read"],
    ["a configured short name", short, undefined, "read", "read"],
    ["full, of the resource server", short, "mcp", "mcp/read", "read"],
    ["full, of another resource server", short, "mcp", "other/read", undefined],
    ["full, without a resource server", short, undefined, "mcp/read", undefined],
    ["short, for a full one of the resource server", full, "mcp", "read", undefined],
    ["short, for the only full one", full, undefined, "read", undefined],
    ["an identity scope", ["email"], undefined, "email", undefined],
  ])("%s", (_, configured, resourceServer, name, scope) => {
    expect(scopeNames(configured, resourceServer).fromProvider(name)).toBe(scope);
  });
});

describe("toProvider: how Cognito calls a configured scope", () => {
  test.each<[readonly string[], string | undefined, string, string]>([
    [short, "mcp", "read", "mcp/read"],
    [short, url, "read", `${url}/read`],
    [full, "mcp", "mcp/read", "mcp/read"],
    [full, "mcp", "other/write", "other/write"],
    [short, undefined, "read", "read"],
  ])("%j with %s: %s → %s", (configured, resourceServer, scope, name) => {
    const names = scopeNames(configured, resourceServer);
    expect(names.toProvider(scope)).toBe(name);
    expect(names.fromProvider(name)).toBe(scope);
  });
});
