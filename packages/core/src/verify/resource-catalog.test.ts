import { describe, expect, test } from "vitest";
import { resourceCatalog } from "./index.ts";

const resources = ["/clock/mcp", "/notes/mcp"].map((path) => ({ path, requiredScopes: [] }));
const catalogAt = (baseUrl: string, defaultPath?: string, list: Parameters<typeof resourceCatalog>[1] = resources) =>
  resourceCatalog(baseUrl, list, () => ["read"], defaultPath);

describe("the resource that a `resource` parameter means (RFC 8707 §2)", () => {
  const https = catalogAt("https://mcp.example");
  const clock = "https://mcp.example/clock/mcp";

  test.each([
    ["as it is", clock],
    ["scheme and host in capitals", "HTTPS://MCP.Example/clock/mcp"],
    ["the default port", "https://mcp.example:443/clock/mcp"],
    ["one trailing slash", `${clock}/`],
    ["a query", `${clock}?a=b&c=/../d`],
    ["an empty query", `${clock}?`],
    ["slash and query", `${clock}/?a=b`],
  ])("%s makes no difference", (_, parameter) => {
    expect(https.resolve(parameter)?.url).toBe(clock);
  });

  test.each([
    ["nothing", ""],
    ["a path", "/clock/mcp"],
    ["another scheme", "http://mcp.example/clock/mcp"],
    ["another host", "https://mcp.example.evil/clock/mcp"],
    ["a host with a dot at its end", "https://mcp.example./clock/mcp"],
    ["another port", "https://mcp.example:444/clock/mcp"],
    ["an empty port", "https://mcp.example:/clock/mcp"],
    ["a port with zeros", "https://mcp.example:0443/clock/mcp"],
    ["the path in another letter case", "https://mcp.example/Clock/mcp"],
    ["a longer path", `${clock}/x`],
    ["a shorter path", "https://mcp.example/clock"],
    ["the origin", "https://mcp.example"],
    ["two trailing slashes", `${clock}//`],
    ["two slashes within", "https://mcp.example/clock//mcp"],
    ["a fragment", `${clock}#x`],
    ["an empty fragment", `${clock}#`],
    ["a fragment after a query", `${clock}?a#b`],
    ["a user name", "https://user@mcp.example/clock/mcp"],
    ["a password", "https://:pw@mcp.example/clock/mcp"],
    ["empty userinfo", "https://@mcp.example/clock/mcp"],
    ["userinfo that looks like the host", "https://mcp.example:443@evil.example/clock/mcp"],
    ["a dot segment", "https://mcp.example/./clock/mcp"],
    ["two dots", "https://mcp.example/notes/../clock/mcp"],
    ["dots at the end", `${clock}/x/..`],
    ["dots before a query", `${clock}/x/..?a`],
    ["one dot before a query", `${clock}/.?a`],
    ["encoded dots", "https://mcp.example/notes/%2e%2E/clock/mcp"],
    ["half encoded dots", "https://mcp.example/notes/.%2e/clock/mcp"],
    ["an encoded letter", "https://mcp.example/cl%6fck/mcp"],
    ["an encoded slash", "https://mcp.example/clock%2fmcp"],
    ["an encoded host", "https://mcp%2eexample/clock/mcp"],
    ["backslashes", "https://mcp.example\\clock\\mcp"],
    ["one slash after the scheme", "https:/mcp.example/clock/mcp"],
    ["no slash after the scheme", "https:mcp.example/clock/mcp"],
    ["three slashes after the scheme", "https:///mcp.example/clock/mcp"],
    ["a space before", ` ${clock}`],
    ["a space after", `${clock} `],
    ["a line break within", "https://mcp.example/clo\nck/mcp"],
    ["a tab in the host", "https://mcp.exa\tmple/clock/mcp"],
    ["a null at the end", `${clock}\0`],
    ["a full-width letter in the host", "https://ｍcp.example/clock/mcp"],
    ["more than 2048 characters", `${clock}?${"a".repeat(2048)}`],
  ])("%s: none is meant", (_, parameter) => {
    expect(https.resolve(parameter)).toBeUndefined();
  });

  test("on http the default port is 80, and a written port stays", () => {
    expect(catalogAt("http://mcp.example").resolve("http://mcp.example:80/clock/mcp")).toBeDefined();
    expect(catalogAt("http://mcp.example").resolve("http://mcp.example:443/clock/mcp")).toBeUndefined();
    expect(catalogAt("http://localhost:8000").resolve("http://LOCALHOST:8000/clock/mcp/")).toBeDefined();
    expect(catalogAt("http://localhost:8000").resolve("http://localhost/clock/mcp")).toBeUndefined();
    expect(catalogAt("http://[::1]:8000").resolve("http://[::1]:8000/clock/mcp")).toBeDefined();
  });

  test("a resource at the root of the origin", () => {
    const root = catalogAt("https://mcp.example", undefined, [{ path: "/", requiredScopes: [] }]);
    expect(root.resolve("https://mcp.example")?.url).toBe("https://mcp.example");
    expect(root.resolve("https://mcp.example/")?.path).toBe("/");
    expect(root.resolve("https://mcp.example/x")).toBeUndefined();
  });
});

describe("the catalog", () => {
  test("below a path, the metadata's well-known part goes between host and path (RFC 9728 §3.1)", () => {
    const [first] = catalogAt("https://mcp.example/tools").all;
    expect(first).toMatchObject({
      url: "https://mcp.example/tools/clock/mcp",
      metadataUrl: "https://mcp.example/.well-known/oauth-protected-resource/tools/clock/mcp",
      path: "/clock/mcp",
      name: "/clock/mcp",
      defaultScopes: ["read"],
    });
    expect(catalogAt("https://mcp.example/tools").byPath("/clock/mcp")).toEqual(first);
  });

  test("its default is the configured one, else the only one", () => {
    expect(catalogAt("https://mcp.example").default).toBeUndefined();
    expect(catalogAt("https://mcp.example", "/notes/mcp").default?.path).toBe("/notes/mcp");
    expect(catalogAt("https://mcp.example", undefined, resources.slice(0, 1)).default?.path).toBe("/clock/mcp");
    expect(catalogAt("https://mcp.example", "/nowhere").default).toBeUndefined();
  });
});

describe("further URLs of a resource", () => {
  const list = [
    { path: "/clock/mcp", urls: ["https://clock.example/mcp"], requiredScopes: ["read"] },
    { path: "/notes/mcp", urls: ["https://notes.example/mcp", "https://n.example:8443/"], requiredScopes: [] },
  ];
  const catalog = catalogAt("https://mcp.example", undefined, list);

  test("are resources of their own, with their own metadata and the settings of the one", () => {
    expect(catalog.all.map(({ url, path, metadataUrl }) => [url, path, metadataUrl])).toEqual([
      [
        "https://mcp.example/clock/mcp",
        "/clock/mcp",
        "https://mcp.example/.well-known/oauth-protected-resource/clock/mcp",
      ],
      [
        "https://mcp.example/notes/mcp",
        "/notes/mcp",
        "https://mcp.example/.well-known/oauth-protected-resource/notes/mcp",
      ],
      ["https://clock.example/mcp", "/clock/mcp", "https://clock.example/.well-known/oauth-protected-resource/mcp"],
      ["https://notes.example/mcp", "/notes/mcp", "https://notes.example/.well-known/oauth-protected-resource/mcp"],
      ["https://n.example:8443", "/notes/mcp", "https://n.example:8443/.well-known/oauth-protected-resource"],
    ]);
    expect(catalog.resolve("HTTPS://Clock.example:443/mcp/")?.requiredScopes).toEqual(["read"]);
    expect(catalog.resolve("https://clock.example/clock/mcp")).toBeUndefined();
    expect(catalog.byPath("/clock/mcp")?.url).toBe("https://mcp.example/clock/mcp");
  });

  test("make one resource no several: it is still the default", () => {
    expect(catalogAt("https://mcp.example", undefined, list.slice(0, 1)).default?.url).toBe(
      "https://mcp.example/clock/mcp",
    );
    expect(catalog.default).toBeUndefined();
  });

  test.each([
    ["https://clock.example/mcp", "https://clock.example/mcp"],
    ["http://clock.example:443/mcp", "https://clock.example/mcp"],
    ["https://n.example:8443/", "https://n.example:8443"],
    ["http://127.0.0.1:3000/clock/mcp", "https://mcp.example/clock/mcp"],
    ["https://clock.example/clock/mcp", undefined],
    ["https://notes.example/clock/mcp", undefined],
    ["https://mcp.example/mcp", undefined],
    ["https://clock.example:8443/mcp", undefined],
  ])("a request to %s means %s", (request, url) => {
    expect(catalog.at(new URL(request))?.url).toBe(url);
  });
});
