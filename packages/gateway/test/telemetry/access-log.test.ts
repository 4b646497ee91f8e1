import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { shownPath } from "../../src/telemetry/access-log.ts";
import { lineSink } from "../../src/telemetry/line-file.ts";
import { call, echo, startGateway, startUpstream } from "../support/gateway.ts";
import { send, until } from "../support/http.ts";
import { startTelemetry } from "../support/telemetry.ts";

const line = z.strictObject({
  time: z.iso.datetime(),
  id: z.string().regex(/^[A-Za-z0-9_-]{8}-[0-9a-z]+$/),
  method: z.string(),
  path: z.string(),
  status: z.int(),
  ms: z.number().min(0),
  bytes: z.int(),
  address: z.string(),
  server: z.string().optional(),
  user: z.string().optional(),
  reason: z.string().optional(),
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "access-log-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("the access log", () => {
  test("has a line for each request: who, what, from where, how it ended; no query and no secret", async () => {
    const path = join(folder, "access.jsonl");
    const upstream = await startUpstream(echo);
    const settings = { metrics: "off", accessLog: path };
    const { telemetry, clock } = await startTelemetry(settings, { trustedProxies: ["127.0.0.1"] });
    const gateway = await startGateway({ clock: upstream.url }, { telemetry, clock });
    await gateway.post(call("now"), { "X-Forwarded-For": "203.0.113.9, 198.51.100.7" });
    const secret = "ssssssssssecret-0123456789-abcdefghijk-LMN";
    await gateway.send({ path: `/clock/mcp?access_token=${secret}`, headers: { Authorization: `Bearer ${secret}` } });
    await send(gateway.port, { path: `/callback/${secret}?code=${secret}` });
    await send(gateway.port, { path: "/authorize?state=abc" });
    await telemetry.close();
    const text = await readFile(path, "utf8");
    expect(text).not.toContain(secret);
    expect(text).not.toContain("abc");
    const lines = text
      .trimEnd()
      .split("\n")
      .map((one) => line.parse(JSON.parse(one)));
    expect(lines).toEqual([
      expect.objectContaining({ method: "POST", path: "/clock/mcp", status: 200, server: "clock", user: "sub-alice" }),
      expect.objectContaining({ method: "GET", status: 401, server: "clock", reason: "token_malformed" }),
      expect.objectContaining({ path: "/callback/***", status: 404, address: "127.0.0.1" }),
      expect.objectContaining({ path: "/authorize" }),
    ]);
    expect(lines[0]?.address).toBe("198.51.100.7");
    expect(lines[0]?.bytes).toBeGreaterThan(100);
    expect(new Set(lines.map(({ id }) => id)).size).toBe(4);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("a file that cannot be opened keeps the gateway from starting, and is named", async () => {
    await expect(startTelemetry({ accessLog: join(folder, "none", "access") })).rejects.toThrow(
      /telemetry\.access_log.*ENOENT/s,
    );
  });

  test("off: nothing is followed", async () => {
    const { telemetry } = await startTelemetry({ metrics: "off" });
    expect(telemetry.observer).toBeUndefined();
  });
});

test.each([
  ["/token?code=1", "/token"],
  ["/a#b", "/a"],
  [`/x/${"k".repeat(32)}`, "/x/***"],
  [`/x/${"k".repeat(31)}`, `/x/${"k".repeat(31)}`],
  ["http://user:secret@host/path", "***"],
  [`/${"ab/".repeat(200)}`, `${`/${"ab/".repeat(200)}`.slice(0, 256)}…`],
])("of %s it shows %s", (target, shown) => {
  expect(shownPath(target)).toBe(shown);
});

test("lines that a full disk or a slow reader does not take are dropped and counted, and said once", async () => {
  const losses: string[] = [];
  let taken = 0;
  const slow = new Writable({ highWaterMark: 1, write: () => void taken++ });
  const sink = lineSink(slow, (why) => losses.push(why), false);
  for (let at = 0; at < 3000; at++) sink.write("x".repeat(2000));
  expect(sink.dropped).toBeGreaterThan(500);
  expect(losses).toEqual(["it is too slow"]);

  const full = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error(), { code: "ENOSPC" })),
  });
  const broken = lineSink(full, (why) => losses.push(why), true);
  broken.write("a");
  await broken.close();
  await until(() => broken.dropped > 0);
  broken.write("b");
  expect(broken.dropped).toBe(2);
  expect(losses).toEqual(["it is too slow", "ENOSPC"]);
});
