import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect, Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { selfSigned } from "../../../../test/support/certificate.ts";
import { rawTalk } from "../../../../test/support/raw-socket.ts";
import { startListener } from "./test-listener.ts";

async function start(options: Parameters<typeof startListener>[0] = {}) {
  const listener = await startListener(options);
  onTestFinished(() => listener.close());
  return listener;
}

const get = (...headers: readonly string[]): string =>
  `${["GET / HTTP/1.1", "Host: localhost", ...headers].join("\r\n")}\r\n\r\n`;
const isAnswered = (text: string): boolean => text.endsWith("ok\n");

/** Waits until the connection is closed by the other side; milliseconds. */
async function closing(port: number, pieces: readonly (string | number)[]): Promise<number> {
  const before = performance.now();
  const { closed } = await rawTalk(port, pieces);
  expect(closed).toBe(true);
  return performance.now() - before;
}

describe("slow clients", () => {
  const connections = { headerTimeout: "200ms", requestTimeout: "500ms" };
  const tls = selfSigned();

  test.each([
    ["nothing at all", []],
    ["half of a header", ["GET / HTTP/1.1\r\nHost: loc"]],
    [
      "a header now and then",
      ["GET / HTTP/1.1\r\n", 60, "a: b\r\n", 60, "c: d\r\n", 60, "e: f\r\n", 60, "g: h\r\n", 60, "i: j\r\n"],
    ],
  ])("who sends %s is closed after header_timeout", async (_, pieces) => {
    const { port, answered } = await start({ connections });
    const took = await closing(port, pieces);
    expect(took).toBeGreaterThan(150);
    expect(took).toBeLessThan(450);
    expect(answered).toEqual([]);
  });

  test("who sends a body by drops is closed after request_timeout, and 408 says why", async () => {
    const { port, answered } = await start({ connections });
    const drops = Array.from({ length: 20 }, () => [60, "x"]).flat();
    const { statuses, closed } = await rawTalk(port, [
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n",
      ...drops,
    ]);
    expect({ statuses, closed }).toEqual({ statuses: [408], closed: true });
    expect(answered).toEqual([]);
  });

  test("who begins no TLS handshake is closed after header_timeout", async () => {
    const { port } = await start({ connections, tls });
    expect(await closing(port, [])).toBeLessThan(450);
  });

  test("who begins no TLS handshake does not hold up the end", async () => {
    const { port, server, close } = await start({ tls });
    const silent = connect(port, "127.0.0.1");
    silent.on("error", () => {});
    await expect.poll(() => connectionsOf(server), { interval: 5 }).toBe(1);
    const ended = once(server, "close");
    close();
    await ended;
  });

  test.each([
    ["http", undefined],
    ["https", tls],
  ])("%s: who takes nothing of an answer is broken off; a stream without news stays", async (_, certificate) => {
    const streams: ServerResponse[] = [];
    const handle = (req: IncomingMessage, res: ServerResponse): void => {
      streams.push(res);
      if (req.url === "/quiet") res.writeHead(200).flushHeaders();
      else res.end(Buffer.alloc(64 * 1024 * 1024));
    };
    const { port, openRequests } = await start({
      connections: { ...connections, writeTimeout: "150ms" },
      handle,
      ...(certificate === undefined ? {} : { tls: certificate }),
    });
    const dial = (): Socket | TLSSocket =>
      certificate === undefined
        ? connect(port, "127.0.0.1")
        : connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
    const quiet = dial();
    quiet.write(get().replace("GET /", "GET /quiet"));
    await once(quiet, "data");
    const deaf = dial();
    deaf.on("error", () => {});
    deaf.pause();
    deaf.write(get());
    await expect.poll(() => openRequests(), { interval: 5 }).toBe(2);
    await expect.poll(() => openRequests(), { interval: 5 }).toBe(1);
    expect(streams.map((res) => res.destroyed)).toEqual([false, true]);
    // Long after write_timeout.
    streams[0]?.end("news\n");
    await expect.poll(() => openRequests(), { interval: 5 }).toBe(0);
    quiet.destroy();
    deaf.destroy();
  });

  test("who takes an answer slowly gets all of it", async () => {
    const size = 24 * 1024 * 1024;
    const { port } = await start({
      connections: { ...connections, writeTimeout: "200ms" },
      handle: (_req, res) => void res.end(Buffer.alloc(size)),
    });
    const socket = connect(port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    let taken = 0;
    socket.on("data", (chunk: Buffer) => {
      taken += chunk.length;
      if (Math.floor(taken / 2 ** 21) === Math.floor((taken - chunk.length) / 2 ** 21)) return;
      socket.pause();
      setTimeout(() => socket.resume(), 40);
    });
    socket.write(get("Connection: close"));
    await once(socket, "close");
    expect(taken).toBeGreaterThan(size);
  });
});

describe("connections that are kept", () => {
  test("one without a request is closed after keep_alive, which is told", async () => {
    const { port, server } = await start({ connections: { keepAlive: "1s" } });
    const { text } = await rawTalk(port, [get()], { enough: isAnswered });
    expect(text).toContain("Keep-Alive: timeout=1\r\n");
    // Node waits a second longer than it tells, so that no request meets a closing connection.
    expect(server.keepAliveTimeout).toBe(1000);
    server.keepAliveTimeoutBuffer = 0;
    server.keepAliveTimeout = 50;
    expect(await closing(port, [get()])).toBeLessThan(1000);
  });

  test("no number of requests ends one", async () => {
    const { port, answered } = await start();
    const many = 300;
    const enough = (text: string): boolean => text.split("ok\n").length > many;
    const { statuses } = await rawTalk(port, [get().repeat(many)], { enough });
    expect(statuses).toHaveLength(many);
    expect(answered).toHaveLength(many);
  });
});

describe("headers", () => {
  test.each([
    ["one that is too long", [`a: ${"x".repeat(5000)}`]],
    ["too many bytes together", Array.from({ length: 60 }, (_, n) => `a${n}: ${"x".repeat(80)}`)],
    ["too many lines", Array.from({ length: 120 }, (_, n) => `a${n}: x`)],
  ])("%s: 431", async (_, headers) => {
    const { port, answered } = await start({ connections: { headerSize: "4KiB" } });
    const { statuses, closed } = await rawTalk(port, [get(...headers)]);
    expect({ statuses, closed }).toEqual({ statuses: [431], closed: true });
    expect(answered).toEqual([]);
  });

  test("a target that is too long: 431", async () => {
    const { port } = await start({ connections: { headerSize: "4KiB" } });
    const { statuses } = await rawTalk(port, [get().replace("GET /", `GET /${"x".repeat(5000)}`)]);
    expect(statuses).toEqual([431]);
  });

  test("as many lines as a browser behind two proxies sends", async () => {
    const { port } = await start();
    const headers = Array.from({ length: 90 }, (_, n) => `a${n}: x`);
    expect((await rawTalk(port, [get(...headers)], { enough: isAnswered })).statuses).toEqual([200]);
  });
});

describe("what HTTP/1.1 offers besides", () => {
  test.each([
    ["CONNECT", "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", [501]],
    ["an expectation nobody has heard of", get("Expect: 200-ok"), [417]],
  ])("%s is refused", async (_, request, expected) => {
    const { port, answered } = await start();
    const { statuses } = await rawTalk(port, [request], { enough: (text) => text.includes("\r\n\r\n") });
    expect(statuses).toEqual(expected);
    expect(answered).toEqual([]);
  });

  test("a tunnel is closed here, also where its other end keeps it open", async () => {
    const { port, state } = await start();
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    socket.resume().write("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
    await once(socket, "end");
    await expect.poll(() => state().open, { interval: 5 }).toBe(0);
  });

  test.each([
    [
      "websocket",
      [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
      ],
    ],
    ["h2c", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]],
  ])("an upgrade to %s is not taken: the request is one of HTTP/1.1", async (_, headers) => {
    const { port } = await start();
    const { statuses } = await rawTalk(port, [get(...headers)], { enough: isAnswered });
    expect(statuses).toEqual([200]);
  });

  test("a client that waits for 100 before its body gets it", async () => {
    const { port, answered } = await start();
    const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    const { statuses } = await rawTalk(port, [head, 30, "{}"], { enough: isAnswered });
    expect(statuses).toEqual([100, 200]);
    expect(answered).toHaveLength(1);
  });
});

describe("too many connections", () => {
  test("one beyond max is closed at once, and a line says so once a minute", async () => {
    const { port, state, log, clock } = await start({ connections: { max: 2 } });
    const open = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
    onTestFinished(() => {
      for (const socket of open) socket.destroy();
    });
    await Promise.all(open.map((socket) => once(socket, "connect")));
    for (let n = 0; n < 3; n += 1) expect((await rawTalk(port, [get()])).text).toBe("");
    expect(state()).toEqual({ open: 2, refused: { max: 3, maxPerAddress: 0 } });
    expect(log).toHaveLength(1);
    expect(log[0]).toMatch(/WARN.*connections are refused.*bound="connections\.max" refused=1/i);
    clock.advance(60_000);
    await rawTalk(port, [get()]);
    expect(log[1]).toMatch(/refused=3/);
    // Those that are open are served, and one that goes makes room.
    open[0]?.resume().write(get("Connection: close"));
    await once(open[0] ?? new Socket(), "close");
    expect((await rawTalk(port, [get()], { enough: isAnswered })).statuses).toEqual([200]);
  });

  /** A connection as the system would hand it over, from anywhere. */
  const arrive = (listener: Awaited<ReturnType<typeof start>>, remoteAddress: string): Socket => {
    const socket = new Socket();
    Object.defineProperty(socket, "remoteAddress", { value: remoteAddress });
    listener.server.emit("connection", socket);
    return socket;
  };

  test("of one address: those beyond its part are closed, others and loopback are not", async () => {
    const listener = await start({ connections: { maxPerAddress: 2 } });
    const from = (address: string): Socket => arrive(listener, address);
    const [first, second, third] = [from("192.0.2.1"), from("192.0.2.1"), from("::ffff:192.0.2.1")];
    expect([first, second, third].map((socket) => socket.destroyed)).toEqual([false, false, true]);
    expect(from("192.0.2.2").destroyed).toBe(false);
    const household = [from("2001:db8::1"), from("2001:db8::2"), from("2001:db8::3"), from("2001:db8:0:1::1")];
    expect(household.map((socket) => socket.destroyed)).toEqual([false, false, true, false]);
    const own = Array.from({ length: 9 }, (_, n) => from(n % 2 === 0 ? "127.0.0.1" : "::1"));
    expect(own.some((socket) => socket.destroyed)).toBe(false);
    expect(listener.state().refused).toEqual({ max: 0, maxPerAddress: 2 });
    first.destroy();
    await once(first, "close");
    expect(from("192.0.2.1").destroyed).toBe(false);
  });

  test("behind a proxy, which stands for many, addresses are not counted", async () => {
    const listener = await start({ connections: { maxPerAddress: 1 }, behindProxy: true });
    const sockets = [arrive(listener, "10.0.0.1"), arrive(listener, "10.0.0.1")];
    expect(sockets.map((socket) => socket.destroyed)).toEqual([false, false]);
  });
});

describe("TLS", () => {
  const tls = selfSigned();
  const dial = async (port: number, options: object = {}): Promise<TLSSocket> => {
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
    onTestFinished(() => void socket.destroy());
    await once(socket, "secureConnect");
    return socket;
  };

  test("1.2 and 1.3, HTTP/1.1; nothing older, and no plain http", async () => {
    const { port, answered, state } = await start({ tls });
    expect((await dial(port, { maxVersion: "TLSv1.2" })).getProtocol()).toBe("TLSv1.2");
    const socket = await dial(port, { ALPNProtocols: ["h2", "http/1.1"] });
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual(["TLSv1.3", "http/1.1"]);
    await expect(
      dial(port, { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" }),
    ).rejects.toThrow();
    await expect(dial(port, { ALPNProtocols: ["h2"] })).rejects.toThrow();
    expect((await rawTalk(port, [get()])).statuses).toEqual([]);
    expect((await rawTalk(port, [get()], { tls: true, enough: isAnswered })).statuses).toEqual([200]);
    expect(answered).toHaveLength(1);
    await expect.poll(() => state().open, { interval: 5 }).toBe(2);
    socket.destroy();
    await expect.poll(() => state().open, { interval: 5 }).toBe(1);
  });

  test("another certificate holds for new connections; one that is open goes on", async () => {
    const { port, changeCertificate } = await start({ tls });
    const before = await dial(port);
    const serial = (socket: TLSSocket): string => socket.getPeerCertificate().serialNumber;
    const old = serial(before);
    const next = selfSigned({ names: ["other.example"] });
    changeCertificate(next);
    const after = await dial(port);
    expect(serial(after)).not.toBe(old);
    expect(after.getPeerCertificate().subjectaltname).toBe("DNS:other.example");
    await expect(
      dial(port, { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" }),
    ).rejects.toThrow();
    before.write(get());
    const [answer]: unknown[] = await once(before, "data");
    expect(String(answer)).toContain("200 OK");
  });
});

const connectionsOf = (server: { getConnections(done: (error: Error | null, count: number) => void): unknown }) =>
  new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
