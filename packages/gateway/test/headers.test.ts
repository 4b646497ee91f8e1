import { expect, test } from "vitest";
import { droppedRequestHeaders } from "../src/proxy/request-headers.ts";
import { droppedResponseHeaders } from "../src/proxy/response-headers.ts";
import { call, echo, startGateway, startUpstream } from "./support/gateway.ts";

/** Header names of an echoed request, small letters. */
const namesSeen = (body: string): Map<string, string> => {
  const raw: string[] = JSON.parse(body).rawHeaders;
  return new Map(raw.flatMap((text, i) => (i % 2 === 0 ? [[text.toLowerCase(), raw[i + 1] ?? ""] as const] : [])));
};

const listed = (rules: typeof droppedRequestHeaders): string[] =>
  rules.flatMap(({ names, prefixes }) => [...names, ...prefixes.map((prefix) => `${prefix}x`)]);

test("no header of the lists goes upstream, nor the token, nor any spelling with an underscore", async () => {
  const upstream = await startUpstream(echo);
  const gateway = await startGateway({ clock: upstream.url });
  // Three that Node's own client would act on before they are sent.
  const special = new Set(["expect", "upgrade", "trailer"]);
  const hostile = [
    ...listed(droppedRequestHeaders).filter((name) => !special.has(name)),
    "X-User",
    "X_User",
    "x_forwarded_for",
    "X-Forwarded-Host",
    "X-Scopes",
    "X-Groups",
    "X-Auth-Method",
    "X-Sallyport-Principal",
    "X-Client-Id",
  ];
  const headers = ["Authorization", "Bearer alice", ...hostile.flatMap((name) => [name, "evil"])];
  headers.push("Connection", "keep-alive, X-Hop", "X-Hop", "evil", "Content-Type", "application/json");
  const answer = await gateway.send({ method: "POST", headers, body: JSON.stringify(call("now")) });
  const seen = namesSeen(answer.body);
  expect(answer.status).toBe(200);
  expect([...seen.values()].filter((value) => value.includes("evil") || value.includes("alice"))).toEqual([]);
  expect([...seen.keys()].sort()).toEqual(["accept-encoding", "connection", "content-length", "content-type", "host"]);
});

test.each([
  [
    "X-Amzn-Oidc-Data",
    "X-Amzn-Oidc-Identity",
    "X-Amzn-Oidc-Accesstoken",
    "Remote-User",
    "X-Remote-User",
    "REMOTE_USER",
  ],
  ["X-Forwarded-For", "X-Forwarded-User", "X-Forwarded-Client-Cert", "Forwarded", "X-Real-IP", "X-Original-URL"],
  ["X.User", "x|user", "X~Forwarded~For", "Remote.User", "Proxy.Authorization", "x+sallyport+identity"],
  ["MCP.Session.Id", "mcp!method", "Content.Length", "Transfer.Encoding", "Mcp_Name", "X.Accel.Redirect"],
])("whoever spells it differently: %s, %s, %s, %s, %s, %s", async (...names) => {
  const upstream = await startUpstream(echo);
  const gateway = await startGateway({ clock: upstream.url });
  const headers = [
    "Authorization",
    "Bearer alice",
    "Content-Type",
    "application/json",
    ...names.flatMap((name) => [name, "evil"]),
  ];
  const seen = namesSeen((await gateway.send({ method: "POST", headers, body: JSON.stringify(call("now")) })).body);
  expect([...seen].filter(([, value]) => value.includes("evil"))).toEqual([]);
});

test("an argument repeated in a header goes on under the name that the server's list gives it", async () => {
  const upstream = await startUpstream(echo);
  const gateway = await startGateway({ clock: upstream.url });
  const wanted = { "Mcp-Param-tenant_id": "7", "Mcp-Param-user.name": "x" };
  const seen = namesSeen((await gateway.post(call("now"), wanted)).body);
  expect([seen.get("mcp-param-tenant_id"), seen.get("mcp-param-user.name")]).toEqual(["7", "x"]);
});

test("what the upstream needs goes on, and Host is its own", async () => {
  const upstream = await startUpstream(echo);
  const gateway = await startGateway({ clock: upstream.url });
  const wanted = {
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2025-11-25",
    "last-event-id": "3",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "mcp-param-city": "=?base64?w6Q=?=",
    "x-api-key": "theirs",
  };
  const answer = await gateway.post(call("now"), wanted);
  const seen = namesSeen(answer.body);
  expect(Object.fromEntries(seen)).toMatchObject({ ...wanted, host: new URL(upstream.url).host });
});

test("Connection cannot take away what has been judged", async () => {
  const upstream = await startUpstream(echo);
  const gateway = await startGateway({ clock: upstream.url });
  const more = { Connection: "content-type, mcp-protocol-version", "MCP-Protocol-Version": "2025-11-25" };
  const seen = namesSeen((await gateway.post(call("now"), more)).body);
  expect([...seen.keys()]).toEqual(expect.arrayContaining(["content-type", "mcp-protocol-version"]));
});

test("no header of the lists comes back from an upstream", async () => {
  const hostile = listed(droppedResponseHeaders).filter((name) => name !== "transfer-encoding");
  const upstream = await startUpstream((_req, res) => {
    const raw = hostile.flatMap((name) => [name, "evil"]);
    raw.push("Connection", "keep-alive, X-Hop", "X-Hop", "evil");
    raw.push("Content-Type", "application/json", "X-Request-Id", "r1", "Cache-Control", "no-cache");
    res.writeHead(200, raw);
    res.end("{}");
  });
  const gateway = await startGateway({ clock: upstream.url });
  const { headers } = await gateway.post(call("now"));
  expect(JSON.stringify(headers)).not.toContain("evil");
  expect(headers).toMatchObject({
    "x-request-id": "r1",
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
  });
});

test.each([401, 407, 302, 307, 304])("an upstream's %i never looks like ours", async (status) => {
  const upstream = await startUpstream((_req, res) => {
    res.writeHead(status, {
      "WWW-Authenticate": 'Bearer resource_metadata="https://evil.example"',
      Location: "https://evil.example",
    });
    res.end();
  });
  const gateway = await startGateway({ clock: upstream.url });
  const answer = await gateway.post(call("now"));
  expect(answer.status).toBe(502);
  expect(JSON.parse(answer.body)).toMatchObject({ id: 7, error: { code: -32603 } });
  expect(answer.headers["www-authenticate"]).toBeUndefined();
  expect(answer.headers.location).toBeUndefined();
});

test("an upstream's own statuses and bodies pass", async () => {
  for (const status of [202, 400, 403, 404, 405, 500]) {
    const upstream = await startUpstream((_req, res) => void res.writeHead(status).end("theirs"));
    const gateway = await startGateway({ clock: upstream.url });
    const answer = await gateway.post(call("now"));
    expect([answer.status, answer.body]).toEqual([status, "theirs"]);
  }
});
