import { expect, test } from "vitest";
import { publicUrl } from "./public-url.ts";

const auth = {
  baseUrl: () => "https://example.com/tools",
  serves: ({ pathname }: { pathname: string }) => pathname === "/.well-known/oauth-authorization-server",
};

test.each([
  ["/tools/mcp?a=b", "app:3000", false, "https://app:3000/tools/mcp?a=b"],
  ["/tools/mcp", undefined, false, "https://example.com/tools/mcp"],
  ["/mcp", undefined, true, "https://example.com/tools/mcp"],
  ["/", undefined, true, "https://example.com/tools/"],
  [
    "/.well-known/oauth-authorization-server",
    undefined,
    true,
    "https://example.com/.well-known/oauth-authorization-server",
  ],
  ["/.well-known/jwks.json", undefined, true, "https://example.com/tools/.well-known/jwks.json"],
])("%s at %s, prefix removed %s", (target, host, prefixRemoved, url) => {
  expect(publicUrl(auth, target, host, { prefixRemoved })?.href).toBe(url);
});

test.each([
  ["/a/../mcp", "h"],
  ["/a/%2e%2e/mcp", "h"],
  ["/a\\mcp", "h"],
  ["/m\tcp", "h"],
  ["https://example.com/mcp", "h"],
  ["*", "h"],
  ["", "h"],
  ["/mcp", "h/x"],
  ["/mcp", "user@h"],
  ["/mcp", "a b"],
])("%j at %j is read differently by different parsers, and so by none", (target, host) => {
  expect(publicUrl(auth, target, host)).toBeUndefined();
});
