import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { describe, expect, test } from "vitest";
import { call, startGateway, startUpstream, type TestGateway } from "./support/gateway.ts";
import { nextChunk, open, serve, until } from "./support/http.ts";

/** An upstream whose every request is answered by hand. */
async function startByHand() {
  const arrived: { req: IncomingMessage; res: ServerResponse }[] = [];
  const upstream = await startUpstream((req, res) => {
    req.resume();
    arrived.push({ req, res });
  });
  const next = async (): Promise<{ req: IncomingMessage; res: ServerResponse }> => {
    await until(() => arrived.length > 0);
    const exchange = arrived.shift();
    if (!exchange) throw new Error("nothing arrived");
    return exchange;
  };
  return { ...upstream, next };
}

const stream = (gateway: TestGateway, method = "POST"): Promise<IncomingMessage> =>
  open(gateway.port, {
    method,
    path: "/clock/mcp",
    headers: { Authorization: "Bearer alice", "Content-Type": "application/json" },
    ...(method === "POST" ? { body: JSON.stringify(call("sleep")) } : {}),
  });

describe("event streams", () => {
  test("head and events come as they are sent, none waits for the next", async () => {
    const upstream = await startByHand();
    const gateway = await startGateway({ clock: upstream.url });
    const pending = stream(gateway);
    const { res } = await upstream.next();
    res.writeHead(200, { "Content-Type": "text/event-stream" });
    res.flushHeaders();
    const response = await pending;
    expect(response.headers).toMatchObject({ "content-type": "text/event-stream", "x-accel-buffering": "no" });
    for (const event of ["data: 1\n\n", ": keep-alive\n\n", "data: 2\n\n"]) {
      res.write(event);
      expect(await nextChunk(response)).toBe(event);
    }
    res.end();
    expect(await nextChunk(response)).toBeUndefined();
  });

  test("a client that goes away cancels the upstream's work", async () => {
    const upstream = await startByHand();
    const gateway = await startGateway({ clock: upstream.url });
    const pending = stream(gateway, "GET");
    const { res } = await upstream.next();
    res.writeHead(200, { "Content-Type": "text/event-stream" });
    res.flushHeaders();
    (await pending).destroy();
    await until(() => res.destroyed);
    expect(res.writableFinished).toBe(false);
  });

  test("a client that goes away before the response begins cancels too", async () => {
    const upstream = await startByHand();
    const gateway = await startGateway({ clock: upstream.url });
    const controller = new AbortController();
    const pending = fetch(`${gateway.baseUrl}/clock/mcp`, {
      method: "POST",
      headers: { Authorization: "Bearer alice", "Content-Type": "application/json" },
      body: JSON.stringify(call("sleep")),
      signal: controller.signal,
    });
    const { res } = await upstream.next();
    controller.abort();
    await expect(pending).rejects.toThrow(/abort/);
    await until(() => res.destroyed);
  });

  test("a client that goes away while its token is judged: nothing is forwarded, nothing stays open", async () => {
    let reached = 0;
    const upstream = await startUpstream((_req, res) => {
      reached++;
      res.end("{}");
    });
    const gateway = await startGateway({ clock: upstream.url }, { maxOpenRequests: 1 });
    const judged = Promise.withResolvers<void>();
    gateway.tokens.wait = judged.promise;
    const sent = request({
      host: "127.0.0.1",
      port: gateway.port,
      path: "/clock/mcp",
      headers: { Host: "localhost", Authorization: "Bearer alice" },
    });
    sent.on("error", () => {});
    sent.end();
    await until(() => gateway.tokens.checks === 1);
    sent.destroy();
    await new Promise((resolve) => sent.once("close", resolve));
    // A whole request after it: by then the gateway has seen the first one's connection close.
    await gateway.send({ path: "/nowhere" });
    judged.resolve();
    expect((await gateway.post(call("now"))).status).toBe(200);
    expect(reached).toBe(1);
  });

  test("an upstream that breaks off breaks off the client's response", async () => {
    const upstream = await startByHand();
    const gateway = await startGateway({ clock: upstream.url });
    const pending = stream(gateway);
    const { res } = await upstream.next();
    res.writeHead(200, { "Content-Type": "text/event-stream" });
    res.write("data: 1\n\n");
    const response = await pending;
    expect(await nextChunk(response)).toBe("data: 1\n\n");
    const broken = nextChunk(response);
    res.destroy();
    await expect(broken).rejects.toThrow(/aborted/);
    expect(gateway.events.at(-1)).toMatchObject({ action: "stream.closed", reason: "upstream_server_unreachable" });
  });

  test("a slow reader holds the upstream back instead of filling memory", async () => {
    const upstream = await startByHand();
    const gateway = await startGateway({ clock: upstream.url });
    const pending = stream(gateway);
    const { res } = await upstream.next();
    res.writeHead(200, { "Content-Type": "application/octet-stream" });
    const chunk = Buffer.alloc(256 * 1024, "x");
    let written = 0;
    const fill = (): void => {
      while (written < 160) {
        written++;
        if (!res.write(chunk)) return;
      }
    };
    res.on("drain", fill);
    fill();
    const response = await pending;
    response.pause();
    // Sockets and streams take some megabytes; then nothing moves until someone reads.
    let last = -1;
    while (last !== written) {
      last = written;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(written).toBeLessThan(100);
    let received = 0;
    response.on("data", (data: Buffer) => {
      received += data.length;
    });
    response.resume();
    await until(() => written === 160);
    res.end();
    await until(() => response.readableEnded);
    expect(received).toBe(160 * chunk.length);
  });
});

describe("an upstream that fails", () => {
  const generic = { jsonrpc: "2.0", id: 7, error: { code: -32603, message: expect.stringContaining("MCP server") } };

  test("is down: 502 with the request's id and no word about the inside", async () => {
    const gone = await serve(() => {});
    await gone.close();
    const gateway = await startGateway({ clock: gone.url });
    const answer = await gateway.post(call("now"));
    expect([answer.status, JSON.parse(answer.body)]).toEqual([502, generic]);
    expect(answer.body).not.toContain("ECONNREFUSED");
    expect(gateway.logs.at(-1)?.fields).toMatchObject({ server: "clock", problem: "ECONNREFUSED" });
    expect(gateway.events.at(-1)).toMatchObject({ status: 502, reason: "upstream_server_unreachable" });
  });

  test("does not begin its response in time: 504, and it is told to stop", async () => {
    const upstream = await startByHand();
    const gateway = await startGateway({ clock: upstream.url, timeout: "10s" });
    const pending = gateway.post(call("now"));
    const { res } = await upstream.next();
    await gateway.clock.advance(9_900);
    expect(res.destroyed).toBe(false);
    await gateway.clock.advance(1_000);
    const answer = await pending;
    expect([answer.status, JSON.parse(answer.body)]).toEqual([504, generic]);
    await until(() => res.destroyed);
  });

  test("a response that has begun has no end of time", async () => {
    const upstream = await startByHand();
    const gateway = await startGateway({ clock: upstream.url, timeout: "10s" });
    const pending = stream(gateway);
    const { res } = await upstream.next();
    res.writeHead(200, { "Content-Type": "text/event-stream" });
    res.write("data: 1\n\n");
    const response = await pending;
    await nextChunk(response);
    await gateway.clock.advance(3_600_000);
    res.write("data: 2\n\n");
    expect(await nextChunk(response)).toBe("data: 2\n\n");
  });

  test("speaks no HTTP: 502", async () => {
    const server = createTcpServer((socket) => void socket.end("hello\r\n\r\n"));
    const port = await new Promise<number>((resolve) =>
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        resolve(typeof address === "object" && address ? address.port : 0);
      }),
    );
    const gateway = await startGateway({ clock: `http://127.0.0.1:${port}/mcp` });
    expect((await gateway.post(call("now"))).status).toBe(502);
    server.close();
  });
});

describe("a kept connection that the upstream closes as it is used again", () => {
  /** Answers the first request of a connection and drops the connection at the second, unanswered. */
  async function startForgetful() {
    const seen: string[] = [];
    const used = new WeakSet<object>();
    const upstream = await startUpstream((req, res) => {
      const chunks: Buffer[] = [];
      req.on("data", (chunk: Buffer) => chunks.push(chunk));
      req.on("end", () => {
        seen.push(JSON.parse(Buffer.concat(chunks).toString()).method);
        if (used.has(req.socket)) return void req.socket.resetAndDestroy();
        used.add(req.socket);
        res.setHeader("Content-Type", "application/json");
        res.end("{}");
      });
    });
    return { ...upstream, seen };
  }

  test("a listing is sent once more on a new connection", async () => {
    const upstream = await startForgetful();
    const gateway = await startGateway({ clock: upstream.url });
    const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    expect((await gateway.post(list)).status).toBe(200);
    expect((await gateway.post(list)).status).toBe(200);
    expect(upstream.seen).toEqual(["tools/list", "tools/list", "tools/list"]);
  });

  test("what a new connection lost is not sent again", async () => {
    let reached = 0;
    const upstream = await startUpstream((req) => {
      reached++;
      req.socket.resetAndDestroy();
    });
    const gateway = await startGateway({ clock: upstream.url });
    expect((await gateway.post({ jsonrpc: "2.0", id: 1, method: "tools/list" })).status).toBe(502);
    expect(reached).toBe(1);
  });

  test("a tool call never is: it may have begun", async () => {
    const upstream = await startForgetful();
    const gateway = await startGateway({ clock: upstream.url });
    expect((await gateway.post(call("add_note"))).status).toBe(200);
    expect((await gateway.post(call("add_note"))).status).toBe(502);
    expect(upstream.seen).toEqual(["tools/call", "tools/call"]);
  });
});

test("one principal can have so many requests open and no more, others are not held up", async () => {
  const upstream = await startByHand();
  const gateway = await startGateway({ clock: upstream.url }, { maxOpenRequests: 2 });
  const first = stream(gateway, "GET");
  const { res } = await upstream.next();
  void stream(gateway, "GET").catch(() => {});
  await upstream.next();
  const third = await gateway.post(call("now"));
  expect([third.status, third.headers["retry-after"]]).toEqual([429, "1"]);
  const bob = gateway.post(call("now"), { Authorization: "Bearer bob" });
  (await upstream.next()).res.end("{}");
  expect((await bob).status).toBe(200);
  res.end();
  (await first).resume();
  const again = gateway.post(call("now"));
  await until(() => gateway.events.filter((event) => event.status === 200).length >= 2);
  (await upstream.next()).res.end("{}");
  expect((await again).status).toBe(200);
});
