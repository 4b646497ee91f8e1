import type { Principal } from "sallyport";
import { describe, expect, test } from "vitest";
import { decide, type GatewayRequest, type Policy } from "../src/index.ts";

const resource = "https://mcp.example/notes/mcp";
const policy: Policy = {
  servers: new Map([
    ["notes", { resource, requiredScopes: ["mcp/read"] }],
    ["open", { resource, requiredScopes: [] }],
  ]),
  challenges: { challenge: () => ({ scope: "mcp/read", resourceMetadata: "https://mcp.example/.well-known/x" }) },
};

const principal = (change: Partial<Principal> = {}): Principal => ({
  kind: "user",
  subject: "s",
  groups: [],
  claims: {},
  clientId: "c",
  grantId: "g",
  resource,
  tokenScopes: ["mcp/read"],
  scopes: ["mcp/read"],
  entitled: ["mcp/read"],
  expiresAt: 0,
  doors: { token: true, grant: true },
  ...change,
});

const request = (change: Partial<GatewayRequest> = {}): GatewayRequest => ({
  server: "notes",
  httpMethod: "POST",
  method: "tools/call",
  name: "list_notes",
  ...change,
});

/** `allow`, or the code of the refusal. */
const outcome = (who: Principal, what: GatewayRequest): string => {
  const decision = decide(who, what, policy);
  return decision.allow ? "allow" : decision.refusal.code;
};

describe("the decision", () => {
  test.each<[string, Partial<Principal>, Partial<GatewayRequest>, string]>([
    ["the scope is there", {}, {}, "allow"],
    ["a GET stream with the scope", {}, { httpMethod: "GET", method: undefined, name: undefined }, "allow"],
    ["a server that requires none", { scopes: ["mcp/other"] }, { server: "open" }, "allow"],
    ["no scope at all", { scopes: [] }, { server: "open" }, "not_permitted"],
    ["no scope, and no right to one", { scopes: [], entitled: [] }, {}, "not_permitted"],
    ["a scope that a new sign-in gives", { scopes: ["mcp/other"] }, {}, "insufficient_scope"],
    ["a machine cannot sign in anew", { scopes: ["mcp/other"], kind: "machine" }, {}, "not_permitted"],
    ["a server that is not configured", {}, { server: "gone" }, "not_permitted"],
    ["a token for another resource", { resource: "https://mcp.example/clock/mcp" }, {}, "not_permitted"],
    ["a call that names no tool", {}, { name: undefined }, "not_permitted"],
  ])("%s", (_what, who, what, expected) => {
    expect(outcome(principal(who), request(what))).toBe(expected);
  });
});
