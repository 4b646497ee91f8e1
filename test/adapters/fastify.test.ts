import Fastify from "fastify";
import { getPrincipal, requireScope } from "sallyport";
import { endpoints, protect, toHandler } from "sallyport/fastify";
import { expect, onTestFinished, test } from "vitest";
import { startAuth, writer } from "../support/adapter-app.ts";
import { accessTokenAt } from "../support/example.ts";

test("a whole sign-in, principals, refusals, own errors, parsed bodies, own routes", async () => {
  const { auth, port, url } = await startAuth();
  const app = Fastify();
  onTestFinished(() => app.close());
  app.setErrorHandler(async (error, _request, reply) =>
    reply.code(599).send(error instanceof Error ? error.message : "?"),
  );
  await app.register(endpoints(auth));
  const guard = protect(auth, { resource: "/mcp" });
  app.post("/me", guard, async (request) => ({
    same: request.principal === getPrincipal(),
    username: request.principal?.username,
    sent: request.body,
  }));
  app.get("/write", guard, async () => requireScope("notes/write"));
  app.get("/failing", guard, () => Promise.reject(new Error("of the handler")));
  app.get("/elsewhere", protect(auth), async () => "never");
  app.post(
    "/echo",
    toHandler(auth, async (request) => new Response(await request.text())),
  );
  app.get("/own", async () => "mine");
  await app.listen({ port, host: "127.0.0.1" });

  expect(await (await fetch(`${url}/own`)).text()).toBe("mine");
  expect((await fetch(`${url}/nowhere`)).status).toBe(404);
  const headers = { authorization: `Bearer ${await accessTokenAt(url, writer)}`, "content-type": "application/json" };
  const body = JSON.stringify({ a: 1 });
  const me = await fetch(`${url}/me`, { method: "POST", headers, body });
  expect(await me.json()).toEqual({ same: true, username: "alice", sent: { a: 1 } });
  const without = await fetch(`${url}/me`, { method: "POST" });
  expect([without.status, without.headers.get("www-authenticate")]).toEqual([
    401,
    expect.stringContaining(`${url}/.well-known/oauth-protected-resource/mcp`),
  ]);
  const { authorization } = headers;
  const write = await fetch(`${url}/write`, { headers: { authorization } });
  expect([write.status, write.headers.get("www-authenticate")]).toEqual([
    403,
    expect.stringContaining('scope="notes/read notes/write"'),
  ]);
  const failing = await fetch(`${url}/failing`, { headers: { authorization } });
  expect([failing.status, await failing.text()]).toEqual([599, "of the handler"]);
  const elsewhere = await fetch(`${url}/elsewhere`, { headers: { authorization } });
  expect(await elsewhere.text()).toContain("/elsewhere is not the path of a configured resource");
  expect(await (await fetch(`${url}/echo`, { method: "POST", headers, body })).text()).toBe(body);

  const head = await fetch(`${url}/.well-known/jwks.json`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  const preflight = await fetch(`${url}/.well-known/jwks.json`, {
    method: "OPTIONS",
    headers: { origin: "https://a.example" },
  });
  expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, "*"]);
});

test("a stream passes event by event, and a client that goes ends the request's signal", async () => {
  const { auth, port, url } = await startAuth();
  const left = Promise.withResolvers<void>();
  let send: (text: string) => void = () => {};
  const app = Fastify();
  onTestFinished(() => app.close());
  const stream = toHandler(auth, ({ signal }) => {
    signal.addEventListener("abort", () => left.resolve());
    const events = new ReadableStream<Uint8Array>({
      start(controller) {
        send = (text) => controller.enqueue(new TextEncoder().encode(text));
        send("data: 0\n\n");
      },
    });
    return new Response(events, { headers: { "content-type": "text/event-stream" } });
  });
  app.get("/stream", stream);
  await app.listen({ port, host: "127.0.0.1" });
  const going = new AbortController();
  const reader = (await fetch(`${url}/stream`, { signal: going.signal })).body?.getReader();
  const next = async (): Promise<string> => new TextDecoder().decode((await reader?.read())?.value);
  expect(await next()).toBe("data: 0\n\n");
  send("data: 1\n\n");
  expect(await next()).toBe("data: 1\n\n");
  going.abort();
  await left.promise;
});
