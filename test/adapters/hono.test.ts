import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { getPrincipal, requireScope } from "sallyport";
import { endpoints, protect } from "sallyport/hono";
import { expect, expectTypeOf, test } from "vitest";
import { listen, startAuth, writer } from "../support/adapter-app.ts";
import { accessTokenAt } from "../support/example.ts";

test("a request below protect knows its principal; refusals keep their challenge; errors are the app's", async () => {
  const { auth, port, url } = await startAuth();
  const app = new Hono();
  app.use(async ({ req }, next) => {
    // A middleware that reads bodies before the endpoints do.
    const type = req.header("content-type") ?? "";
    if (type.startsWith("application/json")) await req.json();
    else if (type.startsWith("application/x-www-form-urlencoded")) await req.parseBody();
    await next();
  });
  app.use(endpoints(auth));
  app.get("/mcp", protect(auth), ({ var: { principal }, json }) => {
    expectTypeOf(principal.groups).toEqualTypeOf<readonly string[]>();
    return json({ same: principal === getPrincipal(), username: principal.username });
  });
  const guard = protect(auth, { resource: "/mcp" });
  app.get("/write", guard, ({ text }) => {
    requireScope("notes/write");
    return text("never");
  });
  app.get("/failing", guard, () => Promise.reject(new Error("of the handler")));
  app.get("/elsewhere", protect(auth), ({ text }) => text("never"));
  // It knows nothing of refusals, which are answered all the same.
  app.onError((error, { text }) => text(error.message, error.name === "UnknownResource" ? 404 : 500));
  await listen(getRequestListener(app.fetch), port);

  const headers = { authorization: `Bearer ${await accessTokenAt(url, writer)}` };
  expect(await (await fetch(`${url}/mcp`, { headers })).json()).toEqual({ same: true, username: "alice" });
  const without = await fetch(`${url}/mcp`);
  expect([without.status, without.headers.get("www-authenticate")]).toEqual([
    401,
    expect.stringContaining(`${url}/.well-known/oauth-protected-resource/mcp`),
  ]);
  const write = await fetch(`${url}/write`, { headers });
  expect([write.status, write.headers.get("www-authenticate")]).toEqual([
    403,
    expect.stringContaining('scope="notes/read notes/write"'),
  ]);
  const failing = await fetch(`${url}/failing`, { headers });
  expect([failing.status, await failing.text()]).toEqual([500, "of the handler"]);
  expect((await fetch(`${url}/elsewhere`, { headers })).status).toBe(404);
  expect((await fetch(`${url}/other`)).status).toBe(404);
});

test("mounted below a path, behind a proxy that takes it off, or not: the same URLs", async () => {
  for (const prefixRemoved of [true, false]) {
    const { auth, port, url } = await startAuth({ path: "/tools" });
    const app = new Hono().use(endpoints(auth, { prefixRemoved }));
    app.post(prefixRemoved ? "/mcp" : "/tools/mcp", protect(auth, { prefixRemoved }), ({ var: { principal }, text }) =>
      text(principal.subject),
    );
    const listener = getRequestListener(app.fetch);
    await listen((request, response) => {
      if (prefixRemoved) request.url = (request.url ?? "").replace(/^\/tools\//, "/");
      void listener(request, response);
    }, port);
    expect(await auth.selfCheck()).toEqual([]);
    expect(await accessTokenAt(url, writer)).toMatch(/^ey/);
  }
});

test("limits count the peer that the server names, and whom a trusted proxy saw", async () => {
  const { auth } = await startAuth({ change: { trustedProxies: ["127.0.0.0/8"], limits: { register: 1 } } });
  const register = async (app: Hono, seen: string, env: unknown): Promise<number> => {
    const headers = { "content-type": "application/json", "x-forwarded-for": seen };
    const body = JSON.stringify({ redirect_uris: ["http://127.0.0.1/callback"] });
    return (await app.request(`${auth.baseUrl()}/register`, { method: "POST", headers, body }, env)).status;
  };
  const onNode = new Hono().use(endpoints(auth));
  const proxy = { incoming: { socket: { remoteAddress: "127.0.0.1" } } };
  expect(await register(onNode, "192.0.2.1", proxy)).toBe(201);
  expect(await register(onNode, "192.0.2.2", proxy)).toBe(201);
  expect(await register(onNode, "192.0.2.2", proxy)).toBe(429);
  const elsewhere = new Hono().use(endpoints(auth, { address: () => "192.0.2.3" }));
  expect(await register(elsewhere, "192.0.2.1", {})).toBe(201);
  expect(await register(elsewhere, "192.0.2.4", {})).toBe(429);
});
