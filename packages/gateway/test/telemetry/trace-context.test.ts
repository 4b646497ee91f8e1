import { describe, expect, test } from "vitest";
import { parseTraceContext } from "../../src/telemetry/trace-context.ts";
import { call, echo, startGateway, startUpstream } from "../support/gateway.ts";
import { startTelemetry } from "../support/telemetry.ts";

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const span = "00f067aa0ba902b7";
const parent = `00-${trace}-${span}-01`;
const other = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`;

test.each<[string, string, boolean]>([
  ["as it should be", parent, true],
  ["not sampled", `00-${trace}-${span}-00`, true],
  ["a later version", `cc-${trace}-${span}-01`, true],
  ["a later version with more behind", `cc-${trace}-${span}-01-what.comes`, true],
  ["more behind, in this version", `${parent}-more`, false],
  ["version ff", `ff-${trace}-${span}-01`, false],
  ["a trace id of zeros", `00-${"0".repeat(32)}-${span}-01`, false],
  ["a span id of zeros", `00-${trace}-${"0".repeat(16)}-01`, false],
  ["capital letters", parent.toUpperCase(), false],
  ["short", `00-${trace.slice(1)}-${span}-01`, false],
  ["with a line break", `${parent}\n`, false],
  ["two of them", `${parent},${parent}`, false],
  ["nothing", "", false],
])("traceparent: %s", (_, text, good) => {
  expect(parseTraceContext(text, undefined) !== undefined).toBe(good);
});

test.each<[string, string, boolean]>([
  ["as it should be", "vendor=a b,tenant@system=x", true],
  ["empty members", "a=1,,b=2", true],
  ["a key that comes twice", "a=1,a=2", false],
  ["no value", "a", false],
  ["capital letters in a key", "A=1", false],
  ["a control character", "a=\u0007", false],
  ["32 members", Array.from({ length: 32 }, (_, at) => `k${at}=v`).join(","), true],
  ["33 members", Array.from({ length: 33 }, (_, at) => `k${at}=v`).join(","), false],
  ["more than 512 characters", `a=${"x".repeat(250)},b=${"x".repeat(250)},c=${"x".repeat(20)}`, false],
])("tracestate: %s", (_, text, good) => {
  expect(parseTraceContext(parent, text)?.traceState).toBe(good ? text : "");
});

/** What reached the server behind the gateway. */
async function forwarded(
  headers: Readonly<Record<string, string>> | readonly string[],
  meta?: object,
  settings?: object,
) {
  const upstream = await startUpstream(echo);
  const { telemetry } = await startTelemetry({ ...settings });
  const gateway = await startGateway({ clock: upstream.url }, { telemetry });
  const body = JSON.stringify(call("now", meta === undefined ? {} : { _meta: meta }));
  const fixed = ["Authorization", "Bearer alice", "Content-Type", "application/json"];
  const flat = Array.isArray(headers) ? headers : Object.entries(headers).flat();
  const answer = await gateway.send({ method: "POST", headers: [...fixed, ...flat], body });
  expect(answer.status).toBe(200);
  const seen: { rawHeaders: string[]; body: string } = JSON.parse(answer.body);
  expect(seen.body).toBe(body);
  const all = (name: string) =>
    seen.rawHeaders.filter((_, at, raw) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === name);
  return { traceparent: all("traceparent"), tracestate: all("tracestate"), baggage: all("baggage") };
}

describe("to the server goes, where no collector is configured,", () => {
  test("what is well formed, as it came; the body is the same in any case", async () => {
    expect(await forwarded({ traceparent: parent, tracestate: "a=1" })).toEqual({
      traceparent: [parent],
      tracestate: ["a=1"],
      baggage: [],
    });
  });

  test("nothing that is not well formed, nor comes twice", async () => {
    const nothing = { traceparent: [], tracestate: [], baggage: [] };
    expect(await forwarded({ traceparent: "00-x", tracestate: "a=1" })).toEqual(nothing);
    expect(await forwarded(["traceparent", parent, "traceparent", other])).toEqual(nothing);
    expect(await forwarded({ tracestate: "a=1" }, { traceparent: 7 })).toEqual(nothing);
  });

  test("several tracestate lines as one", async () => {
    const sent = ["traceparent", parent, "tracestate", "a=1", "tracestate", "b=2"];
    expect((await forwarded(sent)).tracestate).toEqual(["a=1,b=2"]);
  });

  test("what _meta says, where no header says anything", async () => {
    const meta = { traceparent: parent, tracestate: "m=1" };
    expect(await forwarded({}, meta)).toMatchObject({ traceparent: [parent], tracestate: ["m=1"] });
  });

  test("of both the header's span in the same trace, and _meta's trace where they differ", async () => {
    const nearer = `00-${trace}-${"3".repeat(16)}-01`;
    expect((await forwarded({ traceparent: nearer }, { traceparent: parent })).traceparent).toEqual([nearer]);
    expect((await forwarded({ traceparent: other }, { traceparent: parent })).traceparent).toEqual([parent]);
    expect((await forwarded({ traceparent: other }, { traceparent: "nonsense" })).traceparent).toEqual([other]);
  });

  test("no baggage, unless the operator wants it, and then only where it is well formed", async () => {
    const baggage = "user=alice;p=1, tier=gold";
    expect((await forwarded({ baggage })).baggage).toEqual([]);
    expect((await forwarded({ baggage }, {}, { baggage: true })).baggage).toEqual([baggage]);
    expect((await forwarded({}, { baggage: "a=1" }, { baggage: true })).baggage).toEqual(["a=1"]);
    expect((await forwarded({ baggage: 'a="1"' }, {}, { baggage: true })).baggage).toEqual([]);
    expect((await forwarded({ baggage: `a=${"x".repeat(8191)}` }, {}, { baggage: true })).baggage).toEqual([]);
  });
});
