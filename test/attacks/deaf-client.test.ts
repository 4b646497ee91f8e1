import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";

const event = `data: ${"x".repeat(1000)}\n\n`;

/** An MCP server that says as much as it can get rid of on `GET`, and nothing on `POST` until it is told to. */
const streams: ServerResponse[] = [];
let written = 0;
const server = createServer((req, res) => {
  req.resume();
  streams.push(res);
  res.writeHead(200, { "content-type": "text/event-stream" });
  res.flushHeaders();
  if (req.method === "POST") return;
  const pour = (): void => {
    while (!res.destroyed) {
      written += event.length;
      if (!res.write(event)) return void res.once("drain", pour);
    }
  };
  pour();
});

let env: TestEnvironment;
let token: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`;
  env = await startEnvironment({
    change: (settings) => ({
      ...settings,
      servers: [...(settings.servers ?? []), { name: "flood", url }],
      connections: { writeTimeout: "150ms" },
    }),
  });
  const client = await register(env.url);
  const pair = pkce();
  const resource = `${env.url}/flood/mcp`;
  const location = new URL(await signIn(authorizeUrl(env.url, client, pair, { resource }), demoUser(env, "alice")));
  const answer = await redeem(env.url, client, location.searchParams.get("code") ?? "", pair, { resource });
  token = (await tokenAnswer(answer)).access_token;
});
afterAll(async () => {
  await env.close();
  server.close();
  server.closeAllConnections();
});

/** A client that asks and then reads nothing. */
function ask(method: string, body = "") {
  const { port } = new URL(env.url);
  const socket = connect({ port: Number(port), host: "127.0.0.1" });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  const head = [`${method} /flood/mcp HTTP/1.1`, `Host: localhost:${port}`, `Authorization: Bearer ${token}`];
  head.push("Accept: application/json, text/event-stream", "Content-Type: application/json");
  if (body !== "") head.push(`Content-Length: ${body.length}`);
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  return socket;
}

describe("a client that takes nothing of an event stream", () => {
  test("is broken off, its upstream is cancelled, and little was read for it meanwhile", async () => {
    const before = process.memoryUsage().arrayBuffers;
    ask("GET");
    await expect.poll(() => streams.length, { interval: 5, timeout: 5000 }).toBe(1);
    const [stream] = streams;
    if (stream?.destroyed === false) await once(stream, "close");
    // What the system's own buffers on the way hold, and not the hundreds of megabytes that the server had to say.
    expect(written).toBeLessThan(32 * 1024 * 1024);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024);
  });

  test("while one whose stream is silent for longer stays", async () => {
    const socket = ask("POST", '{"jsonrpc":"2.0","id":1,"method":"ping"}');
    await once(socket, "data");
    const stream = streams.at(-1);
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect([socket.destroyed, stream?.destroyed]).toEqual([false, false]);
    stream?.end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n');
    const [news]: unknown[] = await once(socket, "data");
    expect(String(news)).toContain('"result"');
  });
});
