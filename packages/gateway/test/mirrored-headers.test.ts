import { describe, expect, test } from "vitest";
import { echo, startGateway, startUpstream } from "./support/gateway.ts";

const modern = { "MCP-Protocol-Version": "2026-07-28" };
const claim = { _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } };
const request = (method: string, params: Readonly<Record<string, unknown>> = {}) => ({
  jsonrpc: "2.0",
  id: 9,
  method,
  params: { ...claim, ...params },
});

/** Status, error code, and which mirrored headers the upstream saw. */
async function outcome(message: unknown, headers: Readonly<Record<string, string>>) {
  const upstream = await startUpstream(echo);
  const gateway = await startGateway({ clock: upstream.url });
  const answer = await gateway.post(message, headers);
  const parsed = JSON.parse(answer.body);
  const raw: string[] = parsed.rawHeaders ?? [];
  const seen = raw.flatMap((text, i) => (i % 2 === 0 && /^mcp-(method|name)$/i.test(text) ? [raw[i + 1]] : []));
  return { status: answer.status, code: parsed.error?.code, id: parsed.id, seen };
}

describe("a conforming request of 2026-07-28 passes", () => {
  test.each([
    ["tools/list", {}, { "Mcp-Method": "tools/list" }],
    ["tools/call", { name: "now" }, { "mcp-method": "tools/call", "mcp-name": "now" }],
    ["tools/call", { name: "now" }, { "MCP-METHOD": "tools/call", "Mcp-Name": "  now " }],
    ["tools/call", { name: "zeit-für-ä" }, { "Mcp-Method": "tools/call", "Mcp-Name": "=?base64?emVpdC1mw7xyLcOk?=" }],
    ["prompts/get", { name: "p" }, { "Mcp-Method": "prompts/get", "Mcp-Name": "p" }],
    ["resources/read", { uri: "note://1" }, { "Mcp-Method": "resources/read", "Mcp-Name": "note://1" }],
    ["tasks/get", { taskId: "t1" }, { "Mcp-Method": "tasks/get", "Mcp-Name": "t1" }],
    ["vendor/thing", { thing: "x" }, { "Mcp-Method": "vendor/thing", "Mcp-Name": "x" }],
  ])("%s %o", async (method, params, headers) => {
    const { status, seen } = await outcome(request(method, params), { ...modern, ...headers });
    expect(status).toBe(200);
    expect(seen).toHaveLength(Object.keys(headers).length);
  });

  test("a later revision is treated alike, and a notification needs no headers", async () => {
    const later = { "MCP-Protocol-Version": "2027-01-01" };
    expect((await outcome(request("tools/list"), { ...later, "Mcp-Method": "tools/call" })).code).toBe(-32020);
    const notification = { jsonrpc: "2.0", method: "notifications/cancelled", params: claim };
    expect((await outcome(notification, modern)).status).toBe(200);
  });
});

describe("a revision that the body names must be the header's", () => {
  test.each<[string, Readonly<Record<string, string>>]>([
    ["no header", {}],
    ["an older one", { "MCP-Protocol-Version": "2025-11-25" }],
    ["a later one", { "MCP-Protocol-Version": "2027-01-01" }],
  ])("%s", async (_what, version) => {
    const { status, code, id } = await outcome(request("tools/list"), { ...version, "Mcp-Method": "tools/list" });
    expect([status, code, id]).toEqual([400, -32020, 9]);
  });
});

describe("headers and body that differ are refused with -32020", () => {
  test.each([
    ["another method", request("tools/call", { name: "drop" }), { "Mcp-Method": "tools/list", "Mcp-Name": "drop" }],
    ["a method in other letters", request("tools/list"), { "Mcp-Method": "TOOLS/LIST" }],
    ["another tool", request("tools/call", { name: "drop" }), { "Mcp-Method": "tools/call", "Mcp-Name": "now" }],
    [
      "another tool, encoded",
      request("tools/call", { name: "drop" }),
      { "Mcp-Method": "tools/call", "Mcp-Name": "=?base64?bm93?=" },
    ],
    [
      "broken base64",
      request("tools/call", { name: "now" }),
      { "Mcp-Method": "tools/call", "Mcp-Name": "=?base64?bm9?=" },
    ],
    [
      "base64 with more padding than it needs",
      request("tools/call", { name: "now" }),
      { "Mcp-Method": "tools/call", "Mcp-Name": "=?base64?bm93==?=" },
    ],
    [
      "base64 that is no UTF-8",
      request("tools/call", { name: "now" }),
      { "Mcp-Method": "tools/call", "Mcp-Name": "=?base64?/w==?=" },
    ],
    ["no method header", request("tools/list"), {}],
    ["no name header", request("tools/call", { name: "now" }), { "Mcp-Method": "tools/call" }],
    ["a notification with another method", { jsonrpc: "2.0", method: "a/b" }, { "Mcp-Method": "a/c" }],
  ])("%s", async (_what, message, headers) => {
    const { status, code, seen } = await outcome(message, { ...modern, ...headers });
    expect([status, code, seen]).toEqual([400, -32020, []]);
  });

  test("the answer carries the request's id", async () => {
    expect((await outcome(request("tools/list"), modern)).id).toBe(9);
  });
});

test("headers that were not compared do not go upstream", async () => {
  const lying = { "Mcp-Method": "tools/list", "Mcp-Name": "now" };
  const call = { jsonrpc: "2.0", id: 9, method: "tools/call", params: { name: "drop" } };
  expect((await outcome(call, lying)).seen).toEqual([]);
  expect((await outcome(call, { ...lying, "MCP-Protocol-Version": "2025-11-25" })).seen).toEqual([]);
  const unknown = { ...modern, "Mcp-Method": "vendor/thing", "Mcp-Name": "other" };
  expect((await outcome(request("vendor/thing", { thing: "x" }), unknown)).seen).toEqual(["vendor/thing"]);
});

test("what is wrong with the body's own claim is the upstream's to say", async () => {
  const withoutClaim = { jsonrpc: "2.0", id: 9, method: "tools/call", params: { name: "now" } };
  expect((await outcome(withoutClaim, modern)).status).toBe(200);
});
