import { type IncomingMessage, request } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import { secretHash } from "sallyport";
import { describe, expect, test } from "vitest";
import { parsePrometheus, total } from "../../../../test/support/prometheus.ts";
import type { Telemetry } from "../../src/index.ts";
import { call, echo, startGateway, startUpstream } from "../support/gateway.ts";
import { open, send, serve, until } from "../support/http.ts";
import { startTelemetry } from "../support/telemetry.ts";

const scrape = async (telemetry: Telemetry) => parsePrometheus(await telemetry.metricsText());

const rules = (tools: readonly string[]) => ({
  "mcp/read": { allow: [{ servers: ["*"], tools: [...tools], methods: ["all"] }] },
});

describe("requests to MCP endpoints", () => {
  test("each is counted once, with what became of it and why", async () => {
    const upstream = await startUpstream(echo);
    const { telemetry, clock } = await startTelemetry();
    const gone = await serve((_req, res) => res.end());
    await gone.close();
    const scopes = rules(["now"]);
    const gateway = await startGateway({ clock: upstream.url, notes: gone.url }, { telemetry, clock, scopes });
    await gateway.post(call("now"));
    await gateway.post(call("now"));
    await gateway.post(call("other"));
    await gateway.post(call("now"), {}, "notes");
    await gateway.post(call("now"), { Authorization: "Bearer nobody" });
    await gateway.post(call("now"), { Origin: "https://evil.example" });
    await gateway.send({ method: "PUT" });
    await gateway.send({ method: "OPTIONS" });
    const families = await scrape(telemetry);
    const of = (labels: Readonly<Record<string, string>>) => total(families, "sallyport_requests_total", labels);
    expect(of({})).toBe(8);
    const now = { server: "clock", method: "tools/call", tool: "now" };
    expect(of({ ...now, decision: "allowed", status: "2xx" })).toBe(2);
    expect(of({ server: "clock", tool: "other", decision: "refused", reason: "not_permitted", status: "4xx" })).toBe(1);
    const failed = { decision: "failed", reason: "upstream_server_unreachable", status: "5xx" };
    expect(of({ ...now, server: "notes", ...failed })).toBe(1);
    expect(of({ method: "POST", decision: "refused", status: "4xx" })).toBe(2);
    expect(of({ method: "POST", reason: "origin_not_allowed" })).toBe(1);
    expect(of({ method: "PUT", reason: "method_not_allowed" })).toBe(1);
    expect(of({ method: "OPTIONS", decision: "allowed", status: "2xx" })).toBe(1);
    expect(total(families, "sallyport_request_duration_seconds", { server: "clock" })).toBe(7);
    expect(total(families, "sallyport_upstream_duration_seconds")).toBe(2);
    expect(total(families, "sallyport_gateway_duration_seconds")).toBe(2);
  });

  test("the server's time and the gateway's own are told apart, and waiting for a body counts as neither", async () => {
    const { telemetry, clock } = await startTelemetry();
    const upstream = await startUpstream((req, res) => {
      req.resume();
      req.on("end", () => void clock.advance(400).then(() => res.end()));
    });
    const gateway = await startGateway({ clock: upstream.url }, { telemetry, clock });
    const verified = Promise.withResolvers<void>();
    gateway.tokens.wait = verified.promise;
    const body = JSON.stringify(call("now"));
    const sent = request({
      host: "localhost",
      port: gateway.port,
      path: "/clock/mcp",
      method: "POST",
      headers: { authorization: "Bearer alice", "content-type": "application/json", "content-length": body.length },
    });
    sent.write(body.slice(0, 10));
    await until(() => gateway.tokens.checks > 0);
    await clock.advance(7);
    verified.resolve();
    await turn();
    await clock.advance(100);
    const answered = new Promise<IncomingMessage>((resolve) => sent.on("response", resolve));
    sent.end(body.slice(10));
    (await answered).resume();
    const families = await scrape(telemetry);
    const sum = (name: string) => families.get(name)?.series.find((one) => one.name === `${name}_sum`)?.value;
    expect(sum("sallyport_upstream_duration_seconds")).toBe(0.4);
    expect(sum("sallyport_gateway_duration_seconds")).toBe(0.007);
    expect(sum("sallyport_request_duration_seconds")).toBe(0.507);
  });

  test("who goes away before an answer, and what is ended later", async () => {
    const { telemetry, clock } = await startTelemetry();
    const arrived = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    const upstream = await startUpstream((req, res) => {
      if (req.method === "GET") return res.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
      res.on("close", left.resolve);
      arrived.resolve();
    });
    const gateway = await startGateway({ clock: upstream.url }, { telemetry, clock });
    const inFlight = async (name: string) => total(await scrape(telemetry), name, { server: "clock" });
    const stream = await open(gateway.port, { path: "/clock/mcp", headers: { Authorization: "Bearer bob" } });
    stream.resume();
    expect(await inFlight("sallyport_open_streams")).toBe(1);
    gateway.tokens.ended.add("sub-bob");
    const ended = new Promise((resolve) => stream.on("close", resolve));
    await clock.advance(15_000);
    await ended;

    const leaving = new AbortController();
    const headers = { authorization: "Bearer alice", "content-type": "application/json" };
    const body = JSON.stringify(call("now"));
    const url = `http://localhost:${gateway.port}/clock/mcp`;
    const called = fetch(url, { method: "POST", headers, body, signal: leaving.signal }).catch(() => undefined);
    await arrived.promise;
    expect(await inFlight("sallyport_open_requests")).toBe(1);
    leaving.abort();
    await called;
    await left.promise;
    const families = await scrape(telemetry);
    expect(total(families, "sallyport_streams_closed_total", { server: "clock", reason: "grant_revoked" })).toBe(1);
    expect(total(families, "sallyport_requests_total", { decision: "abandoned", status: "none" })).toBe(1);
    expect(total(families, "sallyport_open_streams")).toBe(0);
    expect(total(families, "sallyport_open_requests")).toBe(0);
    expect(total(families, "sallyport_breaker_state", { state: "closed" })).toBe(2);
  });
});

describe("values of labels do not grow with what callers send", () => {
  test("random methods, tools, servers, paths and HTTP methods share one value", async () => {
    const upstream = await startUpstream(echo);
    const { telemetry, clock } = await startTelemetry();
    const gateway = await startGateway({ clock: upstream.url }, { telemetry, clock });
    for (let sent = 0; sent < 40; sent++) {
      await gateway.post(call(`tool-${sent}`));
      await gateway.post({ jsonrpc: "2.0", id: 1, method: `x/${sent}` });
      await gateway.post(call("now"), { "Mcp-Session-Id": `s${sent}` }, `server-${sent}`);
      await send(gateway.port, { path: `/path-${sent}`, method: sent % 2 === 0 ? "GET" : "PROPFIND" });
    }
    const families = await scrape(telemetry);
    const values = (name: string, label: string) =>
      new Set(families.get(name)?.series.map(({ labels }) => labels[label]));
    expect(values("sallyport_requests_total", "tool")).toEqual(new Set(["other", undefined]));
    expect(values("sallyport_requests_total", "method")).toEqual(new Set(["tools/call", "other"]));
    expect(values("sallyport_requests_total", "server")).toEqual(new Set(["clock"]));
    expect(values("sallyport_http_requests_total", "endpoint")).toEqual(new Set(["other"]));
    expect(values("sallyport_http_requests_total", "method")).toEqual(new Set(["GET", "POST", "other"]));
    expect(await telemetry.metricsText()).not.toMatch(/tool-|server-|path-|x\//);
  });

  test("a tool that a server has listed has a value of its own, up to 500 of each server", async () => {
    const tools = Array.from({ length: 600 }, (_, at) => ({ name: `tool-${at}` }));
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(200, { "Content-Type": "application/json" });
      res.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools } }));
    });
    const { telemetry, clock } = await startTelemetry();
    const scopes = rules(["*"]);
    const gateway = await startGateway({ clock: upstream.url }, { telemetry, clock, scopes });
    await gateway.post(call("tool-7"));
    await gateway.post({ jsonrpc: "2.0", id: 1, method: "tools/list" });
    for (const { name } of tools.slice(480, 520)) await gateway.post(call(name));
    const families = await scrape(telemetry);
    const of = (tool: string) => total(families, "sallyport_requests_total", { tool });
    expect(of("tool-499")).toBe(1);
    expect(of("tool-500")).toBe(0);
    expect(of("other")).toBe(21);
  });

  test("tool_labels = false: no tool is told apart", async () => {
    const upstream = await startUpstream(echo);
    const { telemetry, clock } = await startTelemetry({ toolLabels: false });
    const gateway = await startGateway({ clock: upstream.url }, { telemetry, clock, scopes: rules(["now"]) });
    await gateway.post(call("now"));
    expect(await telemetry.metricsText()).not.toContain("tool=");
  });
});

test("calls of the store and of Cognito by operation and outcome", async () => {
  const { telemetry } = await startTelemetry();
  telemetry.observer?.store("get", 3, "ok");
  telemetry.observer?.store("get", 3, "unavailable");
  telemetry.observer?.remote("cognito_token", 120, "throttled");
  const families = await scrape(telemetry);
  expect(total(families, "sallyport_store_calls_total", { operation: "get", outcome: "unavailable" })).toBe(1);
  expect(total(families, "sallyport_store_call_duration_seconds", { operation: "get" })).toBe(2);
  expect(total(families, "sallyport_remote_calls_total", { endpoint: "cognito_token", outcome: "throttled" })).toBe(1);
});

describe("/metrics", () => {
  const token = "TTTTTTTTTTTTTTTTabcdefghijklmnopqrstuvwxyz0123456789";

  test("off, as without settings: as any path that is not there", async () => {
    const { telemetry } = await startTelemetry({ metrics: "off" });
    const gateway = await startGateway({ clock: "http://127.0.0.1:1" }, { telemetry });
    expect((await send(gateway.port, { path: "/metrics" })).headers["x-handled-by"]).toBe("next");
  });

  test("public: anybody by GET", async () => {
    const { telemetry } = await startTelemetry();
    const gateway = await startGateway({ clock: "http://127.0.0.1:1" }, { telemetry });
    const answer = await send(gateway.port, { path: "/metrics" });
    expect(answer).toMatchObject({ status: 200, headers: { "cache-control": "no-store" } });
    expect(answer.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    const families = parsePrometheus(answer.body);
    expect(families.get("sallyport_info")?.series[0]?.labels).toEqual({ version: "1.2.3" });
    expect(families.has("nodejs_eventloop_delay_seconds")).toBe(true);
    expect(await send(gateway.port, { path: "/metrics", method: "POST" })).toMatchObject({
      status: 405,
      headers: { allow: "GET, HEAD" },
    });
  });

  test("token: whoever has one of them", async () => {
    const { telemetry } = await startTelemetry({ metrics: "token", metricsTokenHashes: [secretHash(token)] });
    const gateway = await startGateway({ clock: "http://127.0.0.1:1" }, { telemetry });
    const status = async (authorization?: string) => {
      const headers = authorization === undefined ? {} : { Authorization: authorization };
      const answer = await send(gateway.port, { path: "/metrics", headers });
      expect(answer.body.includes("sallyport_info")).toBe(answer.status === 200);
      return answer.status;
    };
    expect(await status()).toBe(401);
    expect(await status(`Bearer ${token.slice(1)}`)).toBe(401);
    expect(await status(`Basic ${token}`)).toBe(401);
    expect(await status(`Bearer ${token}`)).toBe(200);
  });

  test("metrics_listen: a listener that has nothing else; one that is taken is named", async () => {
    const { telemetry } = await startTelemetry({ metrics: "off", metricsListen: "127.0.0.1:0" });
    const port = telemetry.metricsPort ?? 0;
    parsePrometheus((await send(port, { path: "/metrics" })).body);
    expect((await send(port, { path: "/clock/mcp" })).status).toBe(404);
    await expect(startTelemetry({ metricsListen: `127.0.0.1:${port}` })).rejects.toThrow(
      /telemetry\.metrics_listen.*EADDRINUSE/s,
    );
  });

  test("metricsSource: what several processes have together", async () => {
    const { telemetry } = await startTelemetry({}, { metricsSource: async () => "# all\n" });
    const gateway = await startGateway({ clock: "http://127.0.0.1:1" }, { telemetry });
    expect((await send(gateway.port, { path: "/metrics" })).body).toBe("# all\n");
  });
});
