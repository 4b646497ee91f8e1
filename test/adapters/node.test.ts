import { once } from "node:events";
import { connect } from "node:net";
import { getPrincipal, requireScope } from "sallyport";
import { protect, toListener, withEndpoints } from "sallyport/node";
import { expect, expectTypeOf, test } from "vitest";
import { listen, startAuth, writer } from "../support/adapter-app.ts";
import { accessTokenAt } from "../support/example.ts";

test("a listener below protect knows its principal; what it refuses is answered, what it throws is told", async () => {
  const { auth, port, url } = await startAuth();
  const told: unknown[] = [];
  const options = { resource: "/mcp", onError: (error: unknown) => told.push(error) };
  const listeners: Record<string, ReturnType<typeof protect>> = {
    "/me": protect(
      auth,
      (_request, response, principal) => {
        expectTypeOf(principal.groups).toEqualTypeOf<readonly string[]>();
        response.end(JSON.stringify([principal === getPrincipal(), principal.username]));
      },
      options,
    ),
    "/write": protect(auth, () => requireScope("notes/write"), options),
    "/failing": protect(auth, async () => Promise.reject(new Error("of the listener")), options),
    "/broken": toListener(auth, () => Promise.reject(new Error("of the handler")), options),
    "/elsewhere": protect(auth, () => {}, { onError: options.onError }),
  };
  const app = withEndpoints(auth, (request, response) => {
    const listener = listeners[request.url ?? ""];
    if (listener) listener(request, response);
    else response.writeHead(418).end();
  });
  await listen(app, port);

  const headers = { authorization: `Bearer ${await accessTokenAt(url, writer)}` };
  const get = async (path: string) => fetch(url + path, { headers });
  expect(await (await get("/me")).json()).toEqual([true, "alice"]);
  expect((await fetch(`${url}/me`)).status).toBe(401);
  const write = await get("/write");
  expect([write.status, write.headers.get("www-authenticate")]).toEqual([
    403,
    expect.stringContaining('scope="notes/read notes/write"'),
  ]);
  expect(told).toEqual([]);
  expect((await get("/failing")).status).toBe(500);
  expect((await get("/broken")).status).toBe(500);
  expect((await get("/elsewhere")).status).toBe(404);
  expect(told.map(String)).toEqual([
    "Error: of the listener",
    "Error: of the handler",
    expect.stringContaining("/elsewhere is not the path of a configured resource"),
  ]);
  expect((await get("/own")).status).toBe(418);
});

test("a body that is too long is refused, and the refusal arrives", async () => {
  const { auth, port } = await startAuth({ change: { maxBody: "1KiB" } });
  await listen(
    withEndpoints(auth, (_request, response) => void response.end()),
    port,
  );
  // Without a length, and without an end: nobody waits for the rest.
  const socket = connect(port, "127.0.0.1");
  socket.write("POST /register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
  socket.write(`Transfer-Encoding: chunked\r\n\r\n800\r\n${"A".repeat(0x800)}\r\n`);
  const [answer] = await once(socket, "data");
  expect(String(answer)).toMatch(/^HTTP\/1.1 413 /);
  socket.destroy();
});

test("a client that goes in the middle of its body ends the reading, and the app goes on", async () => {
  const { auth, port, url } = await startAuth();
  const read = Promise.withResolvers<unknown>();
  const handler = toListener(
    auth,
    async (request) => {
      await request.text().then(read.resolve, read.reject);
      return new Response("read");
    },
    { onError: () => {} },
  );
  await listen(withEndpoints(auth, handler), port);
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write("POST /own HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf");
  setImmediate(() => socket.destroy());
  await expect(read.promise).rejects.toThrow();
  expect((await fetch(`${url}/.well-known/jwks.json`)).status).toBe(200);
});
