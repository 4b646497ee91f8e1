import { createServer, type IncomingHttpHeaders } from "node:http";
import { afterEach, expect, test } from "vitest";
import { newSession, request, type Session } from "../outages/outage.ts";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { type CollectedSpan, type OtlpCollector, startCollector } from "../support/otlp-collector.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const caller = "00f067aa0ba902b7";
const apiKey = "collector-key-0123456789abcdefghijklmn";

interface Scene {
  readonly env: TestEnvironment;
  readonly collector: OtlpCollector;
  /** What reached the MCP server. */
  readonly received: IncomingHttpHeaders[];
  readonly session: Session;
  call(headers: Readonly<Record<string, string>>, body?: object, server?: string): Promise<number>;
  /** Ends the gateway, which sends what is left. */
  end(): Promise<number>;
}

async function scene(otlp: object, hangs = false): Promise<Scene> {
  const collector = await startCollector(hangs);
  closers.push(() => collector.close());
  const received: IncomingHttpHeaders[] = [];
  const server = createServer((req, res) => {
    received.push(req.headers);
    req.resume();
    res.writeHead(200, { "content-type": "application/json" });
    req.on("end", () => res.end('{"jsonrpc":"2.0","id":1,"result":{}}'));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(
    () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  );
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}/mcp`;
  const env = await startEnvironment({
    change: (settings) => ({
      ...settings,
      // Takes the place of the demo server, whose resource the sign-in is for.
      servers: (settings.servers ?? []).map((one) => (one.name === "clock" ? { ...one, url } : one)),
      telemetry: { metrics: "public", otlp: { endpoint: collector.url, headers: { "x-api-key": apiKey }, ...otlp } },
    }),
  });
  let ended: Promise<number> | undefined;
  const closeAll = async (): Promise<number> => {
    const started = performance.now();
    await env.close();
    return performance.now() - started;
  };
  const end = (): Promise<number> => {
    ended ??= closeAll();
    return ended;
  };
  closers.push(async () => {
    await end();
  });
  const session = await newSession(env);
  return {
    env,
    collector,
    received,
    session,
    async call(headers, body = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "now" } }) {
      const response = await fetch(`${env.url}/clock/mcp`, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { authorization: `Bearer ${session.accessToken}`, "content-type": "application/json", ...headers },
      });
      await response.text();
      return response.status;
    },
    end,
  };
}

const ofTrace = (spans: readonly CollectedSpan[], id: string) => {
  const mine = spans.filter(({ traceId }) => traceId === id);
  return { server: mine.filter(({ kind }) => kind === 2), client: mine.filter(({ kind }) => kind === 3) };
};

test("a call's spans hang together from the client's own to what the server was told; metrics say the same as /metrics", async () => {
  const { env, collector, received, session, call, end } = await scene({ sampleRatio: 0 });
  const argument = "an-argument-that-is-nobodys-business";
  const body = {
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "now", arguments: { timezone: argument }, _meta: { traceparent: `00-${trace}-${caller}-01` } },
  };
  expect(await call({ tracestate: "vendor=1" }, body)).toBe(200);
  expect(await call({ traceparent: `00-${"a".repeat(32)}-${caller}-01`, tracestate: "v=1" })).toBe(200);
  expect(await call({ traceparent: `00-${"b".repeat(32)}-${caller}-00` })).toBe(200);
  expect(await call({})).toBe(200);
  expect(await call({ authorization: "Bearer nobody", traceparent: `00-${"c".repeat(32)}-${caller}-01` })).toBe(401);
  await fetch(`${env.url}/token`, { method: "POST", headers: { traceparent: `00-${"d".repeat(32)}-${caller}-01` } });
  await end();

  const spans = collector.spans();
  const first = ofTrace(spans, trace);
  expect(first.server).toEqual([
    expect.objectContaining({
      name: "tools/call now",
      parentSpanId: caller,
      attributes: expect.objectContaining({
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": "now",
        "sallyport.server": "clock",
        "sallyport.decision": "allowed",
        "http.response.status_code": 200,
      }),
    }),
  ]);
  expect(first.client).toHaveLength(1);
  expect(first.client[0]?.parentSpanId).toBe(first.server[0]?.spanId);
  expect(received[0]?.traceparent).toBe(`00-${trace}-${first.client[0]?.spanId}-01`);
  // Of another carrier than the parent's: it belongs to nothing.
  expect(received[0]?.tracestate).toBeUndefined();

  const byHeader = ofTrace(spans, "a".repeat(32));
  expect(byHeader.server[0]).toMatchObject({ parentSpanId: caller, traceState: "v=1" });
  expect(received[1]).toMatchObject({
    traceparent: `00-${"a".repeat(32)}-${byHeader.client[0]?.spanId}-01`,
    tracestate: "v=1",
  });

  // Not recorded by the caller's wish: told on, and not sent.
  expect(received[2]?.traceparent).toMatch(new RegExp(`^00-${"b".repeat(32)}-[0-9a-f]{16}-00$`));
  expect(ofTrace(spans, "b".repeat(32)).server).toEqual([]);
  // Begun here, and not among the sampled.
  expect(received[3]?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);

  const refused = ofTrace(spans, "c".repeat(32));
  expect(refused.client).toEqual([]);
  expect(refused.server[0]?.attributes).toMatchObject({
    "sallyport.decision": "refused",
    "sallyport.reason": "token_malformed",
    "http.response.status_code": 401,
  });
  expect(ofTrace(spans, "d".repeat(32)).server[0]?.name).toBe("POST /token");
  for (const { startTimeUnixNano, endTimeUnixNano } of spans) {
    expect(Math.abs(Number(startTimeUnixNano) / 1e6 - Date.now())).toBeLessThan(60_000);
    expect(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano)).toBe(true);
  }

  const requests = collector.metrics().find(({ name }) => name === "sallyport_requests_total");
  const allowed = requests?.sum?.dataPoints.find(({ attributes }) => attributes.decision === "allowed");
  expect(allowed).toMatchObject({
    asDouble: 4,
    attributes: { server: "clock", method: "tools/call", tool: "now", status: "2xx" },
  });
  const seconds = collector.metrics().find(({ name }) => name === "sallyport_request_duration_seconds");
  expect(seconds?.histogram?.dataPoints.map(({ count }) => count).toSorted()).toEqual([1, 4]);

  expect(collector.headers.every((headers) => headers["x-api-key"] === apiKey)).toBe(true);
  const everything = collector.bodies.join("\n");
  for (const secret of [argument, apiKey, session.accessToken, session.refreshToken, "alice"]) {
    expect(everything).not.toContain(secret);
  }
});

test("follow_callers = false: the ratio alone decides, whatever callers say", async () => {
  const { collector, received, call, end } = await scene({ sampleRatio: 0, followCallers: false, metrics: false });
  expect(await call({ traceparent: `00-${trace}-${caller}-01` })).toBe(200);
  await end();
  expect(received[0]?.traceparent).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-00$`));
  expect(collector.bodies).toEqual([]);
});

test("a collector that never answers: requests do not notice, and the gateway ends in time", async () => {
  const { env, collector, call, end } = await scene({ sampleRatio: 1, timeout: "1m", interval: "1s" }, true);
  // More than one batch, so that sending has begun.
  const started = performance.now();
  for (let sent = 0; sent < 14; sent++) {
    const statuses = await Promise.all(Array.from({ length: 20 }, () => call({})));
    expect(new Set(statuses)).toEqual(new Set([200]));
  }
  expect(performance.now() - started).toBeLessThan(5_000);
  await expect.poll(() => collector.bodies.length).toBeGreaterThan(0);
  expect(await end()).toBeLessThan(4_000);
  expect(env.log.join("\n")).not.toContain(apiKey);
});

test("a collector that is not there: it is said once, without a secret", async () => {
  const { env, collector, session, end } = await scene({ sampleRatio: 1, timeout: "100ms", interval: "1s" });
  await collector.close();
  for (let sent = 0; sent < 10; sent++) expect((await request(env, session.accessToken)).status).toBe(200);
  await end();
  const said = env.log.filter((line) => line.includes("telemetry cannot be sent"));
  expect(said.filter((line) => line.includes('what="traces"'))).toHaveLength(1);
  expect(said.filter((line) => line.includes('what="metrics"'))).toHaveLength(1);
  expect(said.join("\n")).not.toContain(apiKey);
});
