import { createDynamoTable } from "sallyport";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { part } from "../attacks/access-tokens.ts";
import { type DynamoServer, startDynamo } from "../support/dynamo-server.ts";
import { type DynamoWire, startDynamoWire } from "../support/dynamo-wire.ts";
import { demoUser } from "../support/environment.ts";
import {
  authorizeUrl,
  pkce,
  redeem,
  refresh,
  register,
  type TestClient,
  tokenAnswer,
} from "../support/oauth-client.ts";
import { type Fleet, startFleet } from "./fleet.ts";

const minute = 60_000;
const [right, ahead, behind] = [1, 2, 3] as const;

let dynamo: DynamoServer;
let wire: DynamoWire;
let fleet: Fleet;
beforeAll(async () => {
  dynamo = await startDynamo();
  wire = await startDynamoWire(dynamo);
  await createDynamoTable(wire.url("skewed"), async () => {});
  fleet = await startFleet(wire.url("skewed"), 3, { clockOffsets: [0, 5 * minute, -5 * minute] });
  // The store's clock passes with the others.
  wire.now = fleet.env.clock.now;
});
afterAll(async () => {
  await fleet.close();
  wire.close();
  await dynamo.close();
});

const at = (number: number): string => fleet.replica(number).url;

async function codeOf(steps: readonly [number, number, number]) {
  const client = await register(at(steps[0]));
  const pair = pkce();
  let step = 0;
  const walker = fleet.browser(() => steps[step] ?? 1);
  const consent = await walker.get(authorizeUrl(fleet.env.url, client, pair));
  step = 1;
  const login = await walker.submit(consent, { decision: "approve" });
  step = 2;
  const { username, password } = demoUser(fleet.env, "alice");
  const atClient = (location: string): boolean => location.startsWith(client.redirectUri);
  const { location = "" } = await walker.submit(login, { username, password }, atClient);
  return { client, pair, code: new URL(location).searchParams.get("code") ?? "" };
}

async function session(steps: readonly [number, number, number, number]) {
  const { client, pair, code } = await codeOf([steps[0], steps[1], steps[2]]);
  const answer = await redeem(at(steps[3]), client, code, pair);
  expect(answer.status).toBe(200);
  return { client, tokens: await tokenAnswer(answer) };
}

const statusesEverywhere = (token: string): Promise<number[]> =>
  Promise.all(
    [right, ahead, behind].map(async (number) => {
      const answer = await fleet.fetchAt(number)(`${fleet.env.url}/clock/mcp`, {
        method: "POST",
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
        },
      });
      await answer.text();
      // What the server behind says of a ping without a session is its own matter.
      return answer.status === 401 || answer.status === 503 ? answer.status : 200;
    }),
  );

/** The successor that a replica answers. */
async function refreshed(number: number, client: TestClient, token: string): Promise<string> {
  const answer = await refresh(at(number), client, token);
  const { error, refresh_token } = await tokenAnswer(answer);
  expect([answer.status, error]).toEqual([200, undefined]);
  return refresh_token;
}

test("a process whose clock is five minutes off says so at /readyz, and lives", async () => {
  const answers = async (path: string) =>
    Promise.all(
      [right, ahead, behind].map(async (number) => {
        const answer = await fetch(`${at(number)}${path}`);
        return `${answer.status} ${(await answer.text()).trim()}`;
      }),
    );
  const off = expect.stringMatching(/^503 clock off by (299|300|301) s$/);
  expect(await answers("/readyz")).toEqual(["200 ready", off, off]);
  expect(await answers("/healthz")).toEqual(["200 ok", "200 ok", "200 ok"]);
  const log = fleet.replica(ahead).process.output("stderr");
  expect(log).toMatch(/this process is not ready.*clock off by \d+ s: it is ahead/);
});

test("a sign-in that passes through them works, and its tokens live no longer than they should", async () => {
  for (const steps of [
    [right, ahead, behind, right],
    [behind, right, behind, ahead],
  ] as const) {
    const { tokens } = await session(steps);
    const { iat, exp } = part(tokens.access_token, 1);
    const now = fleet.env.clock.now() / 1000;
    expect(Math.abs(Number(iat) - now)).toBeLessThan(10);
    expect(Math.abs(Number(exp) - now - 600)).toBeLessThan(10);
    expect(await statusesEverywhere(tokens.access_token)).toEqual([200, 200, 200]);
  }
});

test.each([
  ["behind, then right", behind, right],
  ["right, then ahead", right, ahead],
  ["behind, then ahead", behind, ahead],
])("a retry of a refresh is no theft, whichever clock it meets: %s", async (_, first, second) => {
  const { client, tokens } = await session([first, first, first, second]);
  const successor = await refreshed(first, client, tokens.refresh_token);
  expect(await refreshed(second, client, tokens.refresh_token)).toBe(successor);
  expect(await refreshed(right, client, successor)).not.toBe(successor);
});

test("one code is redeemed once, and posting it twice ends nothing", async () => {
  const { client, pair, code } = await codeOf([behind, ahead, behind]);
  const answers = await Promise.all([behind, right, ahead].map((number) => redeem(at(number), client, code, pair)));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400, 400]);
  const winner = answers.find(({ status }) => status === 200);
  await refreshed(right, client, (await tokenAnswer(winner ?? Response.error())).refresh_token);
});

test("leases hold: a storm of refreshes over all clocks makes one call to Cognito", async () => {
  const { client, tokens } = await session([ahead, behind, ahead, behind]);
  await fleet.advance(16 * minute);
  fleet.env.cognito.faults.set({ path: "/oauth2/token", grantType: "refresh_token", latencyMs: 400, times: 10 });
  onTestFinished(() => fleet.env.cognito.faults.clear());
  const before = fleet.renewals();
  const storm = Array.from({ length: 12 }, (_, n) => refreshed((n % 3) + 1, client, tokens.refresh_token));
  expect(new Set(await Promise.all(storm)).size).toBe(1);
  expect(fleet.renewals() - before).toBe(1);
});

test("a kill switch reaches what a clock ahead has made, and leaves what is made after it", async () => {
  const mine = await session([ahead, ahead, ahead, ahead]);
  // HTTP tells the time in seconds.
  await fleet.advance(2_000);
  await fleet.replica(behind).endGrantsOf(String(part(mine.tokens.access_token, 1).sub));
  await fleet.advance(15_000);
  expect(await statusesEverywhere(mine.tokens.access_token)).toEqual([401, 401, 401]);
  const later = await session([behind, behind, behind, behind]);
  expect(await statusesEverywhere(later.tokens.access_token)).toEqual([200, 200, 200]);
});
