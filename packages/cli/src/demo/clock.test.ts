import { describe, expect, it } from "vitest";
import { connect, eras, startDemo } from "../../test/demo-client.ts";

const MOMENT = Date.UTC(2026, 0, 2, 3, 4, 5);

/** Time that stands still, and sleeps that are over at once. */
const stillClock = { now: () => MOMENT, sleep: () => Promise.resolve() };

describe.each(eras)("clock over %s", (era) => {
  it("tells the time in UTC", async () => {
    const client = await connect((await startDemo(stillClock)).url("clock"), era);
    expect(client.getNegotiatedProtocolVersion()).toBe(era);
    const result = await client.callTool({ name: "now", arguments: {} });
    expect(result.isError).toBeFalsy();
    expect(result.structuredContent).toEqual({ timezone: "UTC", local: "2026-01-02T03:04:05+00:00", epoch_ms: MOMENT });
  });

  it("tells the time in a time zone, with its offset", async () => {
    const client = await connect((await startDemo(stillClock)).url("clock"), era);
    const result = await client.callTool({ name: "now", arguments: { timezone: "Asia/Kolkata" } });
    expect(result.structuredContent).toMatchObject({ local: "2026-01-02T08:34:05+05:30" });
    expect(result.content).toEqual([{ type: "text", text: "2026-01-02T08:34:05+05:30 (Asia/Kolkata)" }]);
  });

  it("says what is wrong with an unknown time zone and how to mend it", async () => {
    const client = await connect((await startDemo(stillClock)).url("clock"), era);
    const result = await client.callTool({ name: "now", arguments: { timezone: "Mars/Olympus" } });
    expect(result.isError).toBe(true);
    const said = expect.stringMatching(/timezone: "Mars\/Olympus" is not a known IANA time zone.*"Europe\/Berlin"/);
    expect(result.content).toEqual([{ type: "text", text: said }]);
  });

  it("sleeps as long as asked and tells its progress up to the end", async () => {
    const slept: number[] = [];
    const clock = { now: () => MOMENT, sleep: async (ms: number) => void slept.push(ms) };
    const client = await connect((await startDemo(clock)).url("clock"), era);
    const progress: [number, number | undefined][] = [];
    const result = await client.callTool(
      { name: "sleep", arguments: { ms: 120 } },
      { onprogress: (step) => void progress.push([step.progress, step.total]) },
    );
    expect(result.content).toEqual([{ type: "text", text: "Slept 120 ms" }]);
    expect(slept).toEqual([50, 50, 20]);
    expect(progress).toEqual([
      [0, 120],
      [50, 120],
      [100, 120],
      [120, 120],
    ]);
  });

  it.each([-1, 1.5, 60_001, "100"])("refuses to sleep for %s ms", async (ms) => {
    const client = await connect((await startDemo(stillClock)).url("clock"), era);
    const result = await client.callTool({ name: "sleep", arguments: { ms } });
    expect(result.isError).toBe(true);
    expect(JSON.stringify(result.content)).toContain("ms");
  });

  it("stops sleeping when the call is cancelled", async () => {
    const begun = Promise.withResolvers<void>();
    const woken = Promise.withResolvers<void>();
    const sleep = async (_ms: number, signal?: AbortSignal): Promise<void> => {
      begun.resolve();
      await new Promise((resolve) => signal?.addEventListener("abort", resolve));
      woken.resolve();
    };
    const client = await connect((await startDemo({ now: () => MOMENT, sleep })).url("clock"), era);
    const cancel = new AbortController();
    const call = client.callTool({ name: "sleep", arguments: { ms: 60_000 } }, { signal: cancel.signal });
    const outcome = expect(call).rejects.toThrow();
    await begun.promise;
    cancel.abort();
    await outcome;
    await woken.promise;
  });
});
