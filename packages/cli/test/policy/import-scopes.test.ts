import { compile, decide } from "@sallyport/gateway";
import fc from "fast-check";
import { type Principal, scopeCatalog } from "sallyport";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { loadGatewayConfig } from "../../src/config/load-gateway-config.ts";
import { importScopes } from "../../src/policy/import/import-scopes.ts";
import { failureLines } from "../../src/process/failure.ts";
import { serverResources } from "../../src/serve/server-resources.ts";

interface Entry {
  readonly server: string;
  readonly methods: readonly string[];
  readonly tools: readonly string[];
}
type Scopes = Readonly<Record<string, readonly Entry[]>>;
type Groups = Readonly<Record<string, readonly string[]>>;
interface Asked {
  readonly group: string;
  readonly server: string;
  readonly method: string;
  readonly tool?: string;
}

/** As June 2025 judged: exact names, tools/call by `tools` alone, other methods also by `tools`. */
function allowedInJune2025(scopes: Scopes, groups: Groups, { group, server, method, tool }: Asked): boolean {
  return (groups[group] ?? []).some((name) =>
    (scopes[name] ?? []).some((entry) => {
      if (entry.server !== server) return false;
      if (method === "tools/call") return entry.tools.includes(tool ?? "");
      return entry.methods.includes(method) || entry.tools.includes(method);
    }),
  );
}

/** As it judges now: `*` for every server, `*` and `all` for every tool or method, paths without slashes and ends. */
function allowedNow(scopes: Scopes, groups: Groups, { group, server, method, tool }: Asked): boolean {
  const has = (list: readonly string[], value: string) => list.some((one) => [value, "*", "all"].includes(one));
  const path = (text: string) => text.replace(/^\/+|\/+$/g, "").replace(/\/(?:mcp|sse|messages)$/, "");
  return (groups[group] ?? []).some((name) =>
    (scopes[name] ?? []).some((entry) => {
      if (entry.server !== "*" && path(entry.server) !== server) return false;
      return method === "tools/call" ? has(entry.tools, tool ?? "") : has(entry.methods, method);
    }),
  );
}

/** The files of both formats. */
const oldFile = (scopes: Scopes, groups: Groups): string =>
  stringify({ group_mappings: groups, ...scopes }, { schema: "yaml-1.1" });
const newFile = (scopes: Scopes, groups: Groups): string =>
  JSON.stringify(
    Object.entries(scopes).map(([scope_name, server_access]) => ({
      scope_name,
      group_mappings: Object.keys(groups).filter((group) => groups[group]?.includes(scope_name)),
      server_access,
    })),
  );

const variables = {
  SALLYPORT_BASE_URL: "https://mcp.example.com",
  COGNITO_USER_POOL_ID: "eu-central-1_AbCdEfGhI",
  COGNITO_CLIENT_ID: "4example",
  COGNITO_CLIENT_SECRET: "none",
  COGNITO_DOMAIN: "example",
};

/** Loads what an import wrote, with every server that it lacks, and answers what the gateway would decide. */
async function gatewayOf(toml: string, servers: readonly string[]) {
  const tables = servers.map((name) => `[[servers]]\nname = "${name}"\nurl = "http://127.0.0.1:3001/mcp"\n`).join("");
  const { config } = await loadGatewayConfig({ env: variables, text: toml + tables, file: "sallyport.toml" });
  const resources = serverResources(config).map(({ path, name, requiredScopes }) => ({ path, name, requiredScopes }));
  const catalog = scopeCatalog({ ...config, resources });
  const policy = compile(
    {
      servers: config.servers.map(({ name }) => ({ name, resource: name, requiredScopes: [] })),
      scopes: config.scopes,
      deny: config.deny,
    },
    { challenge: () => ({ scope: "", resourceMetadata: "" }) },
  );
  return ({ group, server, method, tool }: Asked): boolean => {
    const scopes = catalog.ofUser({ sub: "s", groups: [group], claims: {} });
    const principal: Principal = {
      ...{ kind: "user", subject: "s", groups: [group], claims: {}, clientId: "c", resource: server },
      ...{ tokenScopes: scopes, scopes, entitled: scopes, expiresAt: 0, doors: { token: true, grant: true } },
    };
    // Prompts and resources are named in their requests; a rule gives them by method.
    return decide(policy, principal, { server, httpMethod: "POST", method, name: tool ?? "x" }).allow;
  };
}

const servers = ["billing", "notes"];
const methods = ["initialize", "ping", "tools/list", "tools/call", "prompts/get", "resources/read", "vendor/extra"];
const tools = ["lookup", "refund", "tools_list", "on", "GET"];
const groupNames = ["leads", "viewers", "nobody"];
const scopeNames = ["finance/read", "finance/execute", "plain"];

const questions: readonly Asked[] = groupNames.flatMap((group) =>
  servers.flatMap((server) => [
    ...methods.filter((method) => method !== "tools/call").map((method) => ({ group, server, method })),
    ...[...tools, "other"].map((tool) => ({ group, server, method: "tools/call", tool })),
  ]),
);

const some = (values: readonly string[]) => fc.subarray([...values]);
const groups = fc.record({ leads: some([...scopeNames, "gone"]), viewers: some(scopeNames) });
const scopesWith = (entry: fc.Arbitrary<Entry>): fc.Arbitrary<Scopes> =>
  fc.record(Object.fromEntries(scopeNames.map((name) => [name, fc.array(entry, { maxLength: 3 })])));
const clean = fc.record({ server: fc.constantFrom(...servers), methods: some(methods), tools: some(tools) });
const odd = fc.record({
  server: fc.constantFrom(...servers, "*", "/billing/", "/billing/mcp", "Billing Two", "a/b", "api"),
  methods: some([...methods, "all", "*", "read", "lifecycle", "GET", "http:*", "Tools/List", "nonsense"]),
  tools: some([...tools, "all", "*", "look*", "", "tools/list", "prompts/get", "tools/call"]),
});

const formats = [
  { name: "of June 2025", write: oldFile, oracle: allowedInJune2025 },
  { name: "of now", write: newFile, oracle: allowedNow },
];

/** `undefined` where there is nothing to import. */
function tryImport(file: string) {
  try {
    return importScopes(file, "scopes.yml", []);
  } catch (error) {
    expect(failureLines(error)).toEqual(["scopes.yml gives nothing at any server; there is nothing to import"]);
    return undefined;
  }
}

describe.each(formats)("what is imported from the format $name", ({ write, oracle }) => {
  test("decides alike, for every group, server, method and tool", async () => {
    await fc.assert(
      fc.asyncProperty(scopesWith(clean), groups, async (scopes, mapped) => {
        const imported = tryImport(write(scopes, mapped));
        const allows = imported ? await gatewayOf(imported.toml, servers) : () => false;
        for (const asked of questions) {
          expect({ ...asked, allow: allows(asked) }).toEqual({ ...asked, allow: oracle(scopes, mapped, asked) });
        }
      }),
      { numRuns: 25 },
    );
  });

  test("never gives more, whatever stands there, and what gives less is told", async () => {
    await fc.assert(
      fc.asyncProperty(scopesWith(odd), groups, async (scopes, mapped) => {
        const imported = tryImport(write(scopes, mapped));
        const findings = imported?.findings.filter(({ kind }) => kind !== "note") ?? [{ kind: "dropped" }];
        const named = [...servers, ...(imported?.withoutUrl ?? [])];
        const allows = imported ? await gatewayOf(imported.toml, [...new Set(named)]) : () => false;
        for (const asked of [...questions, ...questions.map((one) => ({ ...one, server: "Billing Two" }))]) {
          const before = oracle(scopes, mapped, asked);
          const now = allows({ ...asked, server: asked.server === "Billing Two" ? "billing-two" : asked.server });
          if (now) expect({ ...asked, before }).toEqual({ ...asked, before: true });
          else if (before) expect(findings).not.toEqual([]);
        }
      }),
      { numRuns: 25 },
    );
  });
});

const told = (file: string) =>
  importScopes(file, "scopes.yml", []).findings.map(
    ({ kind, line, message }) => `${kind} ${line === undefined ? "" : `${line} `}${message}`,
  );

describe("what an import tells", () => {
  test("of June 2025", () => {
    const lines = told(`UI-Scopes:
  team-lead:
    list_service: [all]
group_mappings:
  leads: [team-lead, finance/read, gone]
  only-ui: [team-lead]
finance/read:
  - server: billing
    methods: [initialize, all, GET, Tools/List]
    tools: [on, 'on', "*", all, prompts/list]
  - server: Notes_Old
    methods: [tools/call]
    tools: look
  - server: a/b
    methods: [initialize]
    tools: []
empty: []
nothing: text
`);
    expect(lines).toEqual([
      "dropped 2 UI-Scopes: team-lead (list_service); there are no such rights here yet",
      "dropped 5 leads: team-lead, which has rights in UI-Scopes only",
      "dropped 5 leads: there is no scope gone, so it gave nothing",
      "dropped 6 only-ui: team-lead, which has rights in UI-Scopes only",
      "dropped 8 finance/read at billing: the method all, which stood for nothing; write it again if it is to mean all",
      "dropped 8 finance/read at billing: the method GET; GET and DELETE need any rule for the server here",
      'dropped 8 finance/read at billing: the method "Tools/List", which is none of MCP\'s',
      'dropped 8 finance/read at billing: the tool "*"; patterns stood for nothing',
      "note 8 finance/read at billing: the tool all was one tool of that name, not every tool; so it is here",
      "changed 8 finance/read at billing: prompts/list stood among the tools, where it counted as a method; it is one now",
      "note 8 finance/read at billing: its tools may be called although methods has no tools/call, as before; take tools out if that is not meant",
      "dropped 10 tools: true is no text and never matched anything",
      'changed 11 the server "Notes_Old" is called notes-old here, and is at /notes-old/mcp',
      "note 11 finance/read at Notes_Old: may call tools but names none, so none may be called, as before",
      "dropped 11 finance/read at Notes_Old: gives nothing",
      "dropped 13 tools: is no list",
      'dropped 14 the server "a/b", with every rule for it: it is no path of one part',
      "dropped 17 the scope empty: it gives nothing at any server",
      "dropped 18 nothing: has no list of servers",
      "dropped 18 the scope nothing: it gives nothing at any server",
      "dropped the group only-ui: nothing is left that it gives",
      "note who has no scope is refused, and so are requests without a body or with several; they were let through",
      "note lists show what may be used and nothing else; they were not filtered",
      "note a JSON-RPC method that has the name of a tool is no longer let through",
      "note GET, DELETE and answers to a server's questions need any rule for the server",
      "note machines: name each Cognito app client under [machines] with its scopes; its token alone is not enough",
      "note clients of MCP 2026-07-28 send server/discover as well: add lifecycle to methods for them",
    ]);
  });

  test("a method among the tools stays one, where it was one", () => {
    const entries = [{ server: "srv", methods: [], tools: ["prompts/list", "look"] }];
    const { toml } = importScopes(oldFile({ s: entries }, {}), "scopes.yml", []);
    expect(toml).toContain('tools = ["look"], methods = ["prompts/list"]');
    const now = importScopes(newFile({ s: entries }, {}), "scopes.json", []);
    expect(now.toml).toContain('tools = ["prompts/list", "look"], methods = []');
  });

  test("of now: agents, rights of the registry, paths, HTTP methods, one scope twice", () => {
    const lines = told(`_id: one
scope_name: admin scope
description: ${"x".repeat(201)}
group_mappings: [admins]
server_access:
  - server: /billing/mcp
    methods: [all, "http:*"]
    tools: ["*"]
    note: x
  - agent: helper
    actions: [list_agents]
ui_permissions: {list_service: [all]}
create_in_idp: true
created_at: 2026-01-01
---
scope_name: admin scope
group_mappings: [admins, others]
server_access: [{server: "*", methods: [tools/list, tools/list], tools: [tools/list]}]
`);
    expect(lines).toEqual([
      "note 1 admin scope: its _id is one; scope_name counts",
      'changed 1 the scope "admin scope" is called admin-scope',
      'changed 6 the server "/billing/mcp" is called billing here, and is at /billing/mcp',
      "dropped 6 admin scope at /billing/mcp: the method http:*; GET and DELETE need any rule for the server here",
      "dropped 9 admin scope: note of /billing/mcp has no meaning here",
      'dropped 10 admin scope: what it gives at the agent "helper"; there are no agents here',
      "dropped 12 admin scope: ui_permissions (list_service); there are no such rights here yet",
      "note 13 admin scope: create_in_idp; make groups and scopes in Cognito yourself",
      "changed 16 admin scope: comes more than once; what the documents give is added up",
      "note 18 admin scope at *: tools/list among the tools is no method; it stays a tool's name",
      "note 18 admin scope at *: its tools may be called although methods has no tools/call, as before; take tools out if that is not meant",
      "note GET, DELETE and answers to a server's questions need any rule for the server",
      "note machines: name each Cognito app client under [machines] with its scopes; its token alone is not enough",
    ]);
  });
});

describe("what is written", () => {
  const file = `group_mappings: { "a \\"b\\"\\x7f": [s] }
s: [{ server: api, methods: [ping], tools: [] }, { server: billing, methods: [], tools: ["x\\\\y"] }]
`;
  test("is TOML that the loader takes, whatever is in the names; servers with their URLs", async () => {
    const { toml, withoutUrl } = importScopes(file, "/etc/scopes.yml", ["api=https://api.internal/mcp"]);
    expect(toml).toBe(`# Imported from scopes.yml of mcp-gateway-registry (the scopes.yml of June 2025).

[groups]
"a \\"b\\"\\u007f" = ["s"]

[scopes.s]
allow = [
  { servers = ["api-server"], tools = [], methods = ["ping"] },
  { servers = ["billing"], tools = ["x\\\\y"], methods = [] },
]

[[servers]]
name = "api-server"
url = "https://api.internal/mcp"
`);
    expect(withoutUrl).toEqual(["billing"]);
    const allows = await gatewayOf(toml, ["billing"]);
    const asked = { group: 'a "b"\u007f', server: "billing", method: "tools/call" };
    expect([allows({ ...asked, tool: "x\\y" }), allows({ ...asked, tool: "xy" })]).toEqual([true, false]);
  });

  test("JSON objects, one a line, are documents, with their own lines", () => {
    const one =
      '{"scope_name":"a","group_mappings":["g"],"server_access":[{"server":"srv","methods":["ping"],"tools":[]}]}';
    const two = one.replace('"a"', '"b"').replace('"ping"', '"pong"');
    expect(importScopes(`${one}\n${two}\n`, "scopes.json", []).toml).toContain('[groups]\ng = ["a"]\n');
    expect(told(`${one}\n${two}\n`)).toContain('dropped 2 b at srv: the method "pong", which is none of MCP\'s');
  });

  const scope = "s: [{server: srv, methods: [ping]}]\n";
  test.each([
    [`${scope}${scope}`, [], "scopes.yml:2: a key comes twice, and only one could count; remove one"],
    ["s: [{server: srv, server: two, methods: [ping]}]\n", [], "scopes.yml:1: a key comes twice"],
    ["a: [", [], "scopes.yml:1: "],
    ["a: !!js/function 'x'\n", [], "scopes.yml:1: Unresolved tag"],
    ["", [], "scopes.yml has no scopes of mcp-gateway-registry in it"],
    ["just a text", [], "scopes.yml has no scopes of mcp-gateway-registry in it"],
    [`${scope}---\n${scope}`, [], "scopes.yml has 2 documents; the old format has one"],
    ["group_mappings: {g: [s]}\n", [], "scopes.yml gives nothing at any server; there is nothing to import"],
    [
      "a b: [{server: srv, methods: [ping]}]\na-b: [{server: srv, methods: [ping]}]\n",
      [],
      "names differ in characters only",
    ],
    [scope, ["two=https://two.example/mcp"], "scopes.yml names no server two; it names: srv"],
    [scope, ["srv"], "--server srv is not of the form NAME=URL"],
    [
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n`,
      [],
      "Excessive alias count",
    ],
  ])("%j is refused", (content, given, message) => {
    let lines: readonly string[] = [];
    try {
      importScopes(content, "scopes.yml", given);
    } catch (error) {
      lines = failureLines(error);
    }
    expect(lines[0]).toContain(message);
  });
});
