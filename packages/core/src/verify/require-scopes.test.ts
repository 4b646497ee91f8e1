import { describe, expect, test } from "vitest";
import { type Principal, requireScopes } from "./index.ts";

const principal = (more: Partial<Principal> = {}): Principal => ({
  kind: "user",
  subject: "sub",
  groups: [],
  claims: {},
  clientId: "client",
  grantId: "grant",
  resource: "https://mcp.example/clock/mcp",
  tokenScopes: ["read"],
  scopes: ["read"],
  entitled: ["read", "write", "admin"],
  expiresAt: 0,
  doors: { token: true, grant: true },
  ...more,
});
const verifier = { challenge: () => ({ scope: "default", resourceMetadata: "https://mcp.example/prm" }) };

describe("required scopes", () => {
  test.each([
    ["none", []],
    ["one that is there", ["read"]],
  ])("%s: passes", (_, required) => {
    expect(requireScopes(principal(), required, verifier)).toBeUndefined();
  });

  test("what is missing and what is already granted stand in one challenge, once each", () => {
    const refusal = requireScopes(principal(), ["read", "write", "admin"], verifier);
    expect(refusal).toMatchObject({ status: 403, reason: "scope_insufficient" });
    expect(refusal?.challenge).toMatch(
      /error="insufficient_scope".* scope="read write admin", resource_metadata="https:\/\/mcp\.example\/prm"/,
    );
  });

  test.each<[string, Partial<Principal>]>([
    ["the groups give only some of what is missing", { entitled: ["read", "write"] }],
    ["the groups give nothing", { entitled: [] }],
    ["it is a machine", { kind: "machine" }],
    ["the token is Cognito's own", { doors: { token: true, grant: false } }],
  ])("no challenge, so that no client loops through the browser, where %s", (_, more) => {
    const refusal = requireScopes(principal(more), ["write", "admin"], verifier);
    expect(refusal).toMatchObject({ status: 403, reason: "not_permitted", challenge: undefined });
    expect(refusal?.headers()).not.toHaveProperty("WWW-Authenticate");
    expect(JSON.parse(refusal?.body(7) ?? "")).toMatchObject({ id: 7, error: { data: { reason: "not_permitted" } } });
  });
});
