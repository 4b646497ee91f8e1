import { describe, expect, test } from "vitest";
import { createHostCheck } from "../src/proxy/check-host.ts";
import { call, echo, startGateway, startUpstream, type TestGateway } from "./support/gateway.ts";
import { send } from "./support/http.ts";

const start = async (allowedOrigins: readonly string[] = []): Promise<TestGateway> => {
  const upstream = await startUpstream(echo);
  return startGateway({ clock: `${upstream.url}/mcp` }, { allowedOrigins });
};

describe("paths", () => {
  test.each([
    "//clock/mcp",
    "/clock//mcp",
    "/clock/mcp/",
    "/clock%2Fmcp",
    "/%63lock/mcp",
    "/Clock/mcp",
    "/./clock/mcp",
    "/clock/mcp/../mcp",
    "/clock/mcp;x=1",
    "/unknown/mcp",
    "/clock",
    "/",
  ])("%s is no MCP endpoint", async (path) => {
    const gateway = await start();
    const answer = await gateway.send({ method: "GET", path });
    expect([answer.status, answer.headers["x-handled-by"]]).toEqual([404, "next"]);
  });

  test("a query is neither judged nor forwarded, and a token in it counts for nothing", async () => {
    const gateway = await start();
    const answer = await gateway.send({ path: "/clock/mcp?access_token=alice&tool=x" });
    expect(JSON.parse(answer.body)).toMatchObject({ url: "/mcp" });
    const noHeader = await send(gateway.port, { path: "/clock/mcp?access_token=alice" });
    expect(noHeader.status).toBe(401);
  });
});

describe("host", () => {
  test("own name and loopback names pass, foreign names do not (DNS rebinding)", async () => {
    const gateway = await start();
    const statusFor = async (Host: string): Promise<number> => (await gateway.send({ headers: { Host } })).status;
    for (const host of [`localhost:${gateway.port}`, "LOCALHOST", "127.0.0.1:1", "[::1]:8000"]) {
      expect([host, await statusFor(host)]).toEqual([host, 200]);
    }
    for (const host of [
      "evil.example",
      `localhost.evil.example:${gateway.port}`,
      "127.0.0.1.nip.io",
      "localhost:8000:1",
    ]) {
      expect([host, await statusFor(host)]).toEqual([host, 421]);
    }
    expect(gateway.events.at(-1)).toMatchObject({ action: "request.refused", reason: "host_unknown", status: 421 });
  });

  test("the public host passes with and without its default port", async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway({ clock: upstream.url }, { baseUrl: "https://mcp.example.com" });
    for (const Host of ["mcp.example.com", "mcp.example.com:443", "MCP.example.com"]) {
      expect((await gateway.send({ headers: { Host } })).status).toBe(200);
    }
    for (const Host of ["mcp.example.com:8443", "x.mcp.example.com"]) {
      expect((await gateway.send({ headers: { Host } })).status).toBe(421);
    }
  });

  test("loopback names count only on a connection that came in by loopback", () => {
    const isOwn = createHostCheck("https://mcp.example.com");
    expect(isOwn("localhost:8000", "127.0.0.1")).toBe(true);
    expect(isOwn("localhost:8000", "::ffff:127.0.0.1")).toBe(true);
    expect(isOwn("localhost:8000", "::1")).toBe(true);
    expect(isOwn("localhost:8000", "10.0.0.7")).toBe(false);
    expect(isOwn("localhost:8000", undefined)).toBe(false);
    expect(isOwn("mcp.example.com", "10.0.0.7")).toBe(true);
    expect(isOwn(undefined, "127.0.0.1")).toBe(false);
  });

  test("a header that counts may come once only", async () => {
    const gateway = await start();
    for (const name of ["Authorization", "Mcp-Session-Id", "Origin", "Mcp-Method"]) {
      const headers = ["Authorization", "Bearer alice", name, "a", name, "b"];
      expect([name, (await gateway.send({ headers })).status]).toEqual([name, 400]);
    }
  });
});

describe("origin and CORS", () => {
  const origins = ["https://app.example", "http://localhost:*"];

  test.each([
    ["https://app.example", 200],
    ["http://localhost:6274", 200],
    ["http://localhost", 200],
    ["https://app.example.evil.test", 403],
    ["http://localhost.evil.test:6274", 403],
    ["http://localhost:6274.evil.test", 403],
    ["http://app.example", 403],
    ["https://APP.example", 403],
    ["null", 403],
    ["", 403],
  ])("Origin %j gives %i", async (Origin, status) => {
    const gateway = await start(origins);
    const answer = await gateway.send({ headers: { Origin } });
    expect(answer.status).toBe(status);
    expect(answer.headers["access-control-allow-origin"]).toBe(status === 200 ? Origin : undefined);
    expect(answer.headers["access-control-allow-credentials"]).toBeUndefined();
  });

  test("our own origin passes", async () => {
    const gateway = await start();
    expect((await gateway.send({ headers: { Origin: gateway.baseUrl } })).status).toBe(200);
  });

  test("a preflight is answered before any token is asked for", async () => {
    const gateway = await start(origins);
    const answer = await send(gateway.port, {
      method: "OPTIONS",
      path: "/clock/mcp",
      headers: {
        Origin: "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, mcp-param-city",
      },
    });
    expect(answer.status).toBe(204);
    expect(answer.headers).toMatchObject({
      "access-control-allow-origin": "https://app.example",
      "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
      "access-control-allow-headers": "authorization, content-type, mcp-param-city",
      vary: "Origin",
    });
  });

  test("a 401 can be read by the script that got it", async () => {
    const gateway = await start(origins);
    const answer = await send(gateway.port, { path: "/clock/mcp", headers: { Origin: "https://app.example" } });
    expect(answer.status).toBe(401);
    expect(answer.headers["access-control-expose-headers"]).toContain("WWW-Authenticate");
  });

  test("an entry that is no origin is refused at start", async () => {
    await expect(start(["https://app.example/"])).rejects.toThrow(/allowed_origins.*no origin/);
    await expect(start(["*"])).rejects.toThrow(TypeError);
  });
});

describe("bearer", () => {
  test.each(["GET", "POST", "DELETE", "PUT"])(
    "no token: 401 with a challenge before anything else (%s)",
    async (method) => {
      const gateway = await start();
      const answer = await send(gateway.port, {
        method,
        path: "/notes/mcp",
        headers: { Cookie: "sallyport-session=bad" },
      });
      expect(answer.status).toBe(401);
      expect(answer.headers["www-authenticate"]).toBe(
        `Bearer scope="mcp/read", resource_metadata="${gateway.baseUrl}/.well-known/oauth-protected-resource/notes/mcp"`,
      );
    },
  );

  test("another method: 405 with Allow, once the token holds", async () => {
    const gateway = await start();
    const answer = await gateway.send({ method: "PUT" });
    expect([answer.status, answer.headers.allow]).toEqual([405, "GET, POST, DELETE, OPTIONS"]);
  });

  test("a token for one server opens no other", async () => {
    const gateway = await start();
    const headers = { Authorization: "Bearer alice@clock" };
    expect((await gateway.post(call("now"), headers)).status).toBe(200);
    const answer = await gateway.post(call("now"), headers, "notes");
    expect([answer.status, answer.headers["www-authenticate"]]).toEqual([
      401,
      expect.stringContaining("invalid_token"),
    ]);
  });

  test("an outage is 503 and never 401", async () => {
    const gateway = await start();
    gateway.tokens.outage = true;
    const answer = await gateway.post(call("now"));
    expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "5"]);
  });

  test("a verifier that must wait gives the same answers", async () => {
    const gateway = await start();
    gateway.tokens.wait = new Promise((resolve) => setImmediate(resolve));
    expect((await gateway.post(call("now"))).status).toBe(200);
    expect((await gateway.post(call("now"), { Authorization: "Bearer nobody" })).status).toBe(401);
  });
});

describe("decision", () => {
  test("R2, R6: no scope at all is refused even where the server requires none, without a challenge", async () => {
    const gateway = await start();
    const answer = await gateway.post(call("now"), { Authorization: "Bearer carol" });
    expect(answer.status).toBe(403);
    expect(answer.headers["www-authenticate"]).toBeUndefined();
    expect(JSON.parse(answer.body)).toMatchObject({ id: 7, error: { data: { reason: "not_permitted" } } });
  });

  test("R4: GET and DELETE are decided like everything else", async () => {
    const gateway = await start();
    for (const method of ["GET", "DELETE"]) {
      const answer = await gateway.send({ method, headers: { Authorization: "Bearer carol" } });
      expect([method, answer.status]).toEqual([method, 403]);
    }
  });

  test("a missing scope that can be had is named in a challenge", async () => {
    const gateway = await start();
    const answer = await gateway.post(call("now"), { Authorization: "Bearer bob-narrow" }, "notes");
    expect(answer.status).toBe(403);
    expect(answer.headers["www-authenticate"]).toContain('error="insufficient_scope"');
    expect(answer.headers["www-authenticate"]).toContain('scope="mcp/other mcp/read"');
  });

  test("what was allowed and refused is in the trail, with who, what and the status", async () => {
    const gateway = await start();
    await gateway.post(call("t".repeat(500)));
    await gateway.post(call("now"), { Authorization: "Bearer carol" });
    expect(gateway.events).toMatchObject([
      {
        action: "request.allowed",
        server: "clock",
        method: "tools/call",
        user: "sub-alice",
        grant: "alice",
        status: 200,
      },
      { action: "request.refused", reason: "not_permitted", tool: "now", user: "sub-carol", status: 403 },
    ]);
    expect(gateway.events[0]?.tool).toHaveLength(129);
  });
});
