import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { manualClock } from "../../../../test/store/manual-clock.ts";
import { deriveRootKeys } from "../crypto/index.ts";
import { type LogFields, systemRandom } from "../runtime/index.ts";
import { type AuditEvent, type AuditTarget, batchedAudit, parseHead, verifyChains } from "./index.ts";

const keys = deriveRootKeys(["a root secret that only this test has"]);

const event = (n: number): AuditEvent => ({
  time: "2026-11-20T00:00:00.000Z",
  action: "token.issued",
  client: `c${n}`,
});

/** A sink over a disk in memory that takes at most `room` bytes, and nothing at all while it is `stuck`. */
function opened(options: { mostWaiting?: number; cut?: boolean; before?: string } = {}) {
  const { before = "", ...rest } = options;
  const clock = manualClock();
  const logs: { readonly message: string; readonly fields: LogFields | undefined }[] = [];
  const log = (message: string, fields?: LogFields) => void logs.push({ message, fields });
  const disk = { text: before, room: Number.POSITIVE_INFINITY, stuck: false, writes: 0, closed: false };
  const target: AuditTarget = {
    async append(bytes) {
      disk.writes += 1;
      await setImmediate();
      if (disk.stuck) return new Promise(() => {});
      const part = Buffer.from(bytes).subarray(0, disk.room);
      // Bytes, so that a letter of two can be cut in its middle.
      disk.text += part.toString("latin1");
      disk.room -= part.length;
      return part.length === bytes.length
        ? { taken: part.length }
        : { taken: part.length, failure: "the disk is full" };
    },
    async close() {
      disk.closed = true;
    },
  };
  const logger = { debug: log, info: log, warn: log, error: log };
  const sink = batchedAudit({
    target,
    key: keys.active,
    version: "1.2.3",
    clock,
    random: systemRandom,
    logger,
    ...rest,
  });
  /** Lets time pass, and what is under way end. */
  const pass = async (ms: number) => {
    await clock.advance(ms);
    for (let turn = 0; turn < 40; turn += 1) await setImmediate();
  };
  const lines = () => disk.text.split("\n").filter((line) => line !== "");
  const verify = () => {
    const verifier = verifyChains(keys);
    for (const line of disk.text.split("\n")) verifier.line(Buffer.from(line, "latin1"));
    return verifier.end();
  };
  return { sink, disk, logs, clock, pass, lines, verify };
}

const parsed = (lines: readonly string[]) => lines.map((line) => JSON.parse(line));

test("events become lines of one chain, in order, between its first line and its last", async () => {
  const { sink, disk, clock, lines, verify } = opened();
  for (let n = 0; n < 1000; n += 1) sink.write(event(n));
  expect(disk.writes).toBe(0);
  await sink.close();
  const [first, ...rest] = parsed(lines());
  const time = new Date(clock.now()).toISOString();
  expect(first).toMatchObject({
    time,
    action: "audit.opened",
    version: "1.2.3",
    kid: keys.active.kid,
    seq: 1,
    prev: "",
  });
  expect(Object.keys(first)).toEqual(["time", "action", "version", "kid", "chain", "seq", "prev", "hash"]);
  expect(rest.pop()).toMatchObject({ action: "audit.closed", seq: 1002 });
  expect(rest.map(({ client }) => client)).toEqual(Array.from({ length: 1000 }, (_, n) => `c${n}`));
  expect(verify()).toMatchObject({ whole: true, findings: [], chains: [{ seq: [1, 1002], closed: true }] });
  expect(sink.stats()).toEqual({ written: 1002, dropped: 0, waiting: 0, failing: false });
  expect(disk.closed).toBe(true);
});

test("few events wait for a moment, many do not; a burst is written in parts", async () => {
  const { sink, disk, pass } = opened();
  sink.write(event(1));
  await pass(99);
  expect(disk.writes).toBe(0);
  await pass(1);
  expect(disk.writes).toBe(1);
  for (let n = 0; n < 1000; n += 1) sink.write(event(n));
  await pass(0);
  expect(disk.writes).toBeGreaterThan(5);
  // What is too little for a batch waits again.
  expect(sink.stats().waiting).toBeLessThan(128);
  await pass(100);
  expect(sink.stats()).toMatchObject({ waiting: 0, written: 1002 });
});

test("a disk that is full: events are kept, then dropped and counted; the chain says how many", async () => {
  const { sink, disk, logs, pass, verify } = opened({ mostWaiting: 20_000 });
  disk.room = 0;
  let n = 0;
  while (sink.stats().dropped === 0 && n < 10_000) sink.write(event(n++));
  const kept = sink.stats().waiting;
  for (let more = 0; more < 99; more += 1) sink.write(event(n++));
  expect(sink.stats()).toMatchObject({ dropped: 100, waiting: kept });
  for (let second = 0; second < 59; second += 1) await pass(1000);
  expect(sink.stats()).toMatchObject({ dropped: 100, failing: true });
  expect(logs.map(({ message }) => message)).toEqual(["audit events cannot be written; requests go on"]);
  await pass(61_000);
  expect(logs).toHaveLength(2);
  expect(logs[1]?.fields).toMatchObject({ why: "the disk is full", dropped: 100 });

  disk.room = Number.POSITIVE_INFINITY;
  await pass(1000);
  expect(logs.at(-1)?.message).toBe("audit events are written again");
  sink.write(event(n));
  await sink.close();
  const { whole, findings, chains } = verify();
  expect({ whole, findings }).toEqual({ whole: true, findings: [] });
  expect(chains).toMatchObject([{ dropped: 100, closed: true }]);
  const actions = parsed(disk.text.trim().split("\n")).map(({ action, client }) => client ?? action);
  expect(actions.slice(-4)).toEqual([`c${n - 101}`, "audit.dropped", `c${n}`, "audit.closed"]);
});

test("a disk that takes a part of a line, wherever it stops: it comes again, whole, and nothing twice", async () => {
  const { disk: all, sink: one } = opened();
  for (let n = 0; n < 3; n += 1) one.write({ ...event(n), tool: "töol" });
  await one.close();
  for (let room = 1; room < all.text.length; room += 7) {
    const { sink, disk, pass, verify } = opened();
    disk.room = room;
    for (let n = 0; n < 3; n += 1) sink.write({ ...event(n), tool: "töol" });
    await pass(100);
    // Full again, a byte later.
    disk.room = 1;
    await pass(1000);
    disk.room = Number.POSITIVE_INFINITY;
    await pass(1000);
    await sink.close();
    const { whole, findings, chains } = verify();
    expect({ room, whole }).toEqual({ room, whole: true });
    expect(findings.every(({ kind }) => kind === "torn")).toBe(true);
    expect(chains).toMatchObject([{ seq: [1, 5], lines: 5, closed: true }]);
  }
});

test("any faults, in any order: the trail verifies and says exactly what is not in it", async () => {
  const step = fc.oneof(
    fc.record({ write: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ room: fc.oneof(fc.nat({ max: 3000 }), fc.constant(Number.POSITIVE_INFINITY)) }),
    fc.record({ pass: fc.constantFrom(10, 100, 1000) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const { sink, disk, pass, verify } = opened({ mostWaiting: 6000 });
      let n = 0;
      sink.write(event(n++));
      for (const one of steps) {
        if ("write" in one) for (let more = 0; more < one.write; more += 1) sink.write(event(n++));
        else if ("room" in one) disk.room = one.room;
        else await pass(one.pass);
      }
      disk.room = Number.POSITIVE_INFINITY;
      await pass(1000);
      await sink.close();
      const { whole, chains } = verify();
      expect(whole).toBe(true);
      const seen = [...disk.text.matchAll(/"action":"token\.issued","client":"c\d+".*"hash":"[\w-]{43}"\}$/gm)].length;
      expect(chains[0]?.closed).toBe(true);
      expect(seen + (chains[0]?.dropped ?? 0)).toBe(n);
      expect(sink.stats().dropped).toBe(chains[0]?.dropped);
    }),
    { numRuns: 60 },
  );
});

test("a line that another has begun is ended first", async () => {
  const { sink, disk, verify } = opened({ cut: true, before: '{"time":"2026-11-2' });
  sink.write(event(1));
  await sink.close();
  expect(disk.text.split("\n")[0]).toBe('{"time":"2026-11-2');
  expect(verify()).toMatchObject({ whole: true, findings: [{ kind: "torn" }] });
});

test("a target that takes nothing and answers nothing holds up nobody, and its end is told", async () => {
  const { sink, disk, logs, clock, pass } = opened({ mostWaiting: 20_000 });
  disk.stuck = true;
  for (let n = 0; n < 10_000; n += 1) sink.write(event(n));
  await pass(100);
  for (let n = 0; n < 10_000; n += 1) sink.write(event(n));
  const { waiting, dropped } = sink.stats();
  expect(waiting + dropped).toBe(20_001);
  expect(waiting).toBeLessThan(200);
  expect(logs[0]?.fields).toMatchObject({ why: "nothing was taken for too long" });
  const closing = sink.close();
  await clock.advance(1999);
  let over = false;
  void closing.then(() => {
    over = true;
  });
  await setImmediate();
  expect(over).toBe(false);
  await clock.advance(1);
  await closing;
  expect(logs.at(-1)?.message).toBe("audit events are lost");
});

test("the head of the chain is logged every five minutes in which something was written, and at the end", async () => {
  const { sink, logs, pass, disk, verify } = opened();
  const heads = () => logs.filter(({ message }) => message === "audit head").map(({ fields }) => String(fields?.head));
  await pass(400_000);
  expect(heads()).toEqual([]);
  sink.write(event(1));
  await pass(100);
  await pass(100_000);
  sink.write(event(2));
  await pass(100);
  expect(heads()).toHaveLength(1);
  await sink.close();
  expect(heads().at(-1)).toBe(verify().chains[0]?.head);
  const verifier = verifyChains(
    keys,
    heads().flatMap((head) => parseHead(head) ?? []),
  );
  for (const line of disk.text.split("\n")) verifier.line(Buffer.from(line));
  expect(verifier.end().findings).toEqual([]);
});

test("without an event nothing is written", async () => {
  const { sink, disk, logs, pass } = opened();
  await pass(1000);
  await sink.close();
  expect([disk.text, disk.writes, logs]).toEqual(["", 0, []]);
});

test("closed twice, and written to after that, without harm", async () => {
  const { sink, disk } = opened();
  sink.write(event(1));
  await sink.close();
  const { text } = disk;
  sink.write(event(1));
  await sink.close();
  expect(disk.text).toBe(text);
});
