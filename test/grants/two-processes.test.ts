import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import {
  authorizeUrl,
  type PkcePair,
  pkce,
  redeem,
  refresh,
  register,
  type TestClient,
  tokenAnswer,
} from "../support/oauth-client.ts";
import { type Replica, startReplica } from "../support/replica.ts";
import { silentCognito } from "../support/silent-cognito.ts";
import { sharedFolder } from "./shared-folder.ts";

const newerSecret = randomBytes(32).toString("base64url");
const minute = 60_000;

let env: TestEnvironment;
/** The first writes under the old secret, the second under the newer one; both read both. */
let one: Replica;
let two: Replica;
/** What has been added to every clock. */
let offset = 0;

beforeAll(async () => {
  const folder = await sharedFolder();
  env = await startEnvironment({
    store: `sqlite:${join(folder, "store.db")}`,
    change: (settings) => ({ ...settings, secret: [...(settings.secret ?? []), newerSecret] }),
  });
  [one, two] = await Promise.all([
    startReplica(env.settings),
    startReplica({ ...env.settings, secret: (env.settings.secret ?? []).toReversed() }),
  ]);
});
afterAll(async () => {
  await env.close();
});

/** Lets time pass everywhere. */
async function advance(ms: number): Promise<void> {
  offset += ms;
  env.clock.advance(ms);
  await Promise.all([one.advance(ms), two.advance(ms)]);
}

const renewals = (): number =>
  env.cognito.requests.filter(({ path, grantType }) => path === "/oauth2/token" && grantType === "refresh_token")
    .length;

/** A sign-in of alice, up to the code. */
async function newCode(): Promise<{ client: TestClient; pair: PkcePair; code: string }> {
  const client = await register(env.url);
  const pair = pkce();
  const location = new URL(await signIn(authorizeUrl(env.url, client, pair), demoUser(env, "alice")));
  return { client, pair, code: location.searchParams.get("code") ?? "" };
}

async function newRefreshToken(): Promise<{ client: TestClient; token: string }> {
  const { client, pair, code } = await newCode();
  return { client, token: (await tokenAnswer(await redeem(env.url, client, code, pair))).refresh_token };
}

/** Ten requests at once, by turns to both processes. */
const tenTimes = (send: (url: string) => Promise<Response>): Promise<Response[]> =>
  Promise.all(Array.from({ length: 10 }, (_, n) => send(n % 2 === 0 ? one.url : two.url)));

test("ten parallel refreshes of one token from two processes: one call to Cognito, one successor", async () => {
  const { client, token } = await newRefreshToken();
  await advance(16 * minute);
  const before = renewals();
  // Slow enough that both processes want to renew while one of them does.
  env.cognito.faults.set({ path: "/oauth2/token", grantType: "refresh_token", latencyMs: 500, times: 10 });
  onTestFinished(() => env.cognito.faults.clear());
  const responses = await tenTimes((url) => refresh(url, client, token));
  expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
  const successors = new Set((await Promise.all(responses.map(tokenAnswer))).map((answer) => answer.refresh_token));
  expect(successors.size).toBe(1);
  expect(renewals() - before).toBe(1);

  const [successor = ""] = successors;
  expect(successor).not.toBe(token);
  expect((await refresh(two.url, client, successor)).status).toBe(200);
  expect(renewals() - before).toBe(1);
});

test("ten parallel redemptions of one code from two processes: one succeeds, and its grant stands", async () => {
  // Several codes, since whether two processes meet in the middle is a matter of chance.
  for (let round = 0; round < 6; round += 1) {
    const { client, pair, code } = await newCode();
    const responses = await tenTimes((url) => redeem(url, client, code, pair));
    const answers = await Promise.all(responses.map(tokenAnswer));
    const errors = answers.map(({ error }) => error ?? "none");
    expect(errors.toSorted()).toEqual([...Array.from({ length: 9 }, () => "invalid_grant"), "none"]);
    expect(responses.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 9 }, () => 400)]);
    const token = answers.find(({ error }) => error === undefined)?.refresh_token ?? "";
    expect((await refresh(one.url, client, token)).status).toBe(200);
  }
});

test("in the middle of a change of root secrets a lost answer is repeated by the other replica, whichever was first", async () => {
  for (const [first, second] of [
    [one, two],
    [two, one],
  ] as const) {
    const { client, token } = await newRefreshToken();
    const given = await tokenAnswer(await refresh(first.url, client, token));
    const again = await tokenAnswer(await refresh(second.url, client, token));
    expect(again.refresh_token).toBe(given.refresh_token);
    expect((await refresh(first.url, client, again.refresh_token)).status).toBe(200);
  }
});

test("a token that comes again after the window ends the grant in every process", async () => {
  const { client, token } = await newRefreshToken();
  const successor = (await tokenAnswer(await refresh(one.url, client, token))).refresh_token;
  await advance(61_000);
  expect((await refresh(two.url, client, token)).status).toBe(400);
  const refused = await refresh(one.url, client, successor);
  expect([refused.status, (await tokenAnswer(refused)).error]).toEqual([400, "invalid_grant"]);
});

test("a lease holder killed after Cognito rotated and before the write: the next one succeeds within Cognito's grace", async () => {
  const { client, token } = await newRefreshToken();
  await advance(16 * minute);
  const before = renewals();
  const { url, answered } = await silentCognito(env.cognito.url);
  const holder = await startReplica(
    { ...env.settings, cognito: { ...env.settings.cognito, domain: url } },
    { clockOffset: offset },
  );
  const lost = refresh(holder.url, client, token).then(
    () => "answered",
    () => "cut",
  );
  expect(await answered).toBe(200);
  expect((await holder.kill()).signal).toBe("SIGKILL");
  expect(await lost).toBe("cut");

  // The lease of the dead is over; Cognito still takes the token that it has rotated.
  await advance(11_000);
  const response = await refresh(two.url, client, token);
  expect(response.status).toBe(200);
  expect(renewals() - before).toBe(2);
  const successor = (await tokenAnswer(response)).refresh_token;
  await advance(16 * minute);
  expect((await refresh(one.url, client, successor)).status).toBe(200);
});
