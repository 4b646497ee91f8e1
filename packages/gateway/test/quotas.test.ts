import { type AuditEvent, deriveRootKeys, memoryStore, type Store, sharedCounts, systemRandom } from "sallyport";
import { describe, expect, test } from "vitest";
import { gatewaySection, type QuotaRule } from "../src/index.ts";
import { call, echo, startGateway, startUpstream } from "./support/gateway.ts";
import { manualClock } from "./support/manual-clock.ts";

type Written = { readonly [key in "per" | "servers" | "tools" | "groups" | "machines"]?: readonly string[] } & {
  readonly limit: number;
  readonly window?: string;
};

const rules = (quotas: readonly Written[]): readonly QuotaRule[] => gatewaySection.parse({ quotas }).quotas;

/** A gateway before an upstream that counts what reaches it. */
async function gatewayWith(quotas: readonly Written[], change: Parameters<typeof startGateway>[1] = {}) {
  let reached = 0;
  const upstream = await startUpstream((req, res) => {
    reached += 1;
    echo(req, res);
  });
  const gateway = await startGateway({ clock: upstream.url }, { quotas: rules(quotas), ...change });
  /** Statuses of so many calls. */
  const calls = async (times: number, who = "alice", tool = "t", server = "clock"): Promise<readonly number[]> => {
    const statuses: number[] = [];
    for (let n = 0; n < times; n += 1) {
      const { status } = await gateway.post(call(tool), { Authorization: `Bearer ${who}` }, server);
      statuses.push(status);
    }
    return statuses;
  };
  return { ...gateway, url: upstream.url, calls, reached: () => reached };
}

const last = (events: readonly AuditEvent[]): AuditEvent | undefined => events.at(-1);

test("past the quota: 429 with the exact wait, for the client and the trail; the server is not reached", async () => {
  const { calls, post, clock, events, reached } = await gatewayWith([{ per: ["principal"], limit: 3, window: "1h" }]);
  await clock.advance(17 * 60_000 + 300);
  expect(await calls(3)).toEqual([200, 200, 200]);
  const { status, headers, body } = await post(call("t"));
  expect(status).toBe(429);
  const retryAfter = 43 * 60;
  expect(headers["retry-after"]).toBe(String(retryAfter));
  expect(JSON.parse(body)).toEqual({
    jsonrpc: "2.0",
    id: 7,
    error: {
      code: -32000,
      message: "There have been too many requests of this kind. Try again in 2580 s.",
      data: { reason: "quota_exceeded", retryAfter },
    },
  });
  expect(last(events)).toMatchObject({
    action: "request.refused",
    reason: "quota_exceeded",
    because: "quotas[0]",
    status: 429,
    user: "sub-alice",
    tool: "t",
  });
  expect(reached()).toBe(3);
  await clock.advance((retryAfter - 1) * 1000);
  expect(await calls(1)).toEqual([429]);
  await clock.advance(1000);
  expect(await calls(4)).toEqual([200, 200, 200, 429]);
});

describe("what has a count of its own", () => {
  const two = async (per: readonly string[], more: Partial<Written>, other: readonly [string, string, string]) => {
    const { calls } = await gatewayWith([{ per, limit: 2, ...more }]);
    expect(await calls(3)).toEqual([200, 200, 429]);
    return (await calls(1, ...other))[0];
  };

  test.each([
    ["principal", "another user", ["principal"], ["bob", "t", "clock"], 200],
    ["principal", "the same user through another client", ["principal"], ["alice2", "t", "clock"], 429],
    ["principal", "a machine with the id of a user", ["principal"], ["robot", "t", "clock"], 200],
    ["principal", "another server", ["principal"], ["alice", "t", "notes"], 429],
    ["client", "another user of it", ["client"], ["robot", "t", "clock"], 429],
    ["client", "another client", ["client"], ["alice2", "t", "clock"], 200],
    ["server", "whoever asks", ["server"], ["bob", "t", "clock"], 429],
    ["server", "another server", ["server"], ["alice", "t", "notes"], 200],
    ["tool", "whoever asks", ["tool"], ["bob", "t", "clock"], 429],
    ["tool", "another tool", ["tool"], ["alice", "u", "clock"], 200],
    ["tool", "of the same name elsewhere", ["tool"], ["alice", "t", "notes"], 200],
    ["principal and tool", "another user", ["tool", "principal"], ["bob", "t", "clock"], 200],
    ["principal and tool", "another tool", ["principal", "tool"], ["alice", "u", "clock"], 200],
    ["principal and client", "another client", ["principal", "client"], ["alice2", "t", "clock"], 200],
  ] as const)("%s: %s", async (_, __, per, other, expected) => {
    expect(await two(per, {}, other)).toBe(expected);
  });
});

describe("what a quota concerns", () => {
  test.each([
    ["servers", { servers: ["notes"] }, ["alice", "t", "clock"], ["alice", "t", "notes"]],
    ["tools", { tools: ["u"] }, ["alice", "t", "clock"], ["alice", "u", "clock"]],
    ["machines", { machines: ["sub-alice"] }, ["alice", "t", "clock"], ["robot", "t", "clock"]],
  ] as const)("%s", async (_, selector, free, concerned) => {
    const { calls } = await gatewayWith([{ per: ["principal"], limit: 1, ...selector }]);
    expect(await calls(3, ...free)).toEqual([200, 200, 200]);
    expect(await calls(2, ...concerned)).toEqual([200, 429]);
  });

  test("with tool only calls of tools; without, everything that is forwarded", async () => {
    const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    const ofTools = await gatewayWith([{ per: ["principal", "tool"], limit: 1 }]);
    for (let n = 0; n < 3; n += 1) expect((await ofTools.post(list)).status).toBe(200);
    const ofAll = await gatewayWith([{ per: ["principal"], limit: 1 }]);
    expect((await ofAll.post(list)).status).toBe(200);
    expect((await ofAll.post(list)).status).toBe(429);
    expect((await ofAll.send({ method: "GET" })).status).toBe(429);
  });

  test("what the policy denies uses up nothing, nor does what is malformed or another's session", async () => {
    const { calls, post, send } = await gatewayWith([{ per: ["server"], limit: 2 }]);
    expect(await calls(3, "carol")).toEqual([403, 403, 403]);
    expect((await send({ method: "POST", headers: { "Content-Type": "application/json" }, body: "{" })).status).toBe(
      400,
    );
    expect((await post(call("t"), { "Mcp-Session-Id": "of-nobody" })).status).toBe(404);
    expect(await calls(3)).toEqual([200, 200, 429]);
  });
});

test("of several quotas the strictest counts, and what it refuses uses up none of the others", async () => {
  const { calls, events, clock } = await gatewayWith([
    { per: ["principal"], limit: 4, window: "1d" },
    { per: ["principal"], limit: 2, window: "1m" },
  ]);
  expect(await calls(5)).toEqual([200, 200, 429, 429, 429]);
  expect(last(events)?.because).toBe("quotas[1]");
  await clock.advance(60_000);
  expect(await calls(3)).toEqual([200, 200, 429]);
  expect(last(events)?.because).toBe("quotas[0]");
});

test("counts survive a change of the settings where all but the limit stays the same", async () => {
  const { calls, gateway, url } = await gatewayWith([{ per: ["principal"], limit: 5, servers: ["clock", "notes"] }]);
  const live = (quotas: readonly Written[]) => ({
    ...gatewaySection.parse({ servers: [{ name: "clock", url }], quotas }),
    allowedOrigins: [],
  });
  expect(await calls(3)).toEqual([200, 200, 200]);
  gateway.prepare(live([{ per: ["principal"], limit: 3, servers: ["notes", "clock"] }]))();
  expect(await calls(1)).toEqual([429]);
  gateway.prepare(live([{ per: ["principal"], limit: 3, servers: ["clock"] }]))();
  expect(await calls(4)).toEqual([200, 200, 200, 429]);
});

test("no store in steady traffic, and none needed: in an outage the process goes on by its own count", async () => {
  const clock = manualClock();
  const inner = memoryStore({ clock, random: systemRandom });
  let [asked, broken] = [0, false];
  const count: Store["count"] = async (...args) => {
    asked += 1;
    if (broken) throw new Error("gone");
    return inner.count(...args);
  };
  const counts = sharedCounts({ store: { count }, keys: deriveRootKeys(["x".repeat(43)]), clock });
  const { calls } = await gatewayWith([{ per: ["principal"], limit: 60 }], { counts, clock });
  expect(await calls(40)).toEqual(Array(40).fill(200));
  expect(asked).toBe(13);
  broken = true;
  expect(await calls(21)).toEqual([...Array(20).fill(200), 429]);
  expect(asked).toBe(14);
});

test.each([
  [{ per: [], limit: 1 }, /per/],
  [{ per: ["tool", "tool"], limit: 1 }, /once/],
  [{ per: ["user"], limit: 1 }, /per/],
  [{ per: ["tool"], limit: 0 }, /limit/],
  [{ per: ["tool"], limit: 1, window: "0s" }, /at least 1s/],
  [{ per: ["tool"], limit: 1, tools: [] }, /tools/],
  [{ per: ["tool"], limit: 1, scope: "x" }, /scope/],
])("%j is refused", (quota, message) => {
  expect(() => gatewaySection.parse({ quotas: [quota] })).toThrow(message);
});
