import { afterAll, beforeAll, expect, test } from "vitest";
import { newSession, type Session } from "../outages/outage.ts";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { postToken, refresh } from "../support/oauth-client.ts";
import { parsePrometheus, total } from "../support/prometheus.ts";

let env: TestEnvironment;
let session: Session;
beforeAll(async () => {
  env = await startEnvironment();
  session = await newSession(env);
});
afterAll(() => env.close());

const scrape = async () => parsePrometheus(await (await fetch(`${env.url}/metrics`)).text());

const callTool = async (name: string): Promise<number> => {
  const response = await fetch(
    statelessRequest(`${env.url}/clock/mcp`, session.accessToken, "tools/call", { name, arguments: {} }),
  );
  await response.text();
  return response.status;
};

test("after a sign-in and some calls everything that happened can be scraped", async () => {
  await callTool("now");
  await callTool("now");
  await fetch(`${env.url}/clock/mcp`, { method: "POST", body: "{}" });
  await refresh(env.url, session.client, session.refreshToken);
  await refresh(env.url, session.client, `${session.refreshToken.slice(0, -4)}abcd`);
  await postToken(env.url, { grant_type: "password" });
  const families = await scrape();
  const of = (name: string, labels: Readonly<Record<string, string>> = {}) => total(families, name, labels);
  const requests = "sallyport_requests_total";
  expect(of(requests, { server: "clock", method: "tools/call", tool: "now", decision: "allowed", status: "2xx" })).toBe(
    2,
  );
  expect(of(requests, { server: "clock", decision: "refused", reason: "token_missing", status: "4xx" })).toBe(1);
  expect(of("sallyport_gateway_duration_seconds", { server: "clock" })).toBe(2);
  expect(of("sallyport_http_requests_total", { endpoint: "/token", method: "POST", status: "2xx" })).toBe(2);
  expect(of("sallyport_http_requests_total", { endpoint: "/token", status: "4xx" })).toBe(2);
  expect(of("sallyport_http_requests_total", { endpoint: "/auth", method: "GET", status: "3xx" })).toBe(1);
  expect(of("sallyport_events_total", { action: "signin.completed" })).toBe(1);
  expect(of("sallyport_events_total", { action: "token.refreshed" })).toBe(1);
  expect(of("sallyport_events_total", { action: "token.refused", reason: "refresh_malformed" })).toBe(1);
  expect(of("sallyport_store_calls_total", { operation: "swap", outcome: "ok" })).toBeGreaterThan(0);
  expect(of("sallyport_store_calls_total", { outcome: "error" })).toBe(0);
  expect(of("sallyport_remote_calls_total", { endpoint: "cognito_token", outcome: "ok" })).toBe(1);
  expect(of("sallyport_remote_calls_total", { endpoint: "cognito_keys", outcome: "ok" })).toBe(1);
  expect(of("sallyport_remote_call_duration_seconds", { endpoint: "cognito_token" })).toBe(1);
  expect(of("sallyport_ready")).toBe(1);
  expect(of("sallyport_open_requests")).toBe(0);
  expect(of("process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
});

test("Cognito and what it does: throttled, out of reach", async () => {
  env.cognito.faults.set({ path: "/oauth2/token", status: 429 });
  const { clientId: client_id, clientSecret: client_secret } = env.machine;
  const machine = () =>
    postToken(env.url, {
      grant_type: "client_credentials",
      client_id,
      client_secret,
      resource: `${env.url}/clock/mcp`,
    });
  expect((await machine()).status).toBe(503);
  env.cognito.faults.clear();
  const families = await scrape();
  const throttled = { endpoint: "cognito_token", outcome: "throttled" };
  expect(total(families, "sallyport_remote_calls_total", throttled)).toBeGreaterThan(0);
});

test("steady requests cost the store next to nothing, as its count shows", async () => {
  const calls = async () => total(await scrape(), "sallyport_store_calls_total");
  await callTool("now");
  const before = await calls();
  for (let sent = 0; sent < 50; sent++) expect(await callTool("now")).toBe(200);
  // What is looked at now and then: whether the store answers, a block of a quota.
  expect((await calls()) - before).toBeLessThan(10);
});
