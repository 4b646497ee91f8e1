import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer, type Socket, type Server as TcpServer } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { gzipSync } from "node:zlib";
import { noAudit, silentLogger } from "sallyport";
import { afterEach, describe, expect, test } from "vitest";
import { gatewaySection } from "../src/index.ts";
import { mayRepeat } from "../src/proxy/may-repeat.ts";
import { createUpstream } from "../src/proxy/upstream.ts";
import { call, echo, startGateway, startUpstream, type TestGateway } from "./support/gateway.ts";
import { nextChunk, open, until } from "./support/http.ts";
import { manualClock } from "./support/manual-clock.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function portOf(server: TcpServer | Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** An upstream that writes what it likes: `answer` gets each connection when a request has come in. */
async function startRaw(answer: (socket: Socket, at: number) => void): Promise<{ url: string; seen: () => number }> {
  let seen = 0;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => answer(socket, ++seen));
    closers.push(() => socket.destroy());
  });
  return { url: `http://127.0.0.1:${await portOf(server)}/mcp`, seen: () => seen };
}

const json = (body: string, more = ""): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`;

/** Settings of a server named clock. */
const serverConfig = (url: string, more: Readonly<Record<string, unknown>> = {}) => {
  const { servers } = gatewaySection.parse({ servers: [{ name: "clock", url, ...more }] });
  const [server] = servers;
  if (server === undefined) throw new Error("there is no server");
  return server;
};

const startWith = (url: string, more: Readonly<Record<string, unknown>>): Promise<TestGateway> =>
  startGateway({ clock: url }, { servers: [serverConfig(url, more)] });

const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };

describe("what upstreams send", () => {
  test("an interim answer is not the answer", async () => {
    const upstream = await startRaw((socket) => {
      socket.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
      socket.write(json("{}"));
    });
    const gateway = await startGateway({ clock: upstream.url });
    const answer = await gateway.post(call("now"));
    expect([answer.status, answer.body, answer.headers.link]).toEqual([200, "{}", undefined]);
  });

  test.each([
    ["no HTTP", "SSH-2.0-OpenSSH_9.9\r\n"],
    [
      "a switch of protocols that nobody asked for",
      "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
    ["a head of 40 KiB", `HTTP/1.1 200 OK\r\nX-Long: ${"x".repeat(40_960)}\r\n\r\n`],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"],
    [
      "a length and chunks",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
    ["a header with a bare line feed", "HTTP/1.1 200 OK\r\nX-One: 1\nX-Two: 2\r\n\r\n"],
  ])("%s: 502", async (_what, bytes) => {
    const upstream = await startRaw((socket) => void socket.write(bytes));
    const gateway = await startGateway({ clock: upstream.url });
    const answer = await gateway.post(call("now"));
    expect(answer.status).toBe(502);
    expect(gateway.events.at(-1)).toMatchObject({ reason: "upstream_server_unreachable", status: 502 });
  });

  test("a second answer to one request reaches nobody, not on the next request either", async () => {
    const upstream = await startRaw((socket, at) => {
      socket.write(at === 1 ? json('{"a":1}') + json('{"evil":1}') : json('{"b":1}'));
    });
    const gateway = await startGateway({ clock: upstream.url });
    expect((await gateway.post(call("now"))).body).toBe('{"a":1}');
    expect((await gateway.post(list)).body).toBe('{"b":1}');
  });

  test("less than its length says: the client's answer is broken off too", async () => {
    const upstream = await startRaw((socket) => {
      socket.end("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
    });
    const gateway = await startGateway({ clock: upstream.url });
    await expect(gateway.post(call("now"))).rejects.toThrow(/aborted/);
    expect(gateway.events.at(-1)).toMatchObject({ action: "stream.closed", reason: "upstream_server_unreachable" });
  });

  test("chunks broken off in the middle do not look whole", async () => {
    const upstream = await startRaw((socket) => {
      socket.end("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n");
    });
    const gateway = await startGateway({ clock: upstream.url });
    await expect(gateway.post(call("now"))).rejects.toThrow(/aborted/);
  });

  test("trailers are taken and go nowhere; no length and no chunks: the end is the end", async () => {
    const answers = [
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\n{}\r\n0\r\nX-T: evil\r\n\r\n",
      "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}",
      "HTTP/1.0 200 OK\r\n\r\n{}",
    ];
    for (const answer of answers) {
      const upstream = await startRaw((socket) => {
        socket.write(answer);
        if (!answer.includes("chunked")) socket.end();
      });
      const gateway = await startGateway({ clock: upstream.url });
      const { status, body, headers } = await gateway.post(call("now"));
      expect([status, body, JSON.stringify(headers).includes("evil")]).toEqual([200, "{}", false]);
    }
  });

  test("an answer before the request is read, and no reading at all", async () => {
    const upstream = await startRaw((socket) => {
      socket.pause();
      if (socket.bytesWritten === 0) socket.write(json("{}"));
    });
    const gateway = await startGateway({ clock: upstream.url });
    const answer = await gateway.post(call("now", { arguments: { long: "x".repeat(3 * 1024 * 1024) } }));
    expect([answer.status, answer.body]).toEqual([200, "{}"]);
  });

  test("an answer that comes byte by byte", async () => {
    const bytes = json('{"slow":true}');
    const upstream = await startRaw((socket) => {
      void (async () => {
        for (const byte of bytes) {
          socket.write(byte);
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
    });
    const gateway = await startGateway({ clock: upstream.url });
    expect((await gateway.post(call("now"))).body).toBe('{"slow":true}');
  });
});

describe("connections", () => {
  /** Counts connections, and answers everything. */
  async function startCounting(headers: Readonly<Record<string, string>> = {}) {
    const sockets = new Set<Socket>();
    const upstream = await startUpstream((req, res) => {
      sockets.add(req.socket);
      req.resume();
      res.writeHead(200, { "Content-Type": "application/json", ...headers });
      res.end("{}");
    });
    return { ...upstream, sockets };
  }

  test("are kept and used again", async () => {
    const upstream = await startCounting();
    const gateway = await startGateway({ clock: upstream.url });
    for (let request = 0; request < 5; request += 1) expect((await gateway.post(call("now"))).status).toBe(200);
    expect(upstream.sockets.size).toBe(1);
  });

  test("are not kept where the upstream does not want it, or for too short a time to be sure", async () => {
    for (const headers of [{ Connection: "close" }, { Connection: "keep-alive", "Keep-Alive": "timeout=1" }]) {
      const upstream = await startCounting(headers);
      const gateway = await startGateway({ clock: upstream.url });
      for (let request = 0; request < 3; request += 1) expect((await gateway.post(call("now"))).status).toBe(200);
      expect(upstream.sockets.size).toBe(3);
    }
  });

  test("one that the upstream closes while nobody uses it is not used: a tool call passes", async () => {
    const upstream = await startCounting();
    const gateway = await startGateway({ clock: upstream.url });
    await gateway.post(call("now"));
    for (const socket of upstream.sockets) {
      socket.end();
      await once(socket, "close");
    }
    expect((await gateway.post(call("now"))).status).toBe(200);
    expect(upstream.sockets.size).toBe(2);
  });

  test("each request under way has one of its own", async () => {
    const arrived: ServerResponse[] = [];
    const upstream = await startUpstream((req, res) => {
      req.resume();
      arrived.push(res);
    });
    const gateway = await startGateway({ clock: upstream.url });
    const pending = Array.from({ length: 20 }, () => gateway.post(call("now")));
    await until(() => arrived.length === 20);
    expect(new Set(arrived.map((res) => res.socket)).size).toBe(20);
    for (const res of arrived.reverse()) res.end("{}");
    for (const answer of await Promise.all(pending)) expect(answer.status).toBe(200);
  });
});

describe("sending once more", () => {
  const post = (method: string) => ({ server: "s", httpMethod: "POST" as const, method, name: undefined });
  const failed = (code: string): Error => Object.assign(new Error(code), { code });

  test.each([
    ["nobody was there", { written: false, heard: false, kept: false }, "ECONNREFUSED", true, true],
    ["lost before it left", { written: false, heard: false, kept: true }, "ECONNRESET", true, true],
    [
      "connecting took too long",
      { written: false, heard: false, kept: false },
      "UND_ERR_CONNECT_TIMEOUT",
      false,
      false,
    ],
    ["the certificate is wrong", { written: false, heard: false, kept: false }, "CERT_HAS_EXPIRED", false, false],
    ["no such host", { written: false, heard: false, kept: false }, "ENOTFOUND", false, false],
    ["a kept connection was reset", { written: true, heard: false, kept: true }, "ECONNRESET", true, false],
    ["a kept connection was closed", { written: true, heard: false, kept: true }, "UND_ERR_SOCKET", true, false],
    ["an answer had begun", { written: true, heard: true, kept: true }, "ECONNRESET", false, false],
    ["a new connection was reset", { written: true, heard: false, kept: false }, "ECONNRESET", false, false],
    ["no HTTP came", { written: true, heard: false, kept: true }, "HPE_INVALID_CONSTANT", false, false],
  ])("%s", (_what, attempt, code, harmless, toolCall) => {
    expect(mayRepeat(post("tools/list"), attempt, failed(code))).toBe(harmless);
    expect(mayRepeat(post("tools/call"), attempt, failed(code))).toBe(toolCall);
  });

  test("a tool call that never left is sent on a fresh connection, once", async () => {
    const { authority, key, cert } = pems();
    setDefaultCACertificates([...getCACertificates("default"), authority]);
    let connections = 0;
    let hostile = 1;
    const tls = createTlsServer({ key, cert }, echo);
    const port = await portOf(
      createServer((socket) => {
        connections += 1;
        if (hostile-- > 0) socket.resetAndDestroy();
        else tls.emit("connection", socket);
      }),
    );
    const gateway = await startGateway({ clock: `https://localhost:${port}/mcp` });
    expect([(await gateway.post(call("now"))).status, connections]).toEqual([200, 2]);
    hostile = 10;
    expect((await gateway.post(call("now"), {}, "notes")).status).toBe(502);
    expect(connections).toBe(4);
  });
});

const pems = () => {
  const read = (name: string): string =>
    readFileSync(new URL(`../../../test/fixtures/tls/${name}`, import.meta.url), "utf8");
  return { authority: read("authority.crt.pem"), key: read("server.key.pem"), cert: read("server.crt.pem") };
};

describe("https", () => {
  const trusted = getCACertificates("default");
  afterEach(() => setDefaultCACertificates([...trusted]));

  async function startTls() {
    const { key, cert } = pems();
    return portOf(createTlsServer({ key, cert }, echo));
  }

  test("a certificate of an authority that the machine trusts, for the right name", async () => {
    setDefaultCACertificates([...trusted, pems().authority]);
    const gateway = await startGateway({ clock: `https://localhost:${await startTls()}/mcp` });
    expect((await gateway.post(call("now"))).status).toBe(200);
    expect((await gateway.post(call("now"))).status).toBe(200);
  });

  test("one of an unknown authority: nothing is sent", async () => {
    setDefaultCACertificates([...trusted]);
    const gateway = await startGateway({ clock: `https://localhost:${await startTls()}/mcp` });
    expect((await gateway.post(call("now"))).status).toBe(502);
    expect(gateway.logs.at(-1)?.fields).toMatchObject({ problem: expect.stringMatching(/CERT|ISSUER|VERIFY/) });
  });

  test("one for another name: nothing is sent", async () => {
    setDefaultCACertificates([...trusted, pems().authority]);
    const gateway = await startGateway({ clock: `https://127.0.0.2:${await startTls()}/mcp` });
    const answer = await gateway.post(call("now"));
    expect(answer.status).toBe(502);
  });
});

describe("how much a server has to deal with", () => {
  /** An upstream that answers nothing by itself. */
  async function startHeld(more: Readonly<Record<string, unknown>>) {
    const arrived: { req: IncomingMessage; res: ServerResponse }[] = [];
    const upstream = await startUpstream((req, res) => {
      req.resume();
      if (req.method === "GET") res.writeHead(200, { "Content-Type": "text/event-stream" }).write(": hello\n\n");
      arrived.push({ req, res });
    });
    return { gateway: await startWith(upstream.url, more), arrived };
  }
  const stream = (gateway: TestGateway) =>
    open(gateway.port, { path: "/clock/mcp", headers: { Authorization: "Bearer alice" } });

  test("calls past max_concurrent: 503 with the time to wait, and nothing reaches the server", async () => {
    const { gateway, arrived } = await startHeld({ maxConcurrent: 2 });
    const pending = [gateway.post(call("one")), gateway.post(call("two"))];
    await until(() => arrived.length === 2);
    const refused = await gateway.post(call("three"));
    expect([refused.status, refused.headers["retry-after"], arrived.length]).toEqual([503, "1", 2]);
    expect(gateway.events.at(-1)).toMatchObject({ action: "request.refused", reason: "upstream_server_busy" });
    for (const { res } of arrived) res.end("{}");
    await Promise.all(pending);
    const next = gateway.post(call("four"));
    await until(() => arrived.length === 3);
    arrived[2]?.res.end("{}");
    expect((await next).status).toBe(200);
  });

  test("streams that wait for news take no place of calls, nor calls of theirs", async () => {
    const { gateway, arrived } = await startHeld({ maxConcurrent: 1, maxStreams: 2 });
    const streams = [await stream(gateway), await stream(gateway)];
    const third = await stream(gateway);
    expect(third.statusCode).toBe(503);
    const calling = gateway.post(call("now"));
    await until(() => arrived.length === 3);
    arrived[2]?.res.end("{}");
    expect((await calling).status).toBe(200);
    streams[0]?.destroy();
    await until(() => arrived[0]?.res.destroyed === true);
    const again = await stream(gateway);
    expect(again.statusCode).toBe(200);
  });

  test("subscriptions/listen is such a stream", async () => {
    const { gateway, arrived } = await startHeld({ maxConcurrent: 1, maxStreams: 1 });
    const listen = { jsonrpc: "2.0", id: 1, method: "subscriptions/listen" };
    const listening = gateway.post(listen);
    await until(() => arrived.length === 1);
    expect((await gateway.post(listen)).status).toBe(503);
    const calling = gateway.post(call("now"));
    await until(() => arrived.length === 2);
    for (const { res } of arrived) res.end("{}");
    expect([(await calling).status, (await listening).status]).toEqual([200, 200]);
  });

  test("a client that goes away makes room", async () => {
    const { gateway, arrived } = await startHeld({ maxConcurrent: 1 });
    const controller = new AbortController();
    const body = JSON.stringify(call("now"));
    const headers = { Authorization: "Bearer alice", "Content-Type": "application/json" };
    const url = `${gateway.baseUrl}/clock/mcp`;
    const pending = fetch(url, { method: "POST", headers, body, signal: controller.signal });
    await until(() => arrived.length === 1);
    controller.abort();
    await expect(pending).rejects.toThrow(/abort/);
    await until(() => arrived[0]?.res.destroyed === true);
    const next = gateway.post(call("now"));
    await until(() => arrived.length === 2);
    arrived[1]?.res.end("{}");
    expect((await next).status).toBe(200);
  });
});

describe("an upstream that is used no more", () => {
  const deps = {
    clock: manualClock(),
    logger: silentLogger,
    audit: noAudit,
    resource: "https://gateway.example/clock/mcp",
  };

  /** One request through an upstream, by hand. */
  const startOne = (upstream: ReturnType<typeof createUpstream>) => {
    const connection = upstream.take();
    const done = Promise.withResolvers<number>();
    upstream.enter(false);
    connection.send(
      { method: "GET", headers: ["host", "localhost"], body: undefined },
      {
        onRequestStart() {},
        onResponseStarted() {},
        onResponseStart: (_control, status) => done.resolve(status),
        onResponseData() {},
        onResponseEnd() {
          upstream.keep(connection);
          upstream.leave(false);
        },
        onResponseError: (_control, error) => done.reject(error),
      },
    );
    return done.promise;
  };

  test("close: free connections go at once, what is under way finishes and is then not kept", async () => {
    const arrived: ServerResponse[] = [];
    const server = await startUpstream((_req, res) => void arrived.push(res));
    const upstream = createUpstream(serverConfig(server.url), deps);
    const first = startOne(upstream);
    await until(() => arrived.length === 1);
    arrived[0]?.end("{}");
    await first;
    await until(() => upstream.calls === 0);
    const second = startOne(upstream);
    await until(() => arrived.length === 2);
    expect(arrived[1]?.socket).toBe(arrived[0]?.socket ?? arrived[1]?.socket);
    let closed = false;
    const closing = upstream.close().then(() => {
      closed = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toBe(false);
    const { socket } = arrived[1] ?? {};
    arrived[1]?.end("{}");
    expect(await second).toBe(200);
    await closing;
    await until(() => socket?.destroyed === true);
  });

  test("close with nothing under way is over at once; destroy breaks off", async () => {
    const arrived: ServerResponse[] = [];
    const server = await startUpstream((_req, res) => void arrived.push(res));
    await createUpstream(serverConfig(server.url), deps).close();
    const upstream = createUpstream(serverConfig(server.url), deps);
    const broken = expect(startOne(upstream)).rejects.toThrow();
    await until(() => arrived.length === 1);
    upstream.destroy();
    await broken;
    await until(() => arrived[0]?.destroyed === true);
  });
});

test("a slow reader holds the upstream back where the answer is decoded on its way, too", async () => {
  const piece = gzipSync(randomBytes(256 * 1024));
  let written = 0;
  const upstream = await startUpstream((req, res) => {
    req.resume();
    res.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Encoding": "gzip" });
    const fill = (): void => {
      while (written < 80) {
        written += 1;
        if (!res.write(piece)) return;
      }
      res.end();
    };
    res.on("drain", fill);
    fill();
  });
  const gateway = await startGateway({ clock: upstream.url });
  const response = await open(gateway.port, { path: "/clock/mcp", headers: { Authorization: "Bearer alice" } });
  expect(response.headers["content-encoding"]).toBeUndefined();
  await nextChunk(response);
  let last = -1;
  while (last !== written) {
    last = written;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(written).toBeLessThan(60);
  let received = 0;
  response.on("data", (data: Buffer) => {
    received += data.length;
  });
  response.resume();
  await once(response, "end");
  expect(written).toBe(80);
  expect(received).toBeGreaterThan(75 * 256 * 1024);
});
