import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { gatewaySection } from "../src/index.ts";
import { createBreaker } from "../src/proxy/breaker.ts";
import { call, startGateway, startUpstream, type TestGateway } from "./support/gateway.ts";
import { open, serve, until } from "./support/http.ts";
import { manualClock } from "./support/manual-clock.ts";

function start(failures = 3) {
  const clock = manualClock();
  const changes: string[] = [];
  const breaker = createBreaker({ failures, rest: 10_000, clock, onChange: (state) => changes.push(state) });
  return { clock, changes, breaker };
}

/** Lets it fail until it is open. */
async function startOpen() {
  const parts = start();
  for (let failure = 0; failure < 3; failure += 1) parts.breaker.failed(parts.breaker.pass());
  return parts;
}

describe("a breaker", () => {
  test("opens after so many failures in a row, and not before", () => {
    const { breaker, changes } = start();
    for (let round = 0; round < 5; round += 1) {
      breaker.failed(breaker.pass());
      breaker.failed(breaker.pass());
      breaker.succeeded(breaker.pass());
    }
    expect([breaker.state, breaker.pass(), changes]).toEqual(["closed", "usual", []]);
    for (let failure = 0; failure < 3; failure += 1) breaker.failed("usual");
    expect([breaker.state, breaker.pass(), breaker.rest(), changes]).toEqual(["open", "none", 10_000, ["open"]]);
  });

  test("lets nothing through while it is open, then exactly one", async () => {
    const { breaker, clock } = await startOpen();
    await clock.advance(9_999);
    expect([breaker.pass(), breaker.rest()]).toEqual(["none", 1]);
    await clock.advance(1);
    expect(breaker.state).toBe("half-open");
    expect([breaker.pass(), breaker.pass(), breaker.pass()]).toEqual(["probe", "none", "none"]);
  });

  test("closes when the probe succeeds", async () => {
    const { breaker, clock, changes } = await startOpen();
    await clock.advance(10_000);
    breaker.succeeded(breaker.pass());
    expect([breaker.state, breaker.pass(), changes]).toEqual(["closed", "usual", ["open", "closed"]]);
    // The count begins anew.
    breaker.failed("usual");
    expect(breaker.state).toBe("closed");
  });

  test("rests as long again when the probe fails, and says nothing new", async () => {
    const { breaker, clock, changes } = await startOpen();
    await clock.advance(10_000);
    breaker.failed(breaker.pass());
    expect([breaker.state, breaker.rest(), changes]).toEqual(["open", 10_000, ["open"]]);
  });

  test("a probe that nobody waits for makes room for the next", async () => {
    const { breaker, clock } = await startOpen();
    await clock.advance(10_000);
    breaker.abandoned(breaker.pass());
    expect([breaker.state, breaker.pass()]).toEqual(["half-open", "probe"]);
  });

  test("what set out before it opened says nothing", async () => {
    const { breaker, clock, changes } = await startOpen();
    breaker.succeeded("usual");
    expect(breaker.state).toBe("open");
    await clock.advance(5000);
    breaker.failed("usual");
    breaker.abandoned("usual");
    expect([breaker.rest(), changes]).toEqual([5000, ["open"]]);
  });

  test("0 failures: never", () => {
    const { breaker } = start(0);
    for (let failure = 0; failure < 100; failure += 1) breaker.failed(breaker.pass());
    expect(breaker.pass()).toBe("usual");
  });
});

const withBreaker = (url: string, timeout = "10s"): Promise<TestGateway> => {
  const { servers } = gatewaySection.parse({
    servers: [
      { name: "clock", url, timeout, breaker: { failures: 3, open: "5s" } },
      { name: "notes", url, breaker: { failures: 3, open: "5s" } },
    ],
  });
  return startGateway({ clock: url }, { servers });
};

const breakerEvents = ({ events }: TestGateway) =>
  events.filter(({ action }) => action.startsWith("breaker.")).map(({ action, server }) => `${action} ${server}`);

/** Three failures, after which the server is left alone. */
async function failThrice(gateway: TestGateway, status = 502): Promise<void> {
  for (let failure = 0; failure < 3; failure += 1) expect((await gateway.post(call("now"))).status).toBe(status);
}

describe("a server that fails", () => {
  test("is left alone: 503 at once, with the time to wait; others are not concerned", async () => {
    let reached = 0;
    const upstream = await startUpstream((req) => {
      reached += 1;
      req.socket.destroy();
    });
    const gateway = await withBreaker(upstream.url);
    await failThrice(gateway);
    const answer = await gateway.post(call("now"));
    expect([answer.status, answer.headers["retry-after"], reached]).toEqual([503, "5", 3]);
    expect(JSON.parse(answer.body)).toMatchObject({ id: 7, error: { code: -32000 } });
    expect(gateway.events.at(-1)).toMatchObject({
      action: "request.refused",
      reason: "upstream_server_resting",
      tool: "now",
    });
    await gateway.clock.advance(3_200);
    expect((await gateway.post(call("now"))).headers["retry-after"]).toBe("2");
    expect(breakerEvents(gateway)).toEqual(["breaker.opened clock"]);
    expect(gateway.logs.filter(({ message }) => message === "an MCP server is given a rest")).toHaveLength(1);
    await gateway.post(call("now"), {}, "notes");
    expect(reached).toBe(4);
  });

  test("comes back: one request tries, the others wait for it; then all pass", async () => {
    const gone = await serve(() => {});
    await gone.close();
    const gateway = await withBreaker(gone.url);
    await failThrice(gateway);
    const arrived: ServerResponse[] = [];
    const back = await serve((req, res) => {
      req.resume();
      arrived.push(res);
    }, gone.port);
    await gateway.clock.advance(5_000);
    const probe = gateway.post(call("now"));
    await until(() => arrived.length === 1);
    expect((await gateway.post(call("now"))).status).toBe(503);
    arrived[0]?.end("{}");
    expect((await probe).status).toBe(200);
    const next = gateway.post(call("now"));
    await until(() => arrived.length === 2);
    arrived[1]?.end("{}");
    expect((await next).status).toBe(200);
    expect(breakerEvents(gateway)).toEqual(["breaker.opened clock", "breaker.closed clock"]);
    await back.close();
  });

  test("a probe whose client goes away does not keep it closed off", async () => {
    const arrived: ServerResponse[] = [];
    let works = false;
    const upstream = await startUpstream((req, res) => {
      req.resume();
      if (works) arrived.push(res);
      else req.socket.destroy();
    });
    const gateway = await withBreaker(upstream.url);
    await failThrice(gateway);
    works = true;
    await gateway.clock.advance(5_000);
    const controller = new AbortController();
    const probe = fetch(`${gateway.baseUrl}/clock/mcp`, {
      headers: { Authorization: "Bearer alice" },
      signal: controller.signal,
    });
    await until(() => arrived.length === 1);
    controller.abort();
    await expect(probe).rejects.toThrow(/abort/);
    await until(() => arrived[0]?.destroyed === true);
    const next = gateway.post(call("now"));
    await until(() => arrived.length === 2);
    arrived[1]?.end("{}");
    expect((await next).status).toBe(200);
  });

  test("silence counts as failing", async () => {
    const upstream = await startUpstream((req) => void req.resume());
    const gateway = await withBreaker(upstream.url, "1s");
    const pending = [1, 2, 3].map(() => gateway.post(call("now")));
    await until(() => gateway.tokens.checks === 3);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await gateway.clock.advance(1_100);
    for (const answer of await Promise.all(pending)) expect(answer.status).toBe(504);
    expect((await gateway.post(call("now"))).status).toBe(503);
  });

  test.each([
    [502, true],
    [504, true],
    [500, false],
    [503, false],
    [401, false],
    [404, false],
  ])("a status of %i counts: %s", async (status, counts) => {
    const upstream = await startUpstream((req, res) => {
      req.resume();
      res.writeHead(status).end("theirs");
    });
    const gateway = await withBreaker(upstream.url);
    const shown = status === 401 ? 502 : status;
    await failThrice(gateway, shown);
    expect((await gateway.post(call("now"))).status).toBe(counts ? 503 : shown);
  });

  test("a stream that breaks off after it has begun does not count", async () => {
    const upstream = await startUpstream((req, res) => {
      req.resume();
      res.writeHead(200, { "Content-Type": "text/event-stream" });
      res.write(": hello\n\n");
      setImmediate(() => res.destroy());
    });
    const gateway = await withBreaker(upstream.url);
    for (let stream = 0; stream < 4; stream += 1) {
      const response = await open(gateway.port, { path: "/clock/mcp", headers: { Authorization: "Bearer alice" } });
      response.on("error", () => {});
      await new Promise((resolve) => response.resume().once("close", resolve));
      expect(response.statusCode).toBe(200);
    }
  });
});
