import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { isBetweenEvents, keepAliveComment, noTail, tailAfter } from "../src/proxy/event-gaps.ts";
import { startGateway, startUpstream, type TestGateway } from "./support/gateway.ts";
import { nextChunk, open, until } from "./support/http.ts";

const listen = {
  method: "POST",
  path: "/clock/mcp",
  headers: { Authorization: "Bearer alice", "Content-Type": "application/json" },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "subscriptions/listen" }),
};

/** A server that opens an event stream and leaves it to the test. */
async function start(
  settings: { readonly keepAlive?: number; readonly headers?: Readonly<Record<string, string>> } = {},
) {
  const streams: ServerResponse[] = [];
  const upstream = await startUpstream((_req, res) => {
    res.writeHead(200, { "Content-Type": "text/event-stream", ...settings.headers });
    res.flushHeaders();
    streams.push(res);
  });
  const gateway = await startGateway({ clock: upstream.url }, { eventStreamKeepAlive: settings.keepAlive ?? 15_000 });
  const response = await open(gateway.port, listen);
  response.pause();
  await until(() => streams.length === 1);
  const [stream] = streams;
  if (!stream) throw new Error("no stream");
  return { gateway, response, stream };
}

/** Seconds pass, one at a time, as the timer has it. */
async function pass(gateway: TestGateway, seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) await gateway.clock.advance(1000);
}

describe("a silent event stream", () => {
  test("gets a comment after 15 s, again and again, and its events stay whole", async () => {
    const { gateway, response, stream } = await start();
    await pass(gateway, 16);
    expect(await nextChunk(response)).toBe(keepAliveComment);
    await pass(gateway, 15);
    expect(await nextChunk(response)).toBe(keepAliveComment);
    stream.write("data: 1\n\n");
    expect(await nextChunk(response)).toBe("data: 1\n\n");
    await pass(gateway, 14);
    stream.write("data: 2\n\n");
    // What has just spoken is not silent.
    expect(await nextChunk(response)).toBe("data: 2\n\n");
    await pass(gateway, 16);
    expect(await nextChunk(response)).toBe(keepAliveComment);
    response.destroy();
  });

  test("gets none in the middle of an event", async () => {
    const { gateway, response, stream } = await start({ keepAlive: 2000 });
    stream.write("data: ha");
    expect(await nextChunk(response)).toBe("data: ha");
    await pass(gateway, 10);
    stream.write("lf\n");
    expect(await nextChunk(response)).toBe("lf\n");
    await pass(gateway, 10);
    stream.write("\n");
    expect(await nextChunk(response)).toBe("\n");
    await pass(gateway, 4);
    expect(await nextChunk(response)).toBe(keepAliveComment);
    response.destroy();
  });

  test.each([
    ["with a length", { "Content-Length": "9" }],
    ["in a content coding", { "Content-Encoding": "x-unknown" }],
  ])("gets none where the bytes are not ours to add to: %s", async (_what, headers) => {
    const { gateway, response, stream } = await start({ keepAlive: 2000, headers });
    await pass(gateway, 10);
    stream.end("data: 1\n\n");
    expect(await nextChunk(response)).toBe("data: 1\n\n");
  });

  test("gets none with 0s", async () => {
    const { gateway, response, stream } = await start({ keepAlive: 0 });
    await pass(gateway, 100);
    stream.write("data: 1\n\n");
    expect(await nextChunk(response)).toBe("data: 1\n\n");
    response.destroy();
  });

  test("a plain answer that is slow gets none", async () => {
    let late: ServerResponse | undefined;
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(200, { "Content-Type": "application/json" });
      res.write("{");
      late = res;
    });
    const gateway = await startGateway({ clock: upstream.url }, { eventStreamKeepAlive: 2000 });
    const response = await open(gateway.port, listen);
    await until(() => late !== undefined);
    expect(await nextChunk(response)).toBe("{");
    await pass(gateway, 10);
    late?.end("}");
    expect(await nextChunk(response)).toBe("}");
  });

  test("a server that says nothing is judged by its own silence: comments put off no timeout", async () => {
    const upstream = await startUpstream(() => {});
    const gateway = await startGateway({ clock: upstream.url, timeout: "5s" }, { eventStreamKeepAlive: 1000 });
    const answered = open(gateway.port, listen);
    await until(() => gateway.tokens.checks === 1);
    await new Promise((resolve) => setImmediate(resolve));
    await pass(gateway, 6);
    expect((await answered).statusCode).toBe(504);
  });
});

test.each([
  ["", true],
  ["data: a", false],
  ["data: a\n", false],
  ["data: a\r\n", false],
  ["data: a\r", false],
  ["data: a\n\n", true],
  ["data: a\r\n\r\n", true],
  ["data: a\r\r", true],
  ["data: a\n\r\n", true],
  ["data: a\r\r\n", true],
  ["data: a\r\n\r", true],
  [": note\n\ndata: a\n", false],
])("%j is between events: %s", (text, expected) => {
  const bytes = Buffer.from(text);
  expect(isBetweenEvents(tailAfter(noTail, bytes))).toBe(expected);
  // However it was cut.
  const byte = [...bytes].reduce((tail, one) => tailAfter(tail, Uint8Array.of(one)), noTail);
  expect(isBetweenEvents(byte)).toBe(expected);
});
