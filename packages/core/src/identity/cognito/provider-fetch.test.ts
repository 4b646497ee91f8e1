import { expect, test } from "vitest";
import type { Fetch } from "../../runtime/index.ts";
import { providerFetch } from "./provider-fetch.ts";

const url = new URL("https://auth.example.com/oauth2/token");
const date = "Thu, 01 Jan 2026 12:00:00 GMT";

/** What was seen of Cognito's clock in one answer. */
async function seenIn(headers: Record<string, string>, init: RequestInit): Promise<readonly (readonly number[])[]> {
  const seen: number[][] = [];
  let monotonic = 100;
  const fetch: Fetch = async () => {
    monotonic += 50;
    return new Response("{}", { headers });
  };
  const clock = { monotonic: () => monotonic };
  const ask = providerFetch({ fetch, timeoutMs: 1_000, clock, sawTime: (...args) => void seen.push(args) });
  await ask(url, init);
  return seen;
}

test("the time of an answer to a POST is told, as the middle of its second, with when it was asked for", async () => {
  expect(await seenIn({ date }, { method: "POST" })).toEqual([[Date.UTC(2026, 0, 1, 12, 0, 0, 500), 100]]);
});

test.each<[string, Record<string, string>, RequestInit]>([
  ["an answer to a GET, which a cache may have kept", { date }, {}],
  ["an answer that names its age", { date, age: "300" }, { method: "POST" }],
  ["no Date", {}, { method: "POST" }],
  ["a Date that is none", { date: "yesterday" }, { method: "POST" }],
])("nothing is told by %s", async (_, headers, init) => {
  expect(await seenIn(headers, init)).toEqual([]);
});
