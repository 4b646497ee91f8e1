import { request } from "node:http";
import { describe, expect, it, vi } from "vitest";
import { connect, eras, startDemo } from "../../test/demo-client.ts";
import { startDemoServers } from "./index.ts";

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
});
const post = { "content-type": "application/json", accept: "application/json, text/event-stream" };

/** Posts `initialize` with headers that fetch would not let us choose. */
function initializeWith(url: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", headers: { ...post, ...headers } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    sent.on("error", reject).end(initialize);
  });
}

/** Begins a 2025 session. */
async function session(url: string): Promise<{ [name: string]: string; "mcp-session-id": string }> {
  const response = await fetch(url, { method: "POST", headers: post, body: initialize });
  await response.text();
  return { ...post, "mcp-session-id": response.headers.get("mcp-session-id") ?? "" };
}

describe("Host and Origin", () => {
  it.each([
    [{ host: "evil.example.com" }, 403],
    [{ origin: "http://evil.example.com" }, 403],
    [{ origin: "null" }, 403],
    [{ host: "localhost:1234", origin: "http://localhost:5173" }, 200],
    [{}, 200],
  ])("%o gives %i", async (headers, status) => {
    expect(await initializeWith((await startDemo()).url("clock"), headers)).toBe(status);
  });

  it("may name other hosts where that is configured", async () => {
    const demo = await startDemoServers({ allowedHostnames: ["demo.test"] });
    try {
      const url = demo.servers[0]?.url ?? "";
      expect(await initializeWith(url, { host: "demo.test" })).toBe(200);
      expect(await initializeWith(url, {})).toBe(403);
    } finally {
      await demo.close();
    }
  });
});

describe("2025 sessions", () => {
  it("end with DELETE, after which their id is unknown", async () => {
    const url = (await startDemo()).url("clock");
    const headers = await session(url);
    const ping = { method: "POST", headers, body: JSON.stringify({ jsonrpc: "2.0", id: 2, method: "ping" }) };
    expect((await fetch(url, ping)).status).toBe(200);
    expect((await fetch(url, { method: "DELETE", headers })).status).toBe(200);
    expect((await fetch(url, ping)).status).toBe(404);
  });

  it("are not begun by anything but initialize", async () => {
    const url = (await startDemo()).url("clock");
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" });
    const response = await fetch(url, { method: "POST", headers: post, body });
    expect(response.status).toBe(400);
    expect(response.headers.get("mcp-session-id")).toBeNull();
  });

  it("are kept to 200: the one unused for longest goes", async () => {
    const url = (await startDemo()).url("clock");
    const [used, unused] = [await session(url), await session(url)];
    const ping = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "ping" });
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(url, { method: "POST", headers, body: ping })).status;
    expect(await status(used)).toBe(200);
    for (let count = 0; count < 199; count += 1) await session(url);
    expect(await status(unused)).toBe(404);
    expect(await status(used)).toBe(200);
  });
});

it("opens a 2025 stream at once, not with the first thing there is to say on it", async () => {
  const url = (await startDemo()).url("notes");
  const headers = { ...(await session(url)), accept: "text/event-stream" };
  // Far less than the keep-alive's 15 s.
  const stream = await fetch(url, { headers, signal: AbortSignal.timeout(5_000) });
  expect(stream.status).toBe(200);
  await stream.body?.cancel();
});

it("answers 404 beside its path", async () => {
  const url = (await startDemo()).url("clock");
  expect((await fetch(new URL("/", url))).status).toBe(404);
});

describe.each(eras)("everything over %s", (era) => {
  it("tells those who listen of a tool that comes and goes", async () => {
    const url = (await startDemo()).url("everything");
    const changed = vi.fn();
    const listener = await connect(url, era, {
      listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: changed } },
    });
    const names = async (): Promise<string[]> => (await listener.listTools()).tools.map(({ name }) => name);
    expect(await names()).not.toContain("test_extra_tool");
    const other = await connect(url, era);
    // A 2025 client opens its stream on its own time: change it an odd number of times until it has heard of one.
    await other.callTool({ name: "test_trigger_tool_change" });
    await vi.waitFor(async () => {
      if (changed.mock.calls.length > 0) return;
      await other.callTool({ name: "test_trigger_tool_change" });
      await other.callTool({ name: "test_trigger_tool_change" });
      expect(changed).toHaveBeenCalled();
    });
    expect(await names()).toContain("test_extra_tool");
  });

  it("tells those who subscribed of a changed resource", async () => {
    const url = (await startDemo()).url("everything");
    const uri = "test://watched-resource";
    const updated = vi.fn();
    const listener = await connect(url, era);
    listener.setNotificationHandler("notifications/resources/updated", ({ params }) => updated(params.uri));
    if (era === "2025-11-25") await listener.subscribeResource({ uri });
    else await listener.listen({ resourceSubscriptions: [uri] });
    const other = await connect(url, era);
    await vi.waitFor(async () => {
      await other.callTool({ name: "test_touch_watched_resource" });
      expect(updated).toHaveBeenCalledWith(uri);
    });
  });
});

describe("close", () => {
  it.each(eras)("ends calls and streams that are open over %s", async (era) => {
    const begun = Promise.withResolvers<void>();
    const sleep = async (_ms: number, signal?: AbortSignal): Promise<void> => {
      begun.resolve();
      await new Promise((resolve) => signal?.addEventListener("abort", resolve));
    };
    const demo = await startDemo({ now: () => 0, sleep });
    const client = await connect(demo.url("clock"), era);
    const listener = await connect(demo.url("notes"), era, {
      listChanged: { resources: { autoRefresh: false, onChanged: () => {} } },
    });
    const call = client.callTool(
      { name: "sleep", arguments: { ms: 60_000 } },
      { onprogress: () => {}, timeout: 3_000 },
    );
    const outcome = expect(call).rejects.toThrow();
    await begun.promise;
    const before = performance.now();
    await demo.close();
    expect(performance.now() - before).toBeLessThan(1_000);
    await expect(fetch(demo.url("clock"))).rejects.toThrow();
    await listener.close();
    await client.close();
    await outcome;
  });

  it("ends an open 2025 stream properly instead of cutting it off", async () => {
    const demo = await startDemo();
    const headers = await session(demo.url("notes"));
    const stream = await fetch(demo.url("notes"), { headers: { ...headers, accept: "text/event-stream" } });
    expect(stream.status).toBe(200);
    const read = stream.text();
    await demo.close();
    await expect(read).resolves.toBeTypeOf("string");
  });

  it("tells those who listen on a 2026-07-28 stream that it ends", async () => {
    const demo = await startDemo();
    const client = await connect(demo.url("notes"), "2026-07-28");
    const subscription = await client.listen({ resourcesListChanged: true });
    await demo.close();
    expect(await subscription.closed).toBe("graceful");
  });

  it("comes with the signal, and may be called again", async () => {
    const end = new AbortController();
    const demo = await startDemoServers({ signal: end.signal });
    end.abort();
    await demo.close();
    await demo.close();
    await expect(fetch(demo.servers[0]?.url ?? "")).rejects.toThrow();
    await expect(startDemoServers({ signal: end.signal })).rejects.toThrow("aborted");
  });

  it("leaves nothing listening when an address cannot be bound", async () => {
    // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
    await expect(startDemoServers({ hostname: "192.0.2.1" })).rejects.toMatchObject({ code: "EADDRNOTAVAIL" });
  });
});
