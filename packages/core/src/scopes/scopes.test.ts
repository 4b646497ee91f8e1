import { describe, expect, test } from "vitest";
import { OAuthError } from "../errors/index.ts";
import { type Entitling, grantedScopes, requestedScopes, scopeCatalog } from "./index.ts";

const inGroups = (groups: readonly string[]): Entitling => ({ sub: "ada", groups, claims: {} });
const scope = (includes: string[] = [], stepUp = false) => ({ includes, stepUp });
const catalog = scopeCatalog({
  scopes: {
    read: { ...scope(), description: "Look at things" },
    write: scope(["read"]),
    admin: scope(["write"]),
    audit: scope([], true),
    pair: scope(["read", "audit"]),
  },
  groups: { admins: ["admin"], writers: ["write"], readers: ["read"], auditors: ["audit"], empty: [] },
  machines: {
    robot: { scopes: ["write"] },
    narrow: { scopes: ["admin"], resources: ["/notes/mcp"] },
  },
  resources: [
    { path: "/clock/mcp", requiredScopes: [] },
    { path: "/notes/mcp", requiredScopes: ["read"], scopes: ["write"] },
    { path: "/closed/mcp", requiredScopes: [], scopes: [] },
  ],
});

describe("expand: a scope brings what it includes, once, in the catalog's order", () => {
  test.each([
    [[], []],
    [["read"], ["read"]],
    [["write"], ["read", "write"]],
    [["admin"], ["read", "write", "admin"]],
    [
      ["admin", "read", "admin"],
      ["read", "write", "admin"],
    ],
    [
      ["pair", "write"],
      ["read", "write", "audit", "pair"],
    ],
    [["unknown"], []],
    [["constructor", "__proto__"], []],
  ])("%j → %j", (given, expanded) => {
    expect(catalog.expand(given)).toEqual(expanded);
  });

  test("scopes that include each other come together, and it ends", () => {
    const circle = scopeCatalog({
      scopes: { a: scope(["b"]), b: scope(["a"]) },
      groups: {},
      machines: {},
      resources: [],
    });
    expect(circle.expand(["a"])).toEqual(["a", "b"]);
  });
});

describe("what groups give", () => {
  test.each([
    [[], []],
    [["readers"], ["read"]],
    [
      ["readers", "auditors"],
      ["read", "audit"],
    ],
    [["admins"], ["read", "write", "admin"]],
    [["empty"], []],
    [["Admins"], []],
    [["strangers"], []],
    [["constructor", "toString", "__proto__"], []],
  ])("%j → %j", (groups, given) => {
    expect(catalog.ofUser(inGroups(groups))).toEqual(given);
  });
});

describe("what claims give, besides groups", () => {
  const byClaims = scopeCatalog({
    scopes: { read: scope(), write: scope(["read"]), admin: scope() },
    groups: { readers: ["read"] },
    claims: [
      { claim: "custom:team", values: ["finance", "billing"], scopes: ["write"] },
      { claim: "custom:team", values: ["finance", "5"], scopes: ["admin"] },
      { claim: "level", values: [5], scopes: ["write"] },
      { claim: "staff", values: [true], scopes: ["admin"] },
      { claim: "email", values: ["ada@example.com"], scopes: ["read"] },
      { claim: "sub", values: ["5a11"], scopes: ["write"] },
      { claim: "constructor", values: ["x"], scopes: ["admin"] },
    ],
    machines: {},
    resources: [],
  });
  test.each<[string, Partial<Entitling>, readonly string[]]>([
    ["no claim at all", {}, []],
    ["a value", { claims: { "custom:team": "billing" } }, ["read", "write"]],
    ["a value of two entries", { claims: { "custom:team": "finance" } }, ["read", "write", "admin"]],
    ["one of a list", { claims: { "custom:team": ["x", "billing"] } }, ["read", "write"]],
    ["a list in a list", { claims: { "custom:team": [["billing"]] } }, []],
    ["an object", { claims: { "custom:team": { finance: "finance" } } }, []],
    ["other letters", { claims: { "custom:team": "Billing" } }, []],
    ["two values in one text", { claims: { "custom:team": "finance,billing" } }, []],
    ["an empty list, null and an empty text", { claims: { "custom:team": [], level: null, staff: "" } }, []],
    ["a number", { claims: { level: 5 } }, ["read", "write"]],
    ["the same number as a text", { claims: { level: "5" } }, []],
    ["a number where a text is wanted", { claims: { "custom:team": 5 } }, []],
    ["true", { claims: { staff: true } }, ["admin"]],
    ["true as a text, and as 1", { claims: { staff: ["true", 1] } }, []],
    ["a claim's name in other letters", { claims: { Staff: true } }, []],
    ["an address that is verified", { email: "ada@example.com", emailVerified: true }, ["read"]],
    ["one that is not", { email: "ada@example.com", emailVerified: false }, []],
    ["one of which nothing is known", { email: "ada@example.com", claims: { email: "ada@example.com" } }, []],
    ["the user's sub", { sub: "5a11" }, ["read", "write"]],
    ["a claim that says to be the sub", { claims: { sub: "5a11" } }, []],
    ["what objects inherit", { claims: {} }, []],
    ["a group and a claim", { groups: ["readers"], claims: { staff: true } }, ["read", "admin"]],
  ])("%s", (_what, user, given) => {
    expect(byClaims.ofUser({ ...inGroups([]), ...user })).toEqual(given);
  });
});

describe("what a machine may have", () => {
  test.each([
    ["robot", "/clock/mcp", ["read", "write"]],
    ["robot", "/closed/mcp", []],
    ["robot", "/nowhere", []],
    ["narrow", "/clock/mcp", []],
    ["narrow", "/notes/mcp", ["read", "write"]],
    ["stranger", "/clock/mcp", []],
    ["constructor", "/clock/mcp", []],
  ])("%s at %s: %j", (client, path, given) => {
    expect(catalog.ofMachine(client, path)).toEqual(given);
  });
});

describe("what a resource has", () => {
  test("every scope where it names none; step-up scopes are no default, nor is what includes one", () => {
    expect(catalog.ofResource("/clock/mcp")).toEqual(["read", "write", "admin", "audit", "pair"]);
    expect(catalog.defaultsOf("/clock/mcp")).toEqual(["read", "write", "admin"]);
  });

  test("a scope that it names brings what it includes, or a required scope below it could never be had", () => {
    expect(catalog.ofResource("/notes/mcp")).toEqual(["read", "write"]);
    expect(catalog.defaultsOf("/notes/mcp")).toEqual(["read", "write"]);
  });

  test("nothing where it names an empty list, and nothing at an unknown path", () => {
    expect(catalog.ofResource("/closed/mcp")).toEqual([]);
    expect(catalog.ofResource("/nowhere")).toEqual([]);
    expect(catalog.ofResource("constructor")).toEqual([]);
  });
});

test.each([
  ["openid", true],
  ["email", true],
  ["profile", true],
  ["offline_access", true],
  ["phone", false],
  ["read", false],
])("%s is an identity scope: %s", (name, is) => {
  expect(catalog.isIdentityScope(name)).toBe(is);
});

test("a scope is told in its own words, else by its name", () => {
  expect([catalog.describe("read"), catalog.describe("write"), catalog.describe("constructor")]).toEqual([
    "Look at things",
    "write",
    "constructor",
  ]);
});

describe("what a client asks for", () => {
  test.each([
    [undefined, "/clock/mcp", ["read", "write", "admin"]],
    ["", "/clock/mcp", ["read", "write", "admin"]],
    ["  ", "/clock/mcp", ["read", "write", "admin"]],
    ["openid profile email offline_access", "/clock/mcp", ["read", "write", "admin"]],
    ["openid read", "/clock/mcp", ["read"]],
    ["audit", "/clock/mcp", ["audit"]],
    ["read write read", "/clock/mcp", ["read", "write"]],
    ["write", "/notes/mcp", ["write"]],
    ["read", "/notes/mcp", ["read"]],
    [undefined, "/closed/mcp", []],
  ])("%j at %s: %j", (parameter, path, asked) => {
    expect(requestedScopes(parameter, path, catalog)).toEqual(asked);
  });

  test.each([
    ["unknown", "/clock/mcp"],
    ["read unknown", "/clock/mcp"],
    ["Read", "/clock/mcp"],
    ["read\twrite", "/clock/mcp"],
    ["phone", "/clock/mcp"],
    ["admin", "/notes/mcp"],
    ["read", "/closed/mcp"],
    ["constructor", "/clock/mcp"],
  ])("%j at %s is invalid_scope, and the answer does not repeat it", (parameter, path) => {
    try {
      requestedScopes(parameter, path, catalog);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(OAuthError);
      expect(error).toMatchObject({ code: "invalid_scope", reason: "scope_unknown", status: 400 });
      expect(String(error)).not.toMatch(/unknown$|Read|phone|constructor|\t/);
    }
  });
});

describe("short and full names", () => {
  const small = (resourceServer: string | undefined, ...names: string[]) =>
    scopeCatalog({
      scopes: Object.fromEntries(names.map((name) => [name, scope()])),
      groups: {},
      machines: {},
      resources: [{ path: "/mcp", requiredScopes: [] }],
      cognito: { resourceServer },
    });
  const named = small("mcp", "read", "write");

  test("a request may have either; what is asked for is as configured, and once", () => {
    expect(requestedScopes("mcp/read write mcp/write openid", "/mcp", named)).toEqual(["read", "write"]);
    expect(requestedScopes("read", "/mcp", small(undefined, "mcp/read"))).toEqual(["mcp/read"]);
  });

  test.each([
    ["of another resource server", "other/read", named],
    ["that could be two", "read", small(undefined, "a/read", "b/read")],
    ["that would have to be cut", "mcp/read", small(undefined, "read")],
  ])("a name %s is unknown", (_, name, scopes) => {
    expect(() => requestedScopes(name, "/mcp", scopes)).toThrow(OAuthError);
  });

  test("Cognito's own scopes are translated strictly; what is no scope here is left out", () => {
    expect(named.fromProvider(["mcp/write", "write", "other/read", "openid"])).toEqual(["write"]);
    expect(small("mcp", "mcp/read").fromProvider(["read"])).toEqual([]);
    expect(named.toProvider("read")).toBe("mcp/read");
  });
});

describe("what a client asks for that names nothing", () => {
  test.each([
    ["its own default", "/clock/mcp", ["read"], ["read"]],
    ["its own default, as far as it can be had there", "/notes/mcp", ["read", "audit", "nonsense", "openid"], ["read"]],
    ["the resource's, where it has none", "/notes/mcp", undefined, ["read", "write"]],
    ["the resource's, where none of its own can be had there", "/notes/mcp", ["audit"], ["read", "write"]],
  ])("%s", (_, path, defaults, asked) => {
    expect(requestedScopes("openid", path, catalog, defaults)).toEqual(asked);
    expect(requestedScopes("write", path, catalog, defaults)).toEqual(["write"]);
  });
});

describe("what a client gets: requested ∩ allowed ∩ entitled ∩ what the resource has", () => {
  const everything = ["read", "write", "admin", "audit", "pair"];
  test.each([
    ["all three agree", ["write"], undefined, everything, "/clock/mcp", ["read", "write"]],
    ["groups bound", ["admin"], undefined, ["read"], "/clock/mcp", ["read"]],
    ["groups never add", ["read"], undefined, everything, "/clock/mcp", ["read"]],
    ["the client's bound", ["admin"], ["write"], everything, "/clock/mcp", ["read", "write"]],
    ["a client that may have nothing", ["admin"], [], everything, "/clock/mcp", []],
    ["the resource's bound", ["admin"], undefined, everything, "/notes/mcp", ["read", "write"]],
    ["no group", ["admin"], undefined, [], "/clock/mcp", []],
    ["no request", [], undefined, everything, "/clock/mcp", []],
    ["an unknown resource", ["read"], undefined, everything, "/nowhere", []],
  ])("%s", (_, requested, allowedForClient, entitled, resourcePath, granted) => {
    expect(grantedScopes({ requested, allowedForClient, entitled, resourcePath }, catalog)).toEqual(granted);
  });
});
