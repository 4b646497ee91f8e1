import type { RequestListener } from "node:http";
import { expect, test } from "vitest";
import { createSessionEnvelopes } from "../src/proxy/session-envelope.ts";
import { call, startGateway, startUpstream } from "./support/gateway.ts";

/** A server of the session era: gives `session-1` to `initialize` and repeats what it is shown. */
const sessionful: RequestListener = (req, res) => {
  const shown = req.headers["mcp-session-id"];
  req.resume().on("end", () => {
    res.setHeader("Mcp-Session-Id", shown ?? "session-1");
    res.setHeader("Content-Type", "application/json");
    res.end(JSON.stringify({ shown }));
  });
};

const initialize = { jsonrpc: "2.0", id: 0, method: "initialize", params: {} };
const envelopeOf = (headers: Readonly<Record<string, unknown>>): string => {
  const value = headers["mcp-session-id"];
  if (typeof value !== "string") throw new Error("no session was given");
  return value;
};

test("the client gets an envelope, the upstream its own id, and both stay the same", async () => {
  const upstream = await startUpstream(sessionful);
  const gateway = await startGateway({ clock: upstream.url });
  const envelope = envelopeOf((await gateway.post(initialize)).headers);
  expect(envelope).not.toContain("session-1");
  const answer = await gateway.post(call("now"), { "Mcp-Session-Id": envelope });
  expect(JSON.parse(answer.body)).toEqual({ shown: "session-1" });
  expect(envelopeOf(answer.headers)).toBe(envelope);
});

test.each([
  ["another user", { Authorization: "Bearer bob" }, "clock"],
  ["another client of the same user", { Authorization: "Bearer alice2" }, "clock"],
  ["a machine of the same name", { Authorization: "Bearer robot" }, "clock"],
  ["another server", {}, "notes"],
])("an envelope is useless to %s", async (_who, headers, server) => {
  const upstream = await startUpstream(sessionful);
  const gateway = await startGateway({ clock: upstream.url });
  const envelope = envelopeOf((await gateway.post(initialize)).headers);
  const answer = await gateway.post(call("now"), { "Mcp-Session-Id": envelope, ...headers }, server);
  expect(answer.status).toBe(404);
  expect(JSON.parse(answer.body)).toMatchObject({ id: 7, error: { code: -32001 } });
});

test("an invented, changed or bare id is no session, on any method", async () => {
  const upstream = await startUpstream(sessionful);
  const gateway = await startGateway({ clock: upstream.url });
  const envelope = envelopeOf((await gateway.post(initialize)).headers);
  const changed = `${envelope.slice(0, -1)}${envelope.endsWith("A") ? "B" : "A"}`;
  for (const id of ["session-1", "", changed, `${envelope}=`, "A".repeat(4000)]) {
    for (const method of ["GET", "DELETE"]) {
      expect((await gateway.send({ method, headers: { "Mcp-Session-Id": id } })).status).toBe(404);
    }
    expect((await gateway.post(call("now"), { "Mcp-Session-Id": id })).status).toBe(404);
  }
});

test("an old key still opens, and what it sealed is not handed out anew", async () => {
  const upstream = await startUpstream(sessionful);
  const [older, newer] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const before = await startGateway({ clock: upstream.url }, { sessionKeys: [older] });
  const envelope = envelopeOf((await before.post(initialize)).headers);
  const after = await startGateway({ clock: upstream.url }, { sessionKeys: [newer, older] });
  const answer = await after.post(call("now"), { "Mcp-Session-Id": envelope });
  expect([answer.status, envelopeOf(answer.headers)]).toEqual([200, envelope]);
  const gone = await startGateway({ clock: upstream.url }, { sessionKeys: [newer] });
  expect((await gone.post(call("now"), { "Mcp-Session-Id": envelope })).status).toBe(404);
});

test("a revision without sessions ignores the header and sends none upstream", async () => {
  const upstream = await startUpstream(sessionful);
  const gateway = await startGateway({ clock: upstream.url });
  const headers = { "Mcp-Session-Id": "made-up", "MCP-Protocol-Version": "2026-07-28" };
  const answer = await gateway.post({ jsonrpc: "2.0", id: 1, method: "ping" }, headers);
  expect([answer.status, JSON.parse(answer.body)]).toEqual([200, {}]);
});

test("an id too long to be one is the upstream's fault", async () => {
  const upstream = await startUpstream((_req, res) => void res.setHeader("Mcp-Session-Id", "x".repeat(1025)).end());
  const gateway = await startGateway({ clock: upstream.url });
  expect((await gateway.post(initialize)).status).toBe(502);
});

test("keys of the wrong length are refused at start", () => {
  const random = { bytes: (length: number) => new Uint8Array(length), fraction: () => 0 };
  expect(() => createSessionEnvelopes([], random)).toThrow(RangeError);
  expect(() => createSessionEnvelopes([new Uint8Array(16)], random)).toThrow(/32 bytes/);
});
