import { describe, expect, test } from "vitest";
import { type GatewayConfigInput, gatewaySection, reservedNames, resourcesFor } from "../src/index.ts";

const parse = (input: GatewayConfigInput) => gatewaySection.safeParse(input);
const messages = (input: GatewayConfigInput): string[] =>
  parse(input).error?.issues.map((issue) => issue.message) ?? [];
const url = "http://127.0.0.1:3001/mcp";

test("defaults", () => {
  expect(gatewaySection.parse({ servers: [{ name: "clock", url }] })).toMatchObject({
    servers: [{ name: "clock", url, hosts: [], requiredScopes: [], timeout: 60_000 }],
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
      {
        name: "notes",
        url,
        title: "Notes",
        hosts: ["notes.mcp.example.com"],
        requiredScopes: ["mcp/read"],
        accessTtl: "2m",
      },
    ],
  });
  expect(resourcesFor({ ...config, baseUrl: "https://mcp.example.com" })).toEqual([
    { path: "/clock/mcp", urls: [], name: "clock", requiredScopes: [] },
    {
      path: "/notes/mcp",
      urls: ["https://notes.mcp.example.com/mcp"],
      name: "Notes",
      requiredScopes: ["mcp/read"],
      accessTtl: 120_000,
    },
  ]);
});

describe("host names", () => {
  const hostsFault = (...hosts: string[]) => messages({ servers: [{ name: "clock", url, hosts }] })[0];

  test.each(["notes.mcp.example.com", "notes.localhost:8000", "xn--bcher-kva.example", "a", "a-1.b:65535"])(
    "%s is fine",
    (host) => {
      expect(hostsFault(host)).toBeUndefined();
    },
  );

  test.each([
    ["Notes.example.com", /^write notes\.example\.com, which is what clients send$/],
    ["bücher.example", /^write xn--bcher-kva\.example/],
    ["notes.example.com:0443", /^write notes\.example\.com:443/],
    ["https://notes.example.com", /host name alone/],
    ["notes.example.com/mcp", /host name alone/],
    ["*.example.com", /host name alone/],
    ["user@notes.example.com", /host name alone/],
    ["notes.example.com.", /host name alone/],
    ["notes_1.example.com", /host name alone/],
    ["-a.example.com", /host name alone/],
    ["a..b", /host name alone/],
    ["notes.example.com:", /write notes|host name alone/],
    ["", /host name alone/],
    [" notes.example.com", /host name alone/],
    [`${"a".repeat(64)}.example`, /host name alone/],
    ["127.0.0.1", /no address/],
    ["0x7f.1", /no address/],
    ["[::1]:8000", /no address/],
    ["localhost:8000", /taken for the gateway/],
  ])("%j is refused", (host, message) => {
    expect(hostsFault(host)).toMatch(message);
  });
});

describe("what a server is shown", () => {
  const faults = (settings: Partial<NonNullable<GatewayConfigInput["servers"]>[number]>) =>
    messages({ servers: [{ name: "clock", url, ...settings }] });

  test("defaults", () => {
    const given = { name: "clock", url, secretHeader: { value: "s3cret" }, identityAssertion: {} };
    expect(gatewaySection.parse({ servers: [given] }).servers[0]).toMatchObject({
      secretHeader: { name: "Authorization", value: "s3cret" },
      identityAssertion: { header: "X-Sallyport-Identity" },
    });
  });

  test.each(["Host", "content-length", "Mcp-Session-Id", "MCP-Method", "connection", "Transfer-Encoding", "accept"])(
    "%s is no header for a credential",
    (name) => {
      expect(faults({ secretHeader: { name, value: "s3cret" } })[0]).toMatch(/take another/);
      expect(faults({ identityAssertion: { header: name } })[0]).toMatch(/take another/);
    },
  );

  test.each(["X_Api_Key", "X Api", "x:y", "", "ä"])("%j is no header name", (name) => {
    expect(faults({ secretHeader: { name, value: "s3cret" } })[0]).toMatch(/write a header name/);
  });

  test.each(["s3cret\r\nHost: evil", "s3cret ", "s\u0000", "sécret", ""])(
    "a value that is no header's: %j",
    (value) => {
      const [first = ""] = faults({ secretHeader: { value } });
      expect(first).not.toBe("");
      expect(first).not.toContain("cret");
    },
  );
});
