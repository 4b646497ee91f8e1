import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { call, holders, startGateway, startUpstream, type TestGateway } from "./support/gateway.ts";
import { nextChunk, open, until } from "./support/http.ts";

/** A gateway with one open GET stream of alice, and both of its ends. */
async function openStream(server = "clock", contentType = "text/event-stream") {
  let ends: ServerResponse | undefined;
  const upstream = await startUpstream((req, res) => {
    req.resume();
    res.writeHead(200, { "Content-Type": contentType });
    res.flushHeaders();
    res.write(": hello\n\n");
    ends = res;
  });
  const gateway = await startGateway({ clock: upstream.url });
  const response = await open(gateway.port, { path: `/${server}/mcp`, headers: { Authorization: "Bearer alice" } });
  expect(await nextChunk(response)).toBe(": hello\n\n");
  if (!ends) throw new Error("the upstream was not reached");
  return { gateway, response, upstreamEnd: ends };
}

const goesOn = async (response: IncomingMessage, upstreamEnd: ServerResponse): Promise<void> => {
  upstreamEnd.write("data: on\n\n");
  expect(await nextChunk(response)).toBe("data: on\n\n");
};

/** One interval, in the steps in which time passes. */
const oneInterval = async (gateway: TestGateway): Promise<void> => {
  for (let second = 0; second < 16; second++) await gateway.clock.advance(1000);
};

describe("an open stream is judged again", () => {
  test("and goes on while the answer is the same; one question an interval", async () => {
    const { gateway, response, upstreamEnd } = await openStream();
    await oneInterval(gateway);
    await oneInterval(gateway);
    expect(gateway.tokens.rechecks).toBe(2);
    await goesOn(response, upstreamEnd);
  });

  test("revoked: it ends in an orderly way, the upstream is told, the trail has the reason", async () => {
    const { gateway, response, upstreamEnd } = await openStream();
    gateway.tokens.ended.add("sub-alice");
    const end = nextChunk(response);
    await gateway.clock.advance(14_000);
    expect(gateway.tokens.rechecks).toBe(0);
    await gateway.clock.advance(1_000);
    expect(await end).toBeUndefined();
    await until(() => upstreamEnd.destroyed);
    expect(gateway.events.at(-1)).toMatchObject({ action: "stream.closed", reason: "grant_revoked", status: 401 });
  });

  test("between two looks of the timer: it is judged at the earlier one, within the interval", async () => {
    const { gateway } = await openStream();
    await gateway.clock.advance(500);
    const later = await open(gateway.port, { path: "/clock/mcp", headers: { Authorization: "Bearer alice" } });
    expect(await nextChunk(later)).toBe(": hello\n\n");
    gateway.tokens.ended.add("sub-alice");
    const end = nextChunk(later);
    await gateway.clock.advance(500);
    for (let second = 1; second < 15; second++) await gateway.clock.advance(1000);
    expect(await end).toBeUndefined();
  });

  test("the server's scope is gone: closed by the policy, not only by the token", async () => {
    const { gateway, response } = await openStream("notes");
    gateway.tokens.holders.set("alice", { ...holders.alice, subject: "sub-alice", scopes: ["mcp/other"] });
    const end = nextChunk(response);
    await oneInterval(gateway);
    expect(await end).toBeUndefined();
    expect(gateway.events.at(-1)).toMatchObject({ action: "stream.closed", reason: "not_permitted", status: 403 });
  });

  test("an outage ends nothing", async () => {
    const { gateway, response, upstreamEnd } = await openStream();
    gateway.tokens.outage = true;
    await oneInterval(gateway);
    await goesOn(response, upstreamEnd);
  });

  test("an error that nobody foresaw ends it", async () => {
    const { gateway, response } = await openStream();
    gateway.tokens.holders.delete("alice");
    const end = nextChunk(response);
    await oneInterval(gateway);
    expect(await end).toBeUndefined();
    expect(gateway.events.at(-1)).toMatchObject({ action: "stream.closed", reason: "internal_error" });
  });

  test("a response that would look whole is broken off instead", async () => {
    const { gateway, response } = await openStream("clock", "application/json");
    gateway.tokens.ended.add("sub-alice");
    const end = nextChunk(response);
    const rejected = expect(end).rejects.toThrow(/aborted/);
    await oneInterval(gateway);
    await rejected;
  });

  test("a request that still waits for its response is refused", async () => {
    let reached: ServerResponse | undefined;
    const upstream = await startUpstream((req, res) => {
      req.resume();
      reached = res;
    });
    const gateway = await startGateway({ clock: upstream.url });
    const pending = gateway.post(call("sleep"));
    await until(() => reached !== undefined);
    gateway.tokens.ended.add("sub-alice");
    await oneInterval(gateway);
    const answer = await pending;
    expect([answer.status, answer.headers["www-authenticate"]]).toEqual([
      401,
      expect.stringContaining("invalid_token"),
    ]);
    await until(() => reached?.destroyed === true);
  });
});

describe("closing", () => {
  /** A tool call by alice, to be sent with `open`. */
  const post = (tool: string) => ({
    method: "POST",
    path: "/clock/mcp",
    headers: {
      Authorization: "Bearer alice",
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
    },
    body: JSON.stringify(call(tool)),
  });

  test("ends waiting streams at once, lets a call finish, takes no more", async () => {
    const arrived: ServerResponse[] = [];
    const upstream = await startUpstream((req, res) => {
      req.resume();
      if (req.method === "GET") res.writeHead(200, { "Content-Type": "text/event-stream" }).write(": hello\n\n");
      else arrived.push(res);
    });
    const gateway = await startGateway({ clock: upstream.url });
    const waiting = await open(gateway.port, { path: "/clock/mcp", headers: { Authorization: "Bearer alice" } });
    await nextChunk(waiting);
    const calling = gateway.post(call("sleep"));
    await until(() => arrived.length === 1);
    const closed = gateway.gateway.close(1000);
    expect(await nextChunk(waiting)).toBeUndefined();
    expect((await gateway.post(call("now"))).status).toBe(503);
    arrived[0]?.end("{}");
    expect((await calling).status).toBe(200);
    await until(() => gateway.events.some((event) => event.action === "request.allowed" && event.tool === "sleep"));
    await gateway.clock.advance(50);
    await closed;
  });

  test("at the deadline: a stream of a call ends in order, a call without an answer is refused, a half answer breaks", async () => {
    const answers: Record<string, (res: ServerResponse) => void> = {
      silent: () => {},
      stream: (res) => void res.writeHead(200, { "Content-Type": "text/event-stream" }).write(": hello\n\n"),
      half: (res) => void res.writeHead(200, { "Content-Type": "application/json" }).write('{"half":'),
    };
    let reached = 0;
    const upstream = await startUpstream((req, res) => {
      reached += 1;
      let body = "";
      req.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      req.on("end", () => answers[/"name":"(\w+)"/.exec(body)?.[1] ?? ""]?.(res));
    });
    const gateway = await startGateway({ clock: upstream.url });
    const silent = gateway.post(call("silent"));
    const stream = await open(gateway.port, post("stream"));
    const half = await open(gateway.port, post("half"));
    expect(await nextChunk(stream)).toBe(": hello\n\n");
    expect(await nextChunk(half)).toBe('{"half":');
    await until(() => reached === 3);

    const closed = gateway.gateway.close(1000);
    const [endOfStream, endOfHalf] = [nextChunk(stream), expect(nextChunk(half)).rejects.toThrow(/aborted/)];
    for (let i = 0; i < 22; i++) await gateway.clock.advance(50);
    await closed;
    expect(await endOfStream).toBeUndefined();
    await endOfHalf;
    const answer = await silent;
    expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "1"]);
    const ends = gateway.events.filter(({ reason }) => reason === "gateway_closing");
    expect(ends.map(({ action, tool }) => `${action} ${tool}`).toSorted()).toEqual([
      "request.allowed silent",
      "stream.closed half",
      "stream.closed stream",
    ]);
  });

  test("a client that does not take the end of its stream, which came at the deadline, is not waited for", async () => {
    let held: ServerResponse | undefined;
    const upstream = await startUpstream((req, res) => {
      held = res;
      req.resume();
      res.writeHead(200, { "Content-Type": "text/event-stream" });
      const flood = (): void => {
        while (res.writable && res.write(`data: ${"x".repeat(65_536)}\n\n`));
      };
      res.on("drain", flood);
      flood();
    });
    const gateway = await startGateway({ clock: upstream.url });
    const response = await open(gateway.port, post("flood"));
    const broken = new Promise((resolve) => response.once("error", resolve));
    // The buffers between the two are full when nothing more has gone out for a while.
    for (let quiet = 0; quiet < 500; quiet = held?.writableNeedDrain ? quiet + 1 : 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const closed = gateway.gateway.close(1000);
    for (let i = 0; i < 22; i++) await gateway.clock.advance(50);
    await closed;
    response.resume();
    expect(await broken).toMatchObject({ code: "ECONNRESET" });
  });
});
