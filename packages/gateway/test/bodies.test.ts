import { describe, expect, test } from "vitest";
import { call, echo, startGateway, startUpstream, type TestGateway } from "./support/gateway.ts";

const start = async (maxRequestBody = 1024): Promise<TestGateway & { readonly reached: () => number }> => {
  let reached = 0;
  const upstream = await startUpstream((req, res) => {
    reached++;
    echo(req, res);
  });
  const gateway = await startGateway({ clock: upstream.url }, { maxRequestBody });
  return { ...gateway, reached: () => reached };
};

const json = { "Content-Type": "application/json" };
const errorOf = (body: string): unknown => JSON.parse(body).error.code;

describe("what is forwarded is what was judged", () => {
  test.each([
    ['{"jsonrpc":"2.0","id":1,"method":"ping"}'],
    [' \n{ "id" : "ä€😀" , "method":"tools/call","params":{"name":"x","arguments":{"name":"y","Name":"z"}}}\t'],
    ['{"jsonrpc":"2.0","id":1,"result":{"a":[1,{"a":1}]}}'],
    ['{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"\\u00e4":1}}'],
    [`{"id":1,"method":"ping","params":{"long":"${"é".repeat(20_000)}"}}`],
  ])("the very same bytes: %.60s", async (body) => {
    const gateway = await start(100_000);
    const answer = await gateway.send({ method: "POST", headers: json, body });
    expect(answer.status).toBe(200);
    expect(Buffer.from(JSON.parse(answer.body).body, "latin1").toString("utf8")).toBe(body);
  });

  test("a body in chunks arrives whole, with its length", async () => {
    const gateway = await start();
    const body = JSON.stringify(call("now"));
    const answer = await gateway.send({ method: "POST", headers: { ...json, "Transfer-Encoding": "chunked" }, body });
    const seen = JSON.parse(answer.body);
    expect(seen.body).toBe(body);
    expect(seen.rawHeaders.join("|").toLowerCase()).toContain(`content-length|${body.length}`);
    expect(seen.rawHeaders.join("|").toLowerCase()).not.toContain("transfer-encoding");
  });
});

describe("what is no single JSON-RPC message never goes upstream", () => {
  const message = JSON.stringify(call("now"));
  test.each([
    ["R3: a batch", `[${message}]`, -32600],
    ["an empty batch", "[]", -32600],
    ["a text", '"x"', -32600],
    ["null", "null", -32600],
    ["nothing", "", -32700],
    ["broken JSON", "{", -32700],
    ["two messages", `${message}${message}`, -32700],
    ["a byte order mark", `\ufeff${message}`, -32700],
    ["no method", '{"jsonrpc":"2.0","id":1}', -32600],
    ["a method that is no text", '{"id":1,"method":["ping"]}', -32600],
    ["a method twice", '{"id":1,"method":"ping","method":"tools/call"}', -32600],
    ["a method twice, one escaped", '{"id":1,"method":"ping","m\\u0065thod":"tools/call"}', -32600],
    ["a method in other letters", '{"id":1,"method":"ping","Method":"tools/call"}', -32600],
    ["a response that Go would take for a call", '{"id":1,"result":{},"Method":"tools/call"}', -32600],
    ["params that Go would fold", '{"id":1,"method":"ping","params":{"name":"a"},"param\\u017f":{"name":"b"}}', -32600],
    ["a name twice", '{"id":1,"method":"tools/call","params":{"name":"now","name":"drop"}}', -32600],
    ["a byte order mark inside", '{"id":1,\ufeff"method":"ping"}', -32700],
    ["NaN", '{"id":NaN,"method":"ping"}', -32700],
    ["Infinity", '{"id":1,"method":"ping","params":{"n":-Infinity}}', -32700],
    ["a comment", '{"id":1,/*x*/"method":"ping"}', -32700],
    ["a trailing comma", '{"id":1,"method":"ping",}', -32700],
    ["single quotes", "{'id':1,'method':'ping'}", -32700],
    ["a zero byte behind it", `${message}\0`, -32700],
    ["a text that does not end", '{"id":1,"method":"ping', -32700],
    ["half a character as method", '{"id":1,"method":"pi\\ud800ng"}', -32600],
    ["half a character as name", '{"id":1,"method":"tools/call","params":{"name":"no\\udc00w"}}', -32600],
    ["a method in __proto__", '{"id":1,"__proto__":{"method":"ping"}}', -32600],
    ["a member of _meta twice", '{"id":1,"method":"ping","params":{"_meta":{"a":1,"b":{},"a":2}}}', -32600],
    ["_meta twice", '{"id":1,"method":"ping","params":{"_meta":{"a":1},"_meta":{"b":1}}}', -32600],
    ["params twice, one escaped", '{"id":1,"method":"ping","params":{},"p\\u0061rams":{"name":"x"}}', -32600],
    ["a name in other letters", '{"id":1,"method":"tools/call","params":{"name":"now","NAME":"drop"}}', -32600],
  ])("%s", async (_what, body, code) => {
    const gateway = await start();
    const answer = await gateway.send({ method: "POST", headers: json, body });
    expect([answer.status, errorOf(answer.body), gateway.reached()]).toEqual([400, code, 0]);
    expect(gateway.events.at(-1)).toMatchObject({ action: "request.refused", reason: "malformed_request" });
  });

  const nested = (levels: number, open = "[", close = "]"): string =>
    `{"id":1,"method":"ping","params":{"x":${open.repeat(levels - 2)}${close.repeat(levels - 2)}}}`;

  test("128 levels pass, one more is refused in plain words, and a million bring nothing down", async () => {
    const gateway = await start(4_194_304);
    const outcome = async (body: string) => {
      const answer = await gateway.send({ method: "POST", headers: json, body });
      return [answer.status, answer.status === 200 ? undefined : JSON.parse(answer.body).error.message];
    };
    expect(await outcome(nested(128))).toEqual([200, undefined]);
    const refused = [400, "The body is nested too deeply: 128 levels are the most."];
    expect(await outcome(nested(129))).toEqual(refused);
    expect(await outcome(nested(129, '{"a":', "}").replace('{"a":}', '{"a":1}'))).toEqual(refused);
    expect(await outcome(nested(1_000_000))).toEqual(refused);
    expect(await outcome("[".repeat(4_000_000))).toEqual(refused);
    expect(gateway.reached()).toBe(1);
  });

  test("brackets and quotes inside texts are no levels and no members", async () => {
    const gateway = await start(100_000);
    const tricky = { name: `${"[{".repeat(500)}"id":1,"id":2`, arguments: { "a\\": '\\"}', __proto__: 1 } };
    const answer = await gateway.post({ jsonrpc: "2.0", id: 1, method: "tools/call", params: tricky });
    expect(answer.status).toBe(200);
  });

  test("bytes that are no UTF-8", async () => {
    const gateway = await start();
    const body = Buffer.concat([
      Buffer.from('{"id":1,"method":"tools/call","params":{"name":"a'),
      Buffer.from([0xff, 0x22, 0x7d, 0x7d]),
    ]);
    const answer = await gateway.send({ method: "POST", headers: json, body });
    expect([answer.status, errorOf(answer.body), gateway.reached()]).toEqual([400, -32700, 0]);
  });

  test("a call without a name is refused, not passed on unjudged", async () => {
    const gateway = await start();
    for (const params of [{}, { Name: "drop" }, { name: ["now"] }]) {
      const answer = await gateway.post({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
      expect([answer.status, gateway.reached()]).toEqual([403, 0]);
    }
  });
});

describe("framing", () => {
  test.each([
    ["text/plain", {}],
    ["application/json-rpc", {}],
    ["application/json; charset=utf-16", {}],
    ["application/json, text/plain", {}],
    ["application/json", { "Content-Encoding": "gzip" }],
  ])("%s is 415", async (type, more) => {
    const gateway = await start();
    const answer = await gateway.post(call("now"), { "Content-Type": type, ...more });
    expect([answer.status, gateway.reached()]).toEqual([415, 0]);
  });

  test.each(["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])("%s passes", async (type) => {
    const gateway = await start();
    expect((await gateway.post(call("now"), { "Content-Type": type })).status).toBe(200);
  });

  test("at the limit it passes, a byte more is 413, with and without a length", async () => {
    const gateway = await start(100);
    const body = (length: number): string => '{"id":1,"method":"ping"}'.padEnd(length);
    const statusOf = async (length: number, more = {}): Promise<number> =>
      (await gateway.send({ method: "POST", headers: { ...json, ...more }, body: body(length) })).status;
    expect(await statusOf(100)).toBe(200);
    expect(await statusOf(101)).toBe(413);
    expect(await statusOf(101, { "Transfer-Encoding": "chunked" })).toBe(413);
    expect(gateway.reached()).toBe(1);
  });

  test.each(["GET", "DELETE"])("%s with a body that nobody judges is 400", async (method) => {
    const gateway = await start();
    expect((await gateway.send({ method, body: JSON.stringify(call("drop")) })).status).toBe(400);
    expect((await gateway.send({ method, headers: { "Transfer-Encoding": "chunked" }, body: "x" })).status).toBe(400);
    expect((await gateway.send({ method, headers: { "Content-Length": "0" } })).status).toBe(200);
    expect(gateway.reached()).toBe(1);
  });
});
