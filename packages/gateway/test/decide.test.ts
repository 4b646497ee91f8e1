import type { Principal } from "sallyport";
import { describe, expect, test } from "vitest";
import { compile, decide, type GatewayConfigInput, type GatewayRequest, gatewaySection } from "../src/index.ts";

const resource = "https://mcp.example/notes/mcp";
const challenges = { challenge: () => ({ scope: "mcp/read", resourceMetadata: "https://mcp.example/.well-known/x" }) };

const policyOf = (rules: Pick<GatewayConfigInput, "scopes" | "deny">, includes: Record<string, string[]> = {}) => {
  const { scopes, deny } = gatewaySection.parse(rules);
  const whole = Object.entries(scopes).map(([name, scope]) => [name, { ...scope, includes: includes[name] ?? [] }]);
  const servers = [
    { name: "notes", resource, urls: ["https://notes.example/mcp"], requiredScopes: ["mcp/read"] },
    { name: "open", resource, requiredScopes: [] },
  ];
  return compile({ servers, scopes: Object.fromEntries(whole), deny }, challenges);
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

const get: Partial<GatewayRequest> = { httpMethod: "GET", method: undefined, name: undefined };
const method = (name: string): Partial<GatewayRequest> => ({ method: name, name: undefined });

/** `allow`, or the code of the refusal. */
const outcome = (
  policy: ReturnType<typeof policyOf>,
  who: Partial<Principal>,
  what: Partial<GatewayRequest>,
): string => {
  const decision = decide(policy, principal(who), request(what));
  return decision.allow ? "allow" : decision.refusal.code;
};

describe("without rules each server goes by its required scopes", () => {
  const policy = policyOf({});
  test.each<[string, Partial<Principal>, Partial<GatewayRequest>, string]>([
    ["the scope is there", {}, {}, "allow"],
    ["a GET stream with the scope", {}, get, "allow"],
    ["a server that requires none", { scopes: ["mcp/other"] }, { server: "open" }, "allow"],
    ["no scope at all", { scopes: [] }, { server: "open" }, "not_permitted"],
    ["no scope, and no right to one", { scopes: [], entitled: [] }, {}, "not_permitted"],
    ["a scope that a new sign-in gives", { scopes: ["mcp/other"] }, {}, "insufficient_scope"],
    ["a machine cannot sign in anew", { scopes: ["mcp/other"], kind: "machine" }, {}, "not_permitted"],
    ["a server that is not configured", {}, { server: "gone" }, "not_permitted"],
    ["a token for another resource", { resource: "https://mcp.example/clock/mcp" }, {}, "not_permitted"],
    ["a token for another URL of the server", { resource: "https://notes.example/mcp" }, {}, "allow"],
    ["which is no other server's", { resource: "https://notes.example/mcp" }, { server: "open" }, "not_permitted"],
    ["a call that names no tool", {}, { name: undefined }, "not_permitted"],
    ["a method that is tools/call to a lax server", {}, method("Tools/Call"), "not_permitted"],
    ["the same with a space that nobody sees", {}, method("tools/call\u200b"), "not_permitted"],
  ])("%s", (_what, who, what, expected) => {
    expect(outcome(policy, who, what)).toBe(expected);
  });
});

describe("rules at scopes", () => {
  const policy = policyOf(
    {
      scopes: {
        "mcp/read": { allow: [{ servers: ["notes"], tools: ["list_notes"] }] },
        "mcp/write": { allow: [{ servers: ["notes"], tools: ["add_note"], methods: ["all"] }] },
        "mcp/admin": { allow: [{ servers: ["*"], tools: ["*"], methods: ["*"] }] },
        "mcp/connect": { allow: [{ servers: ["open"], methods: ["lifecycle", "resources/read"] }] },
        "mcp/nothing": { allow: [] },
        "mcp/side": { allow: [{ servers: ["notes"], tools: ["list_notes"] }] },
      },
    },
    { "mcp/write": ["mcp/read"], "mcp/admin": ["mcp/write"] },
  );
  const reader = { scopes: ["mcp/read"] };
  const writer = { scopes: ["mcp/read", "mcp/write"], entitled: ["mcp/read", "mcp/write"] };
  const admin = { scopes: ["mcp/read", "mcp/write", "mcp/admin"] };
  const connected = { scopes: ["mcp/connect"] };

  test.each<[string, Partial<Principal>, Partial<GatewayRequest>, string]>([
    ["a tool that the scope names", reader, {}, "allow"],
    ["another tool", reader, { name: "delete_note" }, "not_permitted"],
    ["a tool by its beginning", reader, { name: "list" }, "not_permitted"],
    ["a tool named *", reader, { name: "*" }, "not_permitted"],
    ["methods are for looking when left out", reader, method("tools/list"), "allow"],
    ["not for changing", reader, method("tasks/cancel"), "not_permitted"],
    ["a stream where any rule is", reader, get, "allow"],
    ["an answer to the server's question", reader, method("notifications/initialized"), "allow"],
    ["a server that no rule of the scope names", reader, { server: "open" }, "not_permitted"],
    ["its stream", reader, { ...get, server: "open" }, "not_permitted"],
    ["union of scopes", writer, {}, "allow"],
    ["union of scopes, the other tool", writer, { name: "add_note" }, "allow"],
    ["every method gives no tool", writer, { name: "delete_note" }, "not_permitted"],
    ["every method gives unknown ones", writer, method("vendor/thing"), "allow"],
    ["nor for a list of all tools", writer, method("tools/LIST"), "not_permitted"],
    ["but none that a lax server takes for tools/call", writer, method("TOOLS/CALL"), "not_permitted"],
    ["* is every tool, at every server", admin, { server: "open", name: "anything" }, "allow"],
    ["lifecycle", connected, { ...method("initialize"), server: "open" }, "allow"],
    ["a named method", connected, { method: "resources/read", name: "note://1", server: "open" }, "allow"],
    ["nothing else", connected, { ...method("tools/list"), server: "open" }, "not_permitted"],
    ["no rule outweighs a required scope", { scopes: ["mcp/side"], entitled: ["mcp/side"] }, {}, "not_permitted"],
    ["it is asked for", { scopes: ["mcp/side"], entitled: ["mcp/side", "mcp/read"] }, {}, "insufficient_scope"],
    ["a scope without rules", { scopes: ["mcp/nothing"], entitled: [] }, method("initialize"), "not_permitted"],
    [
      "a scope that is none",
      { scopes: ["constructor", "mcp/gone"], entitled: [] },
      method("initialize"),
      "not_permitted",
    ],
    ["no scope", { scopes: [], entitled: [] }, method("initialize"), "not_permitted"],
  ])("%s", (_what, who, what, expected) => {
    expect(outcome(policy, who, what)).toBe(expected);
  });

  test("names the rule that gave it, never a word of it to the client", () => {
    const decision = decide(policy, principal(writer), request({ name: "add_note" }));
    expect(decision).toMatchObject({ allow: true, rule: { kind: "allow", scope: "mcp/write", index: 0 } });
  });

  const challenged = (who: Partial<Principal>, what: Partial<GatewayRequest>): string | undefined => {
    const decision = decide(policy, principal(who), request(what));
    return decision.allow ? "allow" : /scope="([^"]*)"/.exec(decision.refusal.challenge ?? "")?.[1];
  };
  const all = ["mcp/read", "mcp/write", "mcp/admin", "mcp/connect"];

  test.each<[string, Partial<Principal>, Partial<GatewayRequest>, string | undefined]>([
    ["the scope that adds least", { entitled: all }, { name: "add_note" }, "mcp/read mcp/write"],
    ["the only one that gives it", { entitled: all }, { name: "delete_note" }, "mcp/read mcp/admin"],
    [
      "the required one as well",
      { scopes: ["mcp/connect"], entitled: all },
      { name: "add_note" },
      "mcp/connect mcp/read mcp/write",
    ],
    ["the required one where that is enough", { scopes: ["mcp/connect"], entitled: all }, {}, "mcp/connect mcp/read"],
    [
      "nothing beyond what the groups give",
      { entitled: ["mcp/read", "mcp/write"] },
      { name: "delete_note" },
      undefined,
    ],
    ["nothing to a machine", { kind: "machine", entitled: all }, { name: "add_note" }, undefined],
    [
      "nothing without a grant",
      { entitled: all, doors: { token: true, grant: false } },
      { name: "add_note" },
      undefined,
    ],
    ["nothing for a call that cannot be judged", { entitled: all }, { name: undefined }, undefined],
  ])("a challenge names what is held and %s", (_what, who, what, expected) => {
    expect(challenged(who, what)).toBe(expected);
  });
});

describe("deny rules", () => {
  const policy = policyOf({
    scopes: { "mcp/admin": { allow: [{ servers: ["*"], tools: ["*"], methods: ["*"] }] }, "mcp/read": { allow: [] } },
    deny: [
      { servers: ["notes"], tools: ["delete_note"] },
      { servers: ["*"], methods: ["*"], groups: ["suspended"] },
      { servers: ["notes"], methods: ["prompts/get", "tools/call"], groups: ["quiet"], machines: ["robot"] },
    ],
  });
  const admin = { scopes: ["mcp/read", "mcp/admin"], entitled: ["mcp/read", "mcp/admin", "mcp/more"] };
  const inGroup = (...groups: string[]) => ({ ...admin, groups });

  test.each<[string, Partial<Principal>, Partial<GatewayRequest>, string]>([
    ["the tool, whatever the scopes give", admin, { name: "delete_note" }, "not_permitted"],
    ["no other tool", admin, {}, "allow"],
    ["not at another server", admin, { server: "open", name: "delete_note" }, "allow"],
    ["everything to a group", inGroup("suspended"), {}, "not_permitted"],
    ["streams too", inGroup("suspended"), get, "not_permitted"],
    ["a group among others", inGroup("a", "suspended"), method("ping"), "not_permitted"],
    ["a method", inGroup("quiet"), { method: "prompts/get", name: "p" }, "not_permitted"],
    ["every tool", inGroup("quiet"), {}, "not_permitted"],
    ["not what they do not name", inGroup("quiet"), method("tools/list"), "allow"],
    ["streams only where everything is denied", inGroup("quiet"), get, "allow"],
    ["a machine by its id", { ...admin, kind: "machine", subject: "robot" }, {}, "not_permitted"],
    ["not a user who has that subject", { ...admin, subject: "robot" }, {}, "allow"],
    ["not a machine for a group's name", { ...admin, kind: "machine", groups: ["suspended"] }, {}, "allow"],
  ])("deny %s", (_what, who, what, expected) => {
    expect(outcome(policy, who, what)).toBe(expected);
  });

  test("never challenge, even where a scope could be had", () => {
    const who = { scopes: ["mcp/read"], entitled: ["mcp/read", "mcp/admin"] };
    expect(outcome(policy, who, { name: "list_notes" })).toBe("insufficient_scope");
    expect(outcome(policy, who, { name: "delete_note" })).toBe("not_permitted");
  });

  test("count without rules at scopes as well", () => {
    const only = policyOf({ deny: [{ servers: ["*"], tools: ["delete_note"] }] });
    expect(outcome(only, {}, { name: "delete_note" })).toBe("not_permitted");
    expect(outcome(only, {}, {})).toBe("allow");
  });
});
