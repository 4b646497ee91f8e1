import { randomBytes } from "node:crypto";
import { type AuditTarget, batchedAudit, deriveRootKeys, silentLogger, systemRandom, verifyChains } from "sallyport";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newSession, type Session } from "../outages/outage.ts";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { parsePrometheus, total } from "../support/prometheus.ts";
import { testClock } from "../support/test-clock.ts";

const keys = deriveRootKeys([randomBytes(32).toString("base64url")]);
const clock = testClock();
const disk = { full: false, chunks: Array.of<Buffer>() };

let env: TestEnvironment;
let session: Session;
beforeAll(async () => {
  const target: AuditTarget = {
    async append(bytes) {
      if (disk.full) return { taken: 0, failure: "the disk is full" };
      disk.chunks.push(Buffer.from(bytes));
      return { taken: bytes.length };
    },
    close: async () => {},
  };
  const deps = { target, key: keys.active, version: "1", clock, random: systemRandom, logger: silentLogger };
  env = await startEnvironment({ runtime: { audit: batchedAudit({ ...deps, mostWaiting: 50_000 }) } });
  session = await newSession(env);
});
afterAll(() => env.close());

const callTool = async (): Promise<number> => {
  const params = { name: "now", arguments: {} };
  const response = await fetch(statelessRequest(`${env.url}/clock/mcp`, session.accessToken, "tools/call", params));
  await response.text();
  return response.status;
};

const scraped = async (name: string): Promise<number> =>
  total(parsePrometheus(await (await fetch(`${env.url}/metrics`)).text()), name);

test("with a full disk requests and sign-ins go on; what is lost is counted, and told in the trail", async () => {
  expect(await callTool()).toBe(200);
  clock.advance(100);
  await expect.poll(() => scraped("sallyport_audit_lines_total")).toBeGreaterThan(5);
  expect(await scraped("sallyport_audit_failing")).toBe(0);

  disk.full = true;
  const statuses = new Set<number>();
  for (let n = 0; n < 300; n += 1) statuses.add(await callTool());
  await newSession(env);
  expect(statuses).toEqual(new Set([200]));
  clock.advance(1000);
  await expect.poll(() => scraped("sallyport_audit_failing")).toBe(1);
  const lost = await scraped("sallyport_audit_lost_total");
  expect(lost).toBeGreaterThan(50);
  expect(lost + (await scraped("sallyport_audit_waiting"))).toBeGreaterThanOrEqual(300);

  disk.full = false;
  clock.advance(1000);
  await expect.poll(() => scraped("sallyport_audit_failing")).toBe(0);
  expect(await callTool()).toBe(200);
  await env.close();
  const verifier = verifyChains(keys);
  for (const line of Buffer.concat(disk.chunks).toString().split("\n")) verifier.line(Buffer.from(line));
  const report = verifier.end();
  expect(report).toMatchObject({ whole: true, findings: [], chains: [{ closed: true }] });
  expect(report.chains[0]?.dropped).toBeGreaterThanOrEqual(lost);
});
