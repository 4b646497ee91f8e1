import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { testClock } from "../../../../test/support/test-clock.ts";
import { gatherMetrics } from "../../src/serve/gather-metrics.ts";
import { passLines } from "../../src/serve/pass-lines.ts";
import { shareOf, workerCount } from "../../src/serve/run-workers.ts";

test("lines of several streams never stand within each other, and characters stay whole", async () => {
  const to = new PassThrough();
  const written: Buffer[] = [];
  to.on("data", (chunk: Buffer) => written.push(chunk));
  const [one, two] = [new PassThrough(), new PassThrough()];
  const done = [passLines(one, to), passLines(two, to)];
  const euro = Buffer.from("€");
  one.write("a beg");
  two.write("b whole\nb beg");
  one.write(euro.subarray(0, 1));
  one.write(Buffer.concat([euro.subarray(1), Buffer.from("inning\na next")]));
  two.end("inning\n");
  one.end();
  await Promise.all(done);
  expect(Buffer.concat(written).toString()).toBe("b whole\na beg€inning\nb beginning\na next\n");
});

test("a slow reader slows the stream down; one that has gone holds up nothing", async () => {
  const to = new PassThrough({ highWaterMark: 8 });
  const from = new PassThrough();
  const done = passLines(from, to);
  from.write("a long line\n");
  from.write("another\n");
  await expect.poll(() => from.isPaused(), { interval: 1 }).toBe(true);
  expect(to.read()?.toString()).toBe("a long line\n");
  await expect.poll(() => to.read()?.toString(), { interval: 1 }).toBe("another\n");
  from.write("a third one\n");
  await expect.poll(() => from.isPaused(), { interval: 1 }).toBe(true);
  to.destroy();
  from.end("nobody reads this\n");
  await done;
});

test("metrics: one gathering for all who ask; a worker that is missing or silent is left out", async () => {
  const clock = testClock();
  const sent: [who: string, message: unknown][] = [];
  const member = (who: string) => ({
    isConnected: () => true,
    send: (message: unknown) => {
      sent.push([who, message]);
      return true;
    },
  });
  const [answers, silent] = [member("answers"), member("silent")];
  const gatherer = gatherMetrics(() => [silent, undefined, answers], clock);
  gatherer.take(answers, { sallyport: "metrics.wanted", id: 7 });
  gatherer.take(silent, { sallyport: "metrics.wanted", id: 9 });
  const read = { sallyport: "metrics.read", id: 1 };
  expect(sent).toEqual([
    ["silent", read],
    ["answers", read],
  ]);
  const text = "# HELP a_total A.\n# TYPE a_total counter\na_total 3\n";
  gatherer.take(answers, { sallyport: "metrics.own", id: 0, text: "of another time" });
  gatherer.take(answers, { sallyport: "metrics.own", id: 1, text });
  clock.advance(1000);
  await expect.poll(() => sent.length, { interval: 1 }).toBe(4);
  const all = '# HELP a_total A.\n# TYPE a_total counter\na_total{worker="2"} 3\n';
  expect(sent.slice(2)).toEqual([
    ["answers", { sallyport: "metrics.all", id: 7, text: all }],
    ["silent", { sallyport: "metrics.all", id: 9, text: all }],
  ]);
  expect(gatherer.take(answers, { sallyport: "ready" })).toBe(false);
});

test("what all workers may have is divided among them; auto is at least one", () => {
  const whole = {
    max: 100,
    maxPerAddress: 10,
    headerSize: 1,
    headerTimeout: 2,
    requestTimeout: 3,
    writeTimeout: 4,
    keepAlive: 5,
  };
  expect(shareOf(whole, 3)).toEqual({ ...whole, max: 34, maxPerAddress: 4 });
  expect(shareOf(whole, 1)).toEqual(whole);
  expect(workerCount(3)).toBe(3);
  expect(workerCount("auto")).toBeGreaterThanOrEqual(1);
});
