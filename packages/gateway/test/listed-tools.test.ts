import type { LogFields } from "sallyport";
import { describe, expect, test } from "vitest";
import { compile, gatewaySection, type Policy, unlistedTools } from "../src/index.ts";
import { createListedTools, type ToolsPage } from "../src/policy/listed-tools.ts";
import { call, startGateway, startUpstream } from "./support/gateway.ts";

const challenges = { challenge: () => ({ scope: "", resourceMetadata: "https://mcp.example/x" }) };
const rules = gatewaySection.parse({
  scopes: {
    "mcp/read": {
      allow: [
        { servers: ["clock"], tools: ["now", "then"] },
        { servers: ["clock", "notes"], tools: ["list_notes", "*"] },
      ],
    },
  },
  deny: [{ servers: ["*"], tools: ["delete_note"] }],
});
const servers = ["clock", "notes"].map((name) => ({ name, resource: name, requiredScopes: [] }));
const policyOf = (): Policy => compile({ servers, scopes: rules.scopes, deny: rules.deny }, challenges);

describe("rules that name tools which no server lists", () => {
  const lists = (all: Readonly<Record<string, readonly string[]>>) =>
    new Map(Object.entries(all).map(([server, tools]) => [server, new Set(tools)]));
  const found = (all: Readonly<Record<string, readonly string[]>>) =>
    unlistedTools({ ...rules, servers }, lists(all)).map(
      ({ rule, tool, index }) => `${rule.setting}[${index}] ${tool}`,
    );

  test("a rule waits for all of its servers, and one that has the tool is enough", () => {
    expect(found({})).toEqual([]);
    expect(found({ clock: ["now"] })).toEqual(['scopes."mcp/read".allow[0][1] then']);
    expect(found({ clock: ["now", "then"], notes: ["list_notes", "delete_note"] })).toEqual([]);
    expect(found({ clock: ["now", "then"], notes: [] })).toEqual([
      'scopes."mcp/read".allow[1][0] list_notes',
      "deny[0][0] delete_note",
    ]);
  });
});

describe("what is learnt from lists that pass by", () => {
  function watched() {
    const told: string[] = [];
    const warn = (_: string, fields?: LogFields) => void told.push(`${String(fields?.rule)} ${String(fields?.tool)}`);
    const listed = createListedTools({ warn });
    let policy = policyOf();
    const saw = (names: readonly string[], page: Partial<ToolsPage> = {}, server = "clock") =>
      listed.saw(policy, server, { cursor: undefined, nextCursor: undefined, names, ...page });
    const reload = (): void => {
      policy = policyOf();
    };
    return { told, saw, reload };
  }
  const thenIsMissing = ['scopes."mcp/read".allow[0] then'];

  test("is told once, not with every list, and anew under another policy", () => {
    const { told, saw, reload } = watched();
    saw(["now"]);
    saw(["now"]);
    saw([]);
    expect(told).toEqual(thenIsMissing);
    reload();
    saw(["now"]);
    expect(told).toEqual([...thenIsMissing, ...thenIsMissing]);
  });

  test("nothing of a page alone; all pages together are the list", () => {
    const { told, saw } = watched();
    saw(["now"], { nextCursor: "2" });
    saw(["x"], { cursor: "2", nextCursor: "3" });
    expect(told).toEqual([]);
    saw(["y"], { cursor: "elsewhere" });
    saw(["y"], { cursor: "3" }, "notes");
    expect(told).toEqual([]);
    saw(["then"], { cursor: "3" });
    expect(told).toEqual([]);
    saw(["list_notes"], {}, "notes");
    expect(told).toEqual(["deny[0] delete_note"]);
  });

  test("what one caller was shown is listed, though another was not", () => {
    const { told, saw } = watched();
    saw(["now", "then"]);
    saw(["now"]);
    expect(told).toEqual([]);
  });

  test("lists without end take no more memory", () => {
    const { told, saw } = watched();
    for (let n = 0; n < 100; n += 1) saw(["now"], { nextCursor: `c${n}` });
    // The beginning of this one was let go.
    saw([], { cursor: "c0" });
    expect(told).toEqual([]);
    saw([], { cursor: "c99" });
    expect(told).toEqual(thenIsMissing);
    const long = Array.from({ length: 20_001 }, (_, n) => `tool-${n}`);
    saw(long, {}, "notes");
    expect(told).toEqual(thenIsMissing);
  });
});

test("the gateway tells it in its log, once, after a list that was asked for; a hidden tool is listed", async () => {
  const upstream = await startUpstream((_req, res) => {
    res.setHeader("Content-Type", "application/json");
    res.end(JSON.stringify({ jsonrpc: "2.0", id: 7, result: { tools: [{ name: "now" }, { name: "secret" }] } }));
  });
  const { scopes, deny } = gatewaySection.parse({
    scopes: {
      "mcp/read": { allow: [{ servers: ["clock"], tools: ["now", "noww"] }] },
      hidden: { allow: [{ servers: ["clock"], tools: ["secret"] }] },
    },
    deny: [],
  });
  const { post, logs } = await startGateway({ clock: upstream.url }, { scopes, deny });
  const warnings = () => logs.filter(({ message }) => message === "a rule names a tool that no server lists");
  await post(call("now"));
  expect(warnings()).toEqual([]);
  for (let n = 0; n < 2; n += 1) {
    const { body } = await post({ jsonrpc: "2.0", id: 7, method: "tools/list" });
    expect(JSON.parse(body)).toMatchObject({ result: { tools: [{ name: "now" }] } });
  }
  expect(warnings().map(({ fields }) => fields)).toEqual([
    { rule: 'scopes."mcp/read".allow[0]', tool: "noww", servers: "clock" },
  ]);
});

test("the audit trail names the rule that decided, or why none could; nothing before a decision", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const { scopes, deny } = gatewaySection.parse({
    scopes: { "mcp/read": { allow: [{ servers: ["clock"], tools: ["now", "stop"] }] } },
    deny: [{ servers: ["clock"], tools: ["stop"] }],
  });
  const { post, events } = await startGateway({ clock: upstream.url }, { scopes, deny });
  for (const tool of ["now", "stop", "then"]) await post(call(tool));
  await post(call("now"), { Authorization: "Bearer nobody" });
  expect(events.map(({ action, because }) => [action, because])).toEqual([
    ["request.allowed", 'scopes."mcp/read".allow[0]'],
    ["request.refused", "deny[0]"],
    ["request.refused", "no scope gives it"],
    ["request.refused", undefined],
  ]);
});
