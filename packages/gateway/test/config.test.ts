import { describe, expect, test } from "vitest";
import { type GatewayConfigInput, gatewaySection, reservedNames, resourcesFor } from "../src/index.ts";

const parse = (input: GatewayConfigInput) => gatewaySection.safeParse(input);
const messages = (input: GatewayConfigInput): string[] =>
  parse(input).error?.issues.map((issue) => issue.message) ?? [];
const url = "http://127.0.0.1:3001/mcp";

test("defaults", () => {
  expect(gatewaySection.parse({ servers: [{ name: "clock", url }] })).toEqual({
    servers: [{ name: "clock", url, requiredScopes: [], timeout: 60_000 }],
    scopes: {},
    deny: [],
    policyTests: [],
    listen: { host: "127.0.0.1", port: 8000 },
    maxRequestBody: 4 * 1024 ** 2,
    maxOpenRequests: 256,
  });
});

describe("server names", () => {
  test.each(["Clock", "a_b", "", "a".repeat(33), "a/b", "ä"])("%j is refused", (name) => {
    expect(messages({ servers: [{ name, url }] })[0]).toMatch(/small letters/);
  });

  test("a reserved name is refused", () => {
    for (const name of reservedNames) {
      expect(messages({ servers: [{ name, url }] })[0]).toMatch(/taken by a path of the gateway/);
    }
  });

  test("a name twice is refused, and the second is named", () => {
    const { error } = parse({
      servers: [
        { name: "clock", url },
        { name: "clock", url },
      ],
    });
    expect(error?.issues[0]).toMatchObject({ path: ["servers", 1, "name"], message: /named clock already/ });
  });
});

test.each([
  ["127.0.0.1:3001", /full URL/],
  ["ftp://127.0.0.1/", /full URL/],
  ["http://user:pass@127.0.0.1/", /user name or password/],
  ["http://127.0.0.1/#x", /fragment/],
])("upstream %s is refused", (wrong, message) => {
  expect(messages({ servers: [{ name: "clock", url: wrong }] })[0]).toMatch(message);
});

test.each(["http://10.0.0.7/mcp", "https://mcp.example.com/mcp?team=a", "http://[::1]:3001/"])(
  "upstream %s is fine",
  (right) => {
    expect(gatewaySection.parse({ servers: [{ name: "clock", url: right }] }).servers[0]?.url).toBe(right);
  },
);

test("listen", () => {
  expect(gatewaySection.parse({ listen: "[::1]:0" }).listen).toEqual({ host: "::1", port: 0 });
  for (const listen of ["8000", "127.0.0.1", "127.0.0.1:70000", "a b:1"]) {
    expect(messages({ listen })[0]).toMatch(/write host:port/);
  }
});

test("an unknown setting is refused", () => {
  expect(gatewaySection.safeParse({ servres: [] }).error?.issues[0]?.message).toMatch(/servres/);
});

test("each server is one protected resource", () => {
  const config = gatewaySection.parse({
    servers: [
      { name: "clock", url },
      { name: "notes", url, title: "Notes", requiredScopes: ["mcp/read"], accessTtl: "2m" },
    ],
  });
  expect(resourcesFor(config)).toEqual([
    { path: "/clock/mcp", name: "clock", requiredScopes: [] },
    { path: "/notes/mcp", name: "Notes", requiredScopes: ["mcp/read"], accessTtl: 120_000 },
  ]);
});
