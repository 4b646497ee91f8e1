import fc from "fast-check";
import type { Principal } from "sallyport";
import { describe, expect, test } from "vitest";
import { compile, decide, type GatewayRequest, gatewaySection, type PolicyConfig } from "../src/index.ts";
import { call, startGateway, startUpstream } from "./support/gateway.ts";
import { nextChunk, open } from "./support/http.ts";

const challenges = { challenge: () => ({ scope: "", resourceMetadata: "https://mcp.example/x" }) };
const servers = ["a", "b"].map((name) => ({ name, resource: "r", requiredScopes: [] }));

const some = (...values: string[]) => fc.subarray(values);
const body = {
  servers: fc.subarray(["a", "b", "*"], { minLength: 1 }),
  tools: some("t", "u", "*"),
  methods: some("read", "lifecycle", "all", "*", "prompts/get", "tools/call"),
};
const allowRule = fc.record(body);
const denyRule = fc.record({
  ...body,
  groups: fc.option(fc.subarray(["g", "h"], { minLength: 1 }), { nil: undefined }),
});
const config: fc.Arbitrary<PolicyConfig> = fc.record({
  servers: fc.constant(servers),
  scopes: fc.record({
    one: fc.record({ allow: fc.array(allowRule, { maxLength: 4 }) }),
    two: fc.record({ allow: fc.array(allowRule, { maxLength: 4 }), includes: fc.constant(["one"]) }),
  }),
  deny: fc.array(denyRule, { maxLength: 3 }),
});
const request: fc.Arbitrary<GatewayRequest> = fc.oneof(
  fc.record({
    server: fc.constantFrom("a", "b", "c", "*"),
    httpMethod: fc.constant("POST" as const),
    method: fc.constantFrom("tools/call", "prompts/get", "ping", "tools/list", "tasks/cancel", "vendor/x", "*"),
    name: fc.constantFrom("t", "u", "v", "*", undefined),
  }),
  fc.record({ server: fc.constantFrom("a", "b"), httpMethod: fc.constantFrom("GET" as const, "DELETE" as const) }),
);
const principal: fc.Arbitrary<Principal> = fc.record({
  kind: fc.constant("user" as const),
  subject: fc.constant("s"),
  groups: some("g", "h"),
  claims: fc.constant({}),
  clientId: fc.constant("c"),
  resource: fc.constant("r"),
  tokenScopes: fc.constant([]),
  scopes: some("one", "two"),
  entitled: fc.constant(["one", "two"]),
  expiresAt: fc.constant(0),
  doors: fc.constant({ token: true as const, grant: true }),
});

const allows = (rules: PolicyConfig, who: Principal, what: GatewayRequest): boolean =>
  decide(compile(rules, challenges), who, what).allow;

/** The rules read one by one, as the guide words them. */
function byTheGuide({ scopes, deny }: PolicyConfig, who: Principal, { server, method, name }: GatewayRequest): boolean {
  const named = new Set(["tools/call", "prompts/get", "resources/read"]);
  const at = (rule: { readonly servers: readonly string[] }) =>
    rule.servers.includes(server) || rule.servers.includes("*");
  const has = (list: readonly string[], value: string) => list.includes(value) || list.includes("*");
  const lifecycle = ["ping"];
  const spelled = (list: readonly string[]) => [
    ...list,
    ...(list.includes("all") ? ["*"] : []),
    ...(list.includes("read") ? [...lifecycle, "prompts/get", "tools/list"] : []),
    ...(list.includes("lifecycle") ? lifecycle : []),
  ];
  const denied = deny.some((rule) => {
    if (!at(rule) || (rule.groups && !rule.groups.some((group) => who.groups.includes(group)))) return false;
    const methods = spelled(rule.methods);
    if (methods.includes("*")) return true;
    if (method === undefined) return false;
    return methods.includes(method) || (method === "tools/call" && has(rule.tools, name ?? ""));
  });
  if (denied || !["a", "b"].includes(server)) return false;
  if (method !== undefined && named.has(method) && name === undefined) return false;
  return who.scopes.some((scope) =>
    (scopes[scope]?.allow ?? []).some((rule) => {
      if (!at(rule)) return false;
      if (method === undefined) return true;
      return method === "tools/call" ? has(rule.tools, name ?? "") : has(spelled(rule.methods), method);
    }),
  );
}

describe("whatever the rules", () => {
  test("the tables say what the rules say one by one", () => {
    fc.assert(
      fc.property(config, principal, request, (rules, who, what) => {
        expect(allows(rules, who, what)).toBe(byTheGuide(rules, who, what));
      }),
      { numRuns: 2000 },
    );
  });

  test("their order means nothing, another allow takes nothing away, another deny gives nothing", () => {
    fc.assert(
      fc.property(config, principal, request, allowRule, denyRule, (rules, who, what, more, less) => {
        const { scopes, deny } = rules;
        const allow = scopes.one?.allow ?? [];
        const before = allows(rules, who, what);
        const turned = { ...rules, scopes: { ...scopes, one: { allow: allow.toReversed() } }, deny: deny.toReversed() };
        expect(allows(turned, who, what)).toBe(before);
        if (before)
          expect(allows({ ...rules, scopes: { ...scopes, one: { allow: [...allow, more] } } }, who, what)).toBe(true);
        else expect(allows({ ...rules, deny: [...deny, less] }, who, what)).toBe(false);
      }),
    );
  });

  test("who follows a challenge and gets its scopes passes", () => {
    fc.assert(
      fc.property(config, principal, request, (rules, who, what) => {
        const decision = decide(compile(rules, challenges), who, what);
        if (decision.allow || decision.refusal.code !== "insufficient_scope") return;
        const asked = (/scope="([^"]*)"/.exec(decision.refusal.challenge ?? "")?.[1] ?? "").split(" ");
        const scopes = asked.includes("two") ? ["one", "two"] : asked;
        expect(allows(rules, { ...who, scopes }, what)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

test("an open response ends once no rule gives its call, and no earlier", async () => {
  const { scopes } = gatewaySection.parse({
    scopes: {
      "mcp/read": { allow: [{ servers: ["clock"], tools: ["now"] }] },
      "mcp/write": { allow: [{ servers: ["clock"], tools: ["sleep"] }] },
    },
  });
  const upstream = await startUpstream((req, res) => {
    req.resume();
    res.writeHead(200, { "Content-Type": "text/event-stream" });
    res.write(": begun\n\n");
  });
  const gateway = await startGateway({ clock: upstream.url }, { scopes });
  const stream = async (tool: string) => {
    const response = await open(gateway.port, {
      method: "POST",
      path: "/clock/mcp",
      headers: { Authorization: "Bearer alice", "Content-Type": "application/json" },
      body: JSON.stringify(call(tool)),
    });
    expect(await nextChunk(response)).toBe(": begun\n\n");
    return response;
  };
  const [ends] = [await stream("sleep"), await stream("now")];
  gateway.tokens.holders.set("alice", { subject: "sub-alice", scopes: ["mcp/read"] });
  const end = nextChunk(ends);
  for (let second = 0; second < 16; second++) await gateway.clock.advance(1000);
  expect(await end).toBeUndefined();
  const closed = gateway.events.filter(({ action }) => action === "stream.closed");
  expect(closed).toMatchObject([{ tool: "sleep", status: 403, reason: "not_permitted" }]);
});
