import type { RequestListener, ServerResponse } from "node:http";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { gatewaySection } from "../src/index.ts";
import { call, startGateway, startUpstream } from "./support/gateway.ts";
import { nextChunk, open, until } from "./support/http.ts";
import type { Holder } from "./support/token-map.ts";

const { scopes, deny } = gatewaySection.parse({
  scopes: {
    "mcp/read": {
      allow: [
        {
          servers: ["clock"],
          tools: ["now", "zeit"],
          methods: ["lifecycle", "tools/list", "resources/list", "prompts/list"],
        },
        { servers: ["clock"], methods: ["resources/read", "resources/templates/list"] },
      ],
    },
    "mcp/write": { allow: [{ servers: ["*"], tools: ["*"], methods: ["*"] }] },
  },
  deny: [{ servers: ["*"], tools: ["never"] }],
});

const tools = {
  tools: [{ name: "now", x: 1 }, { name: "sleep" }, { name: "never" }, { title: "nameless" }, 7],
  nextCursor: "c",
};
const list = (method = "tools/list", extra: object = {}) => ({ jsonrpc: "2.0", id: 7, method, ...extra });
const answer = (result: unknown) => JSON.stringify({ jsonrpc: "2.0", id: 7, result });
const event = (result: unknown, before = "") => `${before}data: ${answer(result)}\n\n`;

/** A gateway with rules, before an upstream that answers as it is told. */
async function withRules(handler: RequestListener, rules = { scopes, deny }) {
  const seen: (string | undefined)[] = [];
  const upstream = await startUpstream((req, res) => {
    req.resume();
    req.on("end", () => {
      seen.push(req.headers["accept-encoding"]?.toString());
      handler(req, res);
    });
  });
  const gateway = await startGateway({ clock: upstream.url }, rules);
  return { ...gateway, seen };
}

const answering =
  (body: string | Buffer, headers: Record<string, string> = {}, status = 200): RequestListener =>
  (_req, res) =>
    void res.writeHead(status, { "Content-Type": "application/json", ...headers }).end(body);

const asBob = { Authorization: "Bearer bob" };
const shown = (body: string): unknown => JSON.parse(body.replace(/^[\s\S]*?data: /, "")).result;
const forBob = { tools: [{ name: "now", x: 1 }], nextCursor: "c" };

describe("a list shows what its reader may use", () => {
  test.each([
    ["JSON", answer(tools), {}],
    ["JSON with a charset", answer(tools), { "Content-Type": "application/json; charset=utf-8" }],
    ["JSON in a batch of one", `[${answer(tools)}]`, {}],
    ["an event stream", event(tools), { "Content-Type": "text/event-stream" }],
    ["an event with id and type", event(tools, "id: 4\nevent: message\n"), { "Content-Type": "text/event-stream" }],
    [
      "data in several lines",
      `data: ${answer(tools).replace(',"result"', '\ndata: ,"result"')}\n\n`,
      { "Content-Type": "text/event-stream" },
    ],
    ["lines that end in CRLF", event(tools, ": c\n").replaceAll("\n", "\r\n"), { "Content-Type": "text/event-stream" }],
    ["lines that end in CR", event(tools).replaceAll("\n", "\r"), { "Content-Type": "text/event-stream" }],
    ["an event that never ends", event(tools).trimEnd(), { "Content-Type": "text/event-stream" }],
    ["gzip", gzipSync(answer(tools)), { "Content-Encoding": "gzip" }],
    ["deflate", deflateSync(answer(tools)), { "Content-Encoding": "Deflate" }],
    ["brotli", brotliCompressSync(answer(tools)), { "Content-Encoding": "br" }],
    ["zstd", zstdCompressSync(answer(tools)), { "Content-Encoding": "zstd" }],
    [
      "gzip in an event stream",
      gzipSync(event(tools)),
      { "Content-Encoding": "gzip", "Content-Type": "text/event-stream" },
    ],
    ["a failed request's answer", answer(tools), { status: "500" }],
  ])("as %s", async (_what, body, { status = "200", ...headers }: Record<string, string>) => {
    const gateway = await withRules(answering(body, { ETag: '"1"', ...headers }, Number(status)));
    const filtered = await gateway.post(list(), asBob);
    expect(filtered.status).toBe(Number(status));
    expect(shown(filtered.body.replace(/^\[(.*)\]$/, "$1"))).toEqual(forBob);
    expect(filtered.headers["content-encoding"]).toBeUndefined();
    expect(filtered.headers.etag).toBeUndefined();
    expect(gateway.seen).toEqual(["identity"]);
    const whole = await gateway.post(list());
    expect(shown(whole.body.replace(/^\[(.*)\]$/, "$1"))).toMatchObject({
      tools: [{ name: "now" }, { name: "sleep" }],
    });
  });

  test.each([
    ["prompts/list", { prompts: [{ name: "p" }] }, { prompts: [] }],
    ["resources/list", { resources: [{ uri: "note://1" }, { name: "x" }] }, { resources: [{ uri: "note://1" }] }],
    ["resources/templates/list", { resourceTemplates: [{ uriTemplate: "note://{id}" }] }, undefined],
  ])("%s goes by whether they may be got or read", async (method, result, expected) => {
    const gateway = await withRules(answering(answer(result)));
    expect(shown((await gateway.post(list(method), asBob)).body)).toEqual(expected ?? result);
    expect(shown((await gateway.post(list(method))).body)).toMatchObject(
      method === "resources/list" ? { resources: [{ uri: "note://1" }] } : result,
    );
  });

  test("what it hides cannot be called, and what it shows can", async () => {
    const gateway = await withRules(answering(answer(tools)));
    for (const [who, headers] of [
      ["bob", asBob],
      ["alice", {}],
    ] as const) {
      const body = (await gateway.post(list(), headers)).body;
      for (const name of ["now", "sleep", "never"]) {
        const { status } = await gateway.post(call(name), headers);
        expect([who, name, status === 200]).toEqual([who, name, body.includes(`"${name}"`)]);
      }
    }
  });

  test("2026-07-28 says that it is private; before, only where the server said something", async () => {
    const gateway = await withRules(answering(answer({ ...tools, cacheScope: "public" })));
    expect(shown((await gateway.post(list())).body)).toMatchObject({ cacheScope: "private" });
    const modern = await withRules(answering(answer(tools)));
    const headers = { "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list" };
    const meta = { params: { _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } } };
    expect(shown((await modern.post(list("tools/list", meta), headers)).body)).toMatchObject({ cacheScope: "private" });
    expect(shown((await modern.post(list())).body)).not.toHaveProperty("cacheScope");
  });
});

describe("an event stream", () => {
  test("passes on at once what is no list, to the byte, and events that come in pieces", async () => {
    let end: ServerResponse | undefined;
    const gateway = await withRules((_req, res) => {
      res.writeHead(200, { "Content-Type": "text/event-stream" });
      res.write(": hello\n\n");
      end = res;
    });
    const response = await open(gateway.port, {
      method: "POST",
      path: "/clock/mcp",
      headers: { ...asBob, "Content-Type": "application/json" },
      body: JSON.stringify(list()),
    });
    expect(await nextChunk(response)).toBe(": hello\n\n");
    const progress = 'id: 1\ndata:{"jsonrpc":"2.0","method":"notifications/progress","params":{"ü":1.0}}\r\n\r\n';
    end?.write(progress);
    expect(await nextChunk(response)).toBe(progress);
    end?.write("id: 2\ndata: \n\n");
    expect(await nextChunk(response)).toBe("id: 2\ndata: \n\n");
    const bytes = Buffer.from(
      event({ tools: [{ name: "zeit", title: "Zürich" }, { name: "sleep" }] }).replaceAll("\n", "\r\n"),
    );
    for (const byte of bytes) {
      end?.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    end?.end();
    let rest = "";
    for (let chunk = await nextChunk(response); chunk !== undefined; chunk = await nextChunk(response)) rest += chunk;
    expect(shown(rest)).toEqual({ tools: [{ name: "zeit", title: "Zürich" }] });
  });

  test("that is taken up again is filtered; any other is left alone", async () => {
    const gateway = await withRules(answering(event(tools), { "Content-Type": "text/event-stream" }));
    const again = await gateway.send({ headers: { ...asBob, "Last-Event-ID": "3" } });
    expect(shown(again.body)).toEqual(forBob);
    expect((await gateway.send({ headers: asBob })).body).toBe(event(tools));
  });

  test("is filtered by what holds when the list comes", async () => {
    let end: ServerResponse | undefined;
    const gateway = await withRules((_req, res) => {
      res.writeHead(200, { "Content-Type": "text/event-stream" });
      res.write(": hello\n\n");
      end = res;
    });
    const response = await open(gateway.port, {
      method: "POST",
      path: "/clock/mcp",
      headers: { Authorization: "Bearer alice", "Content-Type": "application/json" },
      body: JSON.stringify(list()),
    });
    expect(await nextChunk(response)).toBe(": hello\n\n");
    const narrower: Holder = { subject: "sub-alice", scopes: ["mcp/read"] };
    gateway.tokens.holders.set("alice", narrower);
    for (let second = 0; second < 16; second++) await gateway.clock.advance(1000);
    end?.end(event(tools));
    expect(shown((await nextChunk(response)) ?? "")).toEqual(forBob);
  });
});

describe("what cannot be judged is not shown", () => {
  const bomb = gzipSync(Buffer.alloc(17 * 1024 * 1024, 0x20));
  const sse = { "Content-Type": "text/event-stream" };
  test.each<[string, string | Buffer, Record<string, string>]>([
    ["a coding that is unknown", answer(tools), { "Content-Encoding": "compress" }],
    ["two codings", gzipSync(gzipSync(answer(tools))), { "Content-Encoding": "gzip, gzip" }],
    ["a coding that it is not in", answer(tools), { "Content-Encoding": "gzip" }],
    ["no JSON", `${answer(tools)},`, {}],
    ["another type", answer(tools), { "Content-Type": "text/plain" }],
    ["more than is held", bomb, { "Content-Encoding": "gzip" }],
  ])("%s: 502", async (_what, body, headers) => {
    const gateway = await withRules(answering(body, headers));
    const { status, body: text } = await gateway.post(list());
    expect([status, JSON.parse(text).error.code]).toEqual([502, -32603]);
    expect(text).not.toContain("never");
  });

  test.each<[string, string | Buffer, Record<string, string>]>([
    ["an event that is no JSON", `data: ${answer(tools)},\n\n`, sse],
    ["an event that is too long", bomb, { ...sse, "Content-Encoding": "gzip" }],
  ])("%s: the stream breaks off", async (_what, body, headers) => {
    const gateway = await withRules(answering(body, headers));
    const text = await gateway.post(list()).then(
      (whole) => whole.body,
      () => "",
    );
    expect(text).not.toContain("tools");
    await until(() => gateway.events.some(({ action }) => action === "stream.closed"));
    expect(gateway.events.at(-1)).toMatchObject({ status: 502, reason: "upstream_server_unreachable" });
  });
});

describe("nothing else is touched", () => {
  const odd = `{"jsonrpc":"2.0", "id":7, "result":{"tools":[{"name":"never"}], "n":1.0}}`;
  test("answers to other requests", async () => {
    const gateway = await withRules(answering(odd));
    expect((await gateway.post(call("now"))).body).toBe(odd);
  });

  test("an error page of whatever stands before the server", async () => {
    const gateway = await withRules(
      answering("<h1>gone</h1>", { "Content-Type": "text/html", "Content-Encoding": "x" }, 404),
    );
    expect(await gateway.post(list())).toMatchObject({
      status: 404,
      body: "<h1>gone</h1>",
      headers: { "content-encoding": "x" },
    });
  });

  test("an answer without content, to a notification", async () => {
    const gateway = await withRules((_req, res) => void res.writeHead(202).end());
    expect(await gateway.post(list())).toMatchObject({ status: 202, body: "" });
  });

  test("lists where there are no rules", async () => {
    const gateway = await withRules(answering(odd), { scopes: {}, deny: [] });
    expect((await gateway.post(list())).body).toBe(odd);
  });

  test("with deny rules alone lists are filtered too", async () => {
    const gateway = await withRules(answering(odd), { scopes: {}, deny });
    expect(shown((await gateway.post(list())).body)).toEqual({ tools: [], n: 1 });
  });
});
