import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rawTalk } from "../../../../test/support/raw-socket.ts";
import { startListener, type TestListener } from "./test-listener.ts";

let listener: TestListener;
beforeAll(async () => {
  listener = await startListener();
});
afterAll(() => listener.close());

/** A request that must never be found inside another one. */
const hidden = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
const post = (headers: readonly string[], body = ""): string =>
  `${["POST /clock/mcp HTTP/1.1", "Host: localhost", "Content-Type: application/json", ...headers].join("\r\n")}\r\n\r\n${body}`;

const cases: readonly (readonly [what: string, request: () => string])[] = [
  [
    "a length and a transfer coding",
    () => post(["Content-Length: 4", "Transfer-Encoding: chunked"], `0\r\n\r\n${hidden}`),
  ],
  [
    "a transfer coding and a length",
    () => post(["Transfer-Encoding: chunked", "Content-Length: 60"], `0\r\n\r\n${hidden}`),
  ],
  ["two lengths", () => post(["Content-Length: 0", `Content-Length: ${hidden.length}`], hidden)],
  ["the same length twice", () => post(["Content-Length: 2", "Content-Length: 2"], `{}${hidden}`)],
  ["two lengths in one line", () => post([`Content-Length: 0, ${hidden.length}`], hidden)],
  ["a length with a sign", () => post(["Content-Length: +0"], hidden)],
  ["a negative length", () => post(["Content-Length: -1"], hidden)],
  ["a length in hexadecimal", () => post(["Content-Length: 0x0"], hidden)],
  ["a length with a space within", () => post(["Content-Length: 0 0"], hidden)],
  ["an empty length", () => post(["Content-Length:"], hidden)],
  ["a length beyond all numbers", () => post(["Content-Length: 99999999999999999999"], hidden)],
  ["a space before the colon", () => post(["Content-Length : 0"], hidden)],
  ["a tab before the colon", () => post(["Transfer-Encoding\t: chunked"], `0\r\n\r\n${hidden}`)],
  ["a folded header", () => post(["Transfer-Encoding:", " chunked"], `0\r\n\r\n${hidden}`)],
  ["a header that begins with a space", () => post([" Transfer-Encoding: chunked"], `0\r\n\r\n${hidden}`)],
  ["a coding that is nearly chunked", () => post(["Transfer-Encoding: xchunked"], `0\r\n\r\n${hidden}`)],
  ["chunked, and something after it", () => post(["Transfer-Encoding: chunked, identity"], `0\r\n\r\n${hidden}`)],
  ["chunked twice", () => post(["Transfer-Encoding: chunked, chunked"], `0\r\n\r\n${hidden}`)],
  ["chunked in quotes", () => post(['Transfer-Encoding: "chunked"'], `0\r\n\r\n${hidden}`)],
  ["a vertical tab before chunked", () => post(["Transfer-Encoding: \x0bchunked"], `0\r\n\r\n${hidden}`)],
  ["identity alone", () => post(["Transfer-Encoding: identity"], hidden)],
  ["lines without a carriage return", () => post(["Content-Length: 0"], "").replaceAll("\r\n", "\n") + hidden],
  ["a bare carriage return in a header", () => post(["X: a\rContent-Length: 0"], hidden)],
  ["a zero byte in a header", () => post(["X: a\0b", "Content-Length: 0"], hidden)],
  ["a chunk size with a sign", () => post(["Transfer-Encoding: chunked"], `+0\r\n\r\n${hidden}`)],
  ["a chunk size as 0x", () => post(["Transfer-Encoding: chunked"], `0x0\r\n\r\n${hidden}`)],
  ["a chunk size beyond all numbers", () => post(["Transfer-Encoding: chunked"], `fffffffffffffffff\r\n\r\n${hidden}`)],
  ["a chunk longer than its size", () => post(["Transfer-Encoding: chunked"], `2\r\n{}}\r\n0\r\n\r\n${hidden}`)],
  ["a chunk line without a carriage return", () => post(["Transfer-Encoding: chunked"], `2\n{}\r\n0\r\n\r\n${hidden}`)],
  ["a line feed in a chunk extension", () => post(["Transfer-Encoding: chunked"], `2;x\n{}\r\n0\r\n\r\n${hidden}`)],
  ["no host", () => "POST /clock/mcp HTTP/1.1\r\nContent-Length: 0\r\n\r\n"],
  ["another protocol", () => `POST /clock/mcp HTTP/9.9\r\nHost: localhost\r\n\r\n${hidden}`],
  ["a target with a space", () => `GET /clock /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n${hidden}`],
  ["the preface of HTTP/2", () => `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`],
  ["what is no HTTP", () => `\x16\x03\x01\x02\x00\x01\x00${hidden}`],
];

describe("requests whose end two parsers could see in different places", () => {
  test.each(cases)("%s: 400, and the connection is closed", async (_, request) => {
    const seen = listener.answered.length;
    const { statuses, closed } = await rawTalk(listener.port, [request()], { enough: (text) => text.includes("ok\n") });
    expect({ statuses, closed }).toEqual({ statuses: [400], closed: true });
    expect(listener.answered.slice(seen)).toEqual([]);
  });

  test("what is in order is answered, the second request on the connection too", async () => {
    const both = `${post(["Transfer-Encoding: chunked"], "2\r\n{}\r\n0\r\n\r\n")}${hidden}`;
    const enough = (text: string): boolean => text.split("ok\n").length === 3;
    const { statuses } = await rawTalk(listener.port, [both], { enough });
    expect(statuses).toEqual([200, 200]);
    expect(listener.answered.slice(-2)).toEqual(["POST /clock/mcp", "GET /healthz"]);
  });
});
