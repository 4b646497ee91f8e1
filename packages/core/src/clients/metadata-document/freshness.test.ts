import { describe, expect, test } from "vitest";
import { freshnessOf, revalidation } from "./freshness.ts";

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const date = "Thu, 01 Jan 2026 00:00:00 GMT";

describe("how long an answer may be used (RFC 9111 §4.2)", () => {
  test.each<[string, Record<string, string>, number]>([
    ["max-age", { "cache-control": "max-age=7200" }, 2 * hour],
    ["max-age among others, in capitals", { "cache-control": "public, Max-Age=7200, immutable" }, 2 * hour],
    ["max-age in quotes", { "cache-control": 'max-age="7200"' }, 2 * hour],
    ["less what its age is", { "cache-control": "max-age=7200", age: "3600" }, hour],
    ["older than allowed", { "cache-control": "max-age=7200", age: "9000" }, minute],
    ["not below a minute", { "cache-control": "max-age=5" }, minute],
    ["not above a day", { "cache-control": "max-age=31536000" }, day],
    ["no-store", { "cache-control": "no-store, max-age=7200" }, minute],
    ["no-cache", { "cache-control": "max-age=7200, no-cache" }, minute],
    ["no-cache for a field", { "cache-control": 'no-cache="set-cookie", max-age=7200' }, minute],
    ["s-maxage is for shared caches", { "cache-control": "s-maxage=7200" }, hour],
    ["s-maxage beside max-age", { "cache-control": "s-maxage=60, max-age=7200" }, 2 * hour],
    ["of two that differ the shorter", { "cache-control": "max-age=7200, max-age=3600" }, hour],
    ["malformed", { "cache-control": "max-age=soon" }, minute],
    ["negative", { "cache-control": "max-age=-1" }, minute],
    ["Expires and Date", { expires: "Thu, 01 Jan 2026 02:00:00 GMT", date }, 2 * hour],
    ["Expires in the past", { expires: "Wed, 31 Dec 2025 00:00:00 GMT", date }, minute],
    ["Expires: 0", { expires: "0", date }, minute],
    ["Expires without Date", { expires: "Thu, 01 Jan 2026 02:00:00 GMT" }, minute],
    ["max-age goes before Expires", { "cache-control": "max-age=7200", expires: "0", date }, 2 * hour],
    ["nothing said", {}, hour],
    ["something else said", { "cache-control": "public" }, hour],
  ])("%s", (_what, headers, lifetime) => {
    expect(freshnessOf(new Headers(headers)).lifetime).toBe(lifetime);
  });
});

describe("asking whether it still stands (RFC 9110 §13.1)", () => {
  test.each<[string, Record<string, string>, Record<string, string>]>([
    ["ETag", { etag: '"a1"' }, { "If-None-Match": '"a1"' }],
    ["weak ETag", { etag: 'W/"a1"' }, { "If-None-Match": 'W/"a1"' }],
    ["Last-Modified", { "last-modified": date }, { "If-Modified-Since": date }],
    ["both", { etag: '"a"', "last-modified": date }, { "If-None-Match": '"a"', "If-Modified-Since": date }],
    ["neither", {}, {}],
    ["an ETag that is none", { etag: "a1" }, {}],
    ["an ETag without end", { etag: `"${"a".repeat(300)}"` }, {}],
    ["a date that is none", { "last-modified": "yesterday\u00e9" }, {}],
  ])("%s", (_what, headers, asked) => {
    expect(revalidation(freshnessOf(new Headers(headers)))).toEqual(asked);
  });
});

test("304: what it leaves out stands, what it says anew counts (RFC 9111 §4.3.4)", () => {
  const before = freshnessOf(new Headers({ "cache-control": "max-age=7200", etag: '"1"', "last-modified": date }));
  expect(freshnessOf(new Headers(), before)).toEqual(before);
  const renewed = freshnessOf(new Headers({ "cache-control": "max-age=3600", etag: '"2"' }), before);
  expect(renewed).toEqual({ lifetime: hour, etag: '"2"', lastModified: date });
});
