import { once } from "node:events";
import { request as httpRequest } from "node:http";
import express, { type ErrorRequestHandler } from "express";
import { getPrincipal, requireScope } from "sallyport";
import { endpoints, protect, refusals, toHandler } from "sallyport/express";
import { expect, test } from "vitest";
import { listen, startAuth, writer } from "../support/adapter-app.ts";
import { accessTokenAt } from "../support/example.ts";

const told: ErrorRequestHandler = (error: unknown, _request, response, _next) => {
  response.status(599).send(error instanceof Error ? error.message : "?");
};

/** A request whose path is sent as it is written. */
async function rawGet(port: number, path: string, authorization: string): Promise<number | undefined> {
  const sent = httpRequest({ port, host: "127.0.0.1", path, headers: { authorization } }).end();
  const [answer] = await once(sent, "response");
  answer.resume();
  return answer.statusCode;
}

test("a whole sign-in passes behind body parsers; a form that cannot be written down again is an error that says so", async () => {
  const { auth, port, url } = await startAuth();
  const app = express().use(express.json(), express.urlencoded({ extended: true }), endpoints(auth), told);
  await listen(app, port);
  expect(await accessTokenAt(url, writer)).toMatch(/^ey/);
  const nested = await fetch(`${url}/token`, { method: "POST", body: new URLSearchParams("grant_type[a]=b") });
  expect(nested.status).toBe(599);
  expect(await nested.text()).toContain('the form field "grant_type": put sallyport\'s endpoints before it');
  const twice = new URLSearchParams("grant_type=refresh_token&grant_type=authorization_code");
  expect(await (await fetch(`${url}/token`, { method: "POST", body: twice })).json()).toMatchObject({
    error: "invalid_request",
  });
});

test("a request below protect knows its principal; refusals below it keep their challenge; errors are the app's", async () => {
  const { auth, port, url } = await startAuth();
  const app = express().use(endpoints(auth), express.json());
  const guard = protect(auth, { resource: "/mcp" });
  app.post("/me", guard, (request, response) => {
    response.json({
      same: request.principal === getPrincipal(),
      username: request.principal?.username,
      sent: request.body,
    });
  });
  app.get("/write", guard, () => requireScope("notes/write"));
  app.get("/admin/*rest", protect(auth), (_request, response) => void response.send("never"));
  app.get(
    "/failing",
    toHandler(auth, () => Promise.reject(new Error("of the handler"))),
  );
  app.options("/mcp", (_request, response) => void response.status(204).set("X-Own", "1").end());
  app.use(refusals, told);
  await listen(app, port);

  const headers = { authorization: `Bearer ${await accessTokenAt(url, writer)}` };
  const body = JSON.stringify({ a: 1 });
  const me = await fetch(`${url}/me`, {
    method: "POST",
    body,
    headers: { ...headers, "content-type": "application/json" },
  });
  expect(await me.json()).toEqual({ same: true, username: "alice", sent: { a: 1 } });
  expect((await fetch(`${url}/me`, { method: "POST", body })).status).toBe(401);

  const write = await fetch(`${url}/write`, { headers });
  expect(write.status).toBe(403);
  expect(write.headers.get("www-authenticate")).toContain('scope="notes/read notes/write"');

  const failing = await fetch(`${url}/failing`);
  expect([failing.status, await failing.text()]).toEqual([599, "of the handler"]);
  const noResource = await fetch(`${url}/admin/x`, { headers });
  expect([noResource.status, await noResource.text()]).toEqual([
    599,
    expect.stringContaining("/admin/x is not the path"),
  ]);
  // The router sees /admin/…, a URL parser /mcp: a token for one must not open the other.
  expect(await rawGet(port, "/admin/../mcp", headers.authorization)).toBe(599);
  expect(await rawGet(port, "/admin/%2e%2e/mcp", headers.authorization)).toBe(599);

  const head = await fetch(`${url}/.well-known/jwks.json`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  const origin = "https://client.example";
  const preflight = await fetch(`${url}/.well-known/jwks.json`, { method: "OPTIONS", headers: { origin } });
  expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, "*"]);
  expect((await fetch(`${url}/mcp`, { method: "OPTIONS" })).headers.get("x-own")).toBe("1");
});

test("a stream passes event by event, and a client that goes ends the request's signal", async () => {
  const { auth, port, url } = await startAuth();
  const left = Promise.withResolvers<void>();
  let send: (text: string) => void = () => {};
  const stream = toHandler(auth, ({ signal }) => {
    signal.addEventListener("abort", () => left.resolve());
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        send = (text) => controller.enqueue(new TextEncoder().encode(text));
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const echo = toHandler(auth, async (request) => new Response(request.body, { headers: { vary: "Accept" } }));
  await listen(express().get("/stream", stream).post("/echo", echo), port);

  const going = new AbortController();
  const answer = await fetch(`${url}/stream`, { signal: going.signal });
  const reader = answer.body?.getReader();
  for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
    send(event);
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(event);
  }
  going.abort();
  await left.promise;

  const long = "x".repeat(3_000_000);
  expect(await (await fetch(`${url}/echo`, { method: "POST", body: long })).text()).toBe(long);
});

test("below a path, the documents of the root are there, and the self-check says what is missing", async () => {
  const { auth, port, url } = await startAuth({ path: "/tools" });
  const sub = express.Router();
  sub.post("/mcp", protect(auth), (request, response) => void response.send(request.principal?.username));
  let wellKnown = true;
  const app = express();
  app.use(/^\/\.well-known/, (_request, response, next) => void (wellKnown ? next() : response.status(404).end()));
  app.use(endpoints(auth)).use("/tools", sub);
  await listen(app, port);

  expect(await auth.selfCheck()).toEqual([]);
  const token = await accessTokenAt(url, writer);
  const answer = await fetch(`${url}/mcp`, { method: "POST", headers: { authorization: `Bearer ${token}` } });
  expect(await answer.text()).toBe("alice");

  wellKnown = false;
  const origin = new URL(url).origin;
  expect(await auth.selfCheck()).toEqual([
    expect.stringContaining(`GET ${origin}/.well-known/oauth-authorization-server: it answers 404`),
    expect.stringContaining(`GET ${origin}/.well-known/openid-configuration: it answers 404`),
    expect.stringContaining(`GET ${origin}/.well-known/jwks.json: it answers 404`),
    expect.stringContaining(`GET ${origin}/.well-known/oauth-protected-resource/tools/mcp: it answers 404`),
  ]);
});

test("a proxy that takes the path off is told of with prefixRemoved", async () => {
  const { auth, port, url } = await startAuth({ path: "/tools" });
  const behind = { prefixRemoved: true };
  const app = express().use(endpoints(auth, behind));
  app.post("/mcp", protect(auth, behind), (request, response) => void response.send(request.principal?.username));
  await listen((request, response) => {
    // As nginx does with `location /tools/ { proxy_pass http://app/; }`.
    request.url = (request.url ?? "").replace(/^\/tools\//, "/");
    app(request, response);
  }, port);
  expect(await auth.selfCheck()).toEqual([]);
  const token = await accessTokenAt(url, writer);
  const answer = await fetch(`${url}/mcp`, { method: "POST", headers: { authorization: `Bearer ${token}` } });
  expect(await answer.text()).toBe("alice");
});

test("limits count the peer, and whom a trusted proxy saw", async () => {
  const change = { trustedProxies: ["127.0.0.0/8"], limits: { register: 1 } };
  const { auth, port, url } = await startAuth({ change });
  await listen(express().use(endpoints(auth)), port);
  const register = async (seen: string): Promise<number> => {
    const headers = { "content-type": "application/json", "x-forwarded-for": seen };
    const body = JSON.stringify({ redirect_uris: ["http://127.0.0.1/callback"] });
    return (await fetch(`${url}/register`, { method: "POST", headers, body })).status;
  };
  expect([await register("192.0.2.1"), await register("192.0.2.2"), await register("192.0.2.1")]).toEqual([
    201, 201, 429,
  ]);
});
