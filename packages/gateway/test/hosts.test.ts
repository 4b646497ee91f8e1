import { expect, test } from "vitest";
import { gatewaySection } from "../src/index.ts";
import { call, echo, startGateway, startUpstream, type TestGateway } from "./support/gateway.ts";
import { send } from "./support/http.ts";

const baseUrl = "https://mcp.example.com";
const json = { "Content-Type": "application/json" };

/** The server `clock` has a host name of its own, `notes` has two. */
async function start(allowedOrigins: readonly string[] = []): Promise<TestGateway> {
  const upstream = await startUpstream(echo);
  const { servers } = gatewaySection.parse({
    servers: [
      { name: "clock", url: `${upstream.url}/c`, hosts: ["clock.example.com"] },
      { name: "notes", url: `${upstream.url}/n`, hosts: ["notes.example.com", "n.example.org"] },
    ],
  });
  return startGateway({ clock: upstream.url }, { baseUrl, servers, allowedOrigins });
}

const at = (gateway: TestGateway, Host: string, path = "/mcp", more: Readonly<Record<string, string>> = {}) =>
  gateway.send({ method: "POST", path, headers: { ...json, Host, ...more }, body: JSON.stringify(call("now")) });

test("a host name leads to its server, with and without the default port, in any letter case", async () => {
  const gateway = await start();
  for (const host of ["clock.example.com", "clock.example.com:443", "CLOCK.example.com"]) {
    const answer = await at(gateway, host);
    expect([host, answer.status, JSON.parse(answer.body).url]).toEqual([host, 200, "/c"]);
  }
  for (const host of ["notes.example.com", "n.example.org"]) {
    expect(JSON.parse((await at(gateway, host)).body).url).toBe("/n");
  }
  expect(gateway.events.at(-1)).toMatchObject({ server: "notes", resource: "https://n.example.org/mcp", status: 200 });
});

test.each([
  "evil.example.com",
  "clock.example.com.evil.test",
  "clock.example.com:8443",
  "x.clock.example.com",
  "clock.example.com.",
])("an unknown host is 421: %s", async (host) => {
  const gateway = await start();
  const answer = await at(gateway, host);
  expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([421, -32000]);
  expect(gateway.events.at(-1)).toMatchObject({ action: "request.refused", reason: "host_unknown", status: 421 });
});

test("Host twice is refused, and X-Forwarded-Host chooses nothing", async () => {
  const gateway = await start();
  const headers = ["Host", "clock.example.com", "Host", "notes.example.com", "Authorization", "Bearer alice"];
  expect((await gateway.send({ headers, path: "/mcp" })).status).toBe(400);
  const forwarded = await at(gateway, "clock.example.com", "/mcp", { "X-Forwarded-Host": "notes.example.com" });
  expect(JSON.parse(forwarded.body).url).toBe("/c");
  expect((await at(gateway, "evil.example.com", "/mcp", { "X-Forwarded-Host": "notes.example.com" })).status).toBe(421);
});

test("nothing else is served there: no path of another server, no sign-in, no health", async () => {
  const gateway = await start();
  const paths = ["/clock/mcp", "/notes/mcp", "/authorize", "/token", "/register", "/healthz", "/metrics", "/", "/mcp/"];
  for (const path of [
    ...paths,
    "/.well-known/oauth-authorization-server",
    "/.well-known/jwks.json",
    "//mcp",
    "/%6dcp",
  ]) {
    const answer = await send(gateway.port, { path, headers: { Host: "clock.example.com" } });
    expect([path, answer.status, answer.headers["x-handled-by"]]).toEqual([path, 404, undefined]);
  }
  for (const path of ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"]) {
    const answer = await send(gateway.port, { path, headers: { Host: "clock.example.com" } });
    expect([path, answer.headers["x-handled-by"]]).toEqual([path, "next"]);
  }
});

test("on the gateway's own host /mcp is no server's, and other paths stay as they are", async () => {
  const gateway = await start();
  expect((await at(gateway, "mcp.example.com")).headers["x-handled-by"]).toBe("next");
  expect(JSON.parse((await at(gateway, "mcp.example.com", "/clock/mcp")).body).url).toBe("/c");
});

test("our own origin is that of the host, and no other server's", async () => {
  const gateway = await start(["https://app.example"]);
  const statusOf = async (Origin: string) => (await at(gateway, "clock.example.com", "/mcp", { Origin })).status;
  expect(await statusOf("https://clock.example.com")).toBe(200);
  expect(await statusOf("https://app.example")).toBe(200);
  for (const origin of [baseUrl, "https://notes.example.com", "http://clock.example.com", "null"]) {
    expect([origin, await statusOf(origin)]).toEqual([origin, 403]);
  }
});

test("a session of one URL is the same at the server's other URLs, and nobody else's", async () => {
  const upstream = await startUpstream((req, res) => {
    req.resume().on("end", () => {
      res.setHeader("Mcp-Session-Id", "session-1");
      res.end(JSON.stringify({ shown: req.headers["mcp-session-id"] }));
    });
  });
  const { servers } = gatewaySection.parse({
    servers: [
      { name: "clock", url: upstream.url, hosts: ["clock.example.com"] },
      { name: "notes", url: upstream.url, hosts: ["notes.example.com"] },
    ],
  });
  const gateway = await startGateway({ clock: upstream.url }, { baseUrl, servers });
  const opened = await at(gateway, "clock.example.com");
  const id = { "Mcp-Session-Id": String(opened.headers["mcp-session-id"]) };
  expect(JSON.parse((await at(gateway, "clock.example.com", "/mcp", id)).body)).toEqual({ shown: "session-1" });
  expect((await at(gateway, "notes.example.com", "/mcp", id)).status).toBe(404);
  expect((await at(gateway, "clock.example.com", "/mcp", { ...id, Authorization: "Bearer bob" })).status).toBe(404);
});
