import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { describe, expect, test } from "vitest";
import { takesCoding } from "../src/proxy/content-coding.ts";
import { call, startGateway, startUpstream } from "./support/gateway.ts";
import { nextChunk, open, until } from "./support/http.ts";

/** A gateway before an upstream that compresses though it was asked not to. */
async function startCoded(coding: string, body: Buffer, more: Readonly<Record<string, string>> = {}) {
  const asked: (string | undefined)[] = [];
  const upstream = await startUpstream((req, res) => {
    asked.push(req.headers["accept-encoding"]);
    req.resume();
    const length = String(body.length);
    res.writeHead(200, { "Content-Type": "text/plain", "Content-Encoding": coding, "Content-Length": length, ...more });
    res.end(body);
  });
  return { gateway: await startGateway({ clock: upstream.url }), asked };
}

const plain = "x".repeat(100_000);
const codings: [string, Buffer][] = [
  ["gzip", gzipSync(plain)],
  ["x-gzip", gzipSync(plain)],
  ["deflate", deflateSync(plain)],
  ["br", brotliCompressSync(plain)],
  ["zstd", zstdCompressSync(plain)],
];

describe("an upstream that compresses all the same", () => {
  test.each(codings)("%s: undone for a client that did not ask for it", async (coding, body) => {
    const { gateway, asked } = await startCoded(coding, body, { ETag: '"1"' });
    for (const headers of [{}, { "Accept-Encoding": `${coding};q=0, other` }]) {
      const answer = await gateway.post(call("now"), headers);
      expect(answer.body).toBe(plain);
      expect([answer.headers["content-encoding"], answer.headers["content-length"], answer.headers.etag]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    }
    expect(asked).toEqual(["identity", "identity"]);
  });

  test.each(codings)("%s: passed on as it came to a client that takes it", async (coding, body) => {
    const { gateway } = await startCoded(coding, body, { ETag: '"1"' });
    const response = await open(gateway.port, {
      path: "/clock/mcp",
      headers: { Authorization: "Bearer alice", "Accept-Encoding": `identity, ${coding}` },
    });
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(body)).toBe(true);
    expect(response.headers).toMatchObject({ "content-encoding": coding, etag: '"1"' });
  });

  test("a coding that nobody here knows is passed on: it may be understood", async () => {
    const { gateway } = await startCoded("aws-chunked", Buffer.from("whatever"));
    const answer = await gateway.post(call("now"));
    expect([answer.body, answer.headers["content-encoding"]]).toEqual(["whatever", "aws-chunked"]);
  });

  test("what is not what it says is broken off, and an empty answer is empty", async () => {
    const { gateway } = await startCoded("gzip", Buffer.from("no gzip"));
    await expect(gateway.post(call("now"))).rejects.toThrow(/aborted|hang up/);
    expect(gateway.events.at(-1)).toMatchObject({ action: "stream.closed", reason: "upstream_server_unreachable" });
    const empty = await startCoded("gzip", Buffer.alloc(0));
    expect(await empty.gateway.post(call("now"))).toMatchObject({ status: 200, body: "" });
  });

  test.each(codings)(
    "%s that is cut off: the client's answer is broken off, and nothing else breaks",
    async (coding, body) => {
      const { gateway } = await startCoded(coding, body.subarray(0, -3), { "Content-Length": String(body.length - 3) });
      await expect(gateway.post(call("now"))).rejects.toThrow(/aborted|hang up/);
      expect(gateway.events.at(-1)).toMatchObject({ action: "stream.closed", reason: "upstream_server_unreachable" });
    },
  );

  test("zstd with a window larger than HTTP allows is not undone", async () => {
    const large = zstdCompressSync(randomBytes(9 * 1024 * 1024), {
      params: { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 },
    });
    const { gateway } = await startCoded("zstd", large);
    await expect(gateway.post(call("now"))).rejects.toThrow(/aborted|hang up/);
  });

  test.each([
    ["gzip", () => createGzip({ flush: constants.Z_SYNC_FLUSH })],
    ["br", () => createBrotliCompress({ flush: constants.BROTLI_OPERATION_FLUSH })],
    ["zstd", () => createZstdCompress({ flush: constants.ZSTD_e_flush })],
  ])("events in %s arrive as they are sent, none waits for the next", async (coding, encoder) => {
    let end: ServerResponse | undefined;
    const stream = encoder();
    const upstream = await startUpstream((req, res) => {
      req.resume();
      res.writeHead(200, { "Content-Type": "text/event-stream", "Content-Encoding": coding });
      res.flushHeaders();
      stream.pipe(res);
      end = res;
    });
    const gateway = await startGateway({ clock: upstream.url });
    const response = await open(gateway.port, { path: "/clock/mcp", headers: { Authorization: "Bearer alice" } });
    await until(() => end !== undefined);
    for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
      stream.write(event);
      expect(await nextChunk(response)).toBe(event);
    }
    stream.end();
    expect(await nextChunk(response)).toBeUndefined();
  });
});

test.each([
  [undefined, "gzip", false],
  ["", "gzip", false],
  ["gzip", "gzip", true],
  ["GZIP;q=0.5, br", "Gzip", true],
  ["gzip;q=0", "gzip", false],
  ["gzip;q=0.000, *", "gzip", false],
  ["*", "br", true],
  ["*;q=0", "br", false],
  ["gzip", "gzip, br", false],
  ["gzip, br", "gzip, br", true],
  ["br", "identity", true],
])("Accept-Encoding %j takes %j: %s", (accepted, coding, expected) => {
  expect(takesCoding(accepted, coding)).toBe(expected);
});
