import { randomBytes } from "node:crypto";
import { setTimeout as after } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { part } from "../attacks/access-tokens.ts";
import { attempt, hostedClient } from "../consent/attempt.ts";
import { demoUser } from "../support/environment.ts";
import {
  authorizeUrl,
  type PkcePair,
  pkce,
  redeem,
  refresh,
  register,
  type TestClient,
  type TokenAnswer,
  tokenAnswer,
} from "../support/oauth-client.ts";
import { silentCognito } from "../support/silent-cognito.ts";
import { type Fleet, overSharedStores, type SharedStore, startFleet } from "./fleet.ts";

const minute = 60_000;
const interval = 15_000;

interface Session {
  readonly client: TestClient;
  readonly tokens: TokenAnswer;
}

overSharedStores("four gateways are one", (open) => {
  let store: SharedStore;
  let fleet: Fleet;
  beforeAll(async () => {
    store = await open();
    fleet = await startFleet(store.url, 4);
  });
  afterAll(async () => {
    await fleet.close();
    await store.close();
  });

  const at = (number: number): string => fleet.replica(number).url;

  /** A sign-in whose consent page, answer to it, and callback are each another replica's matter. */
  async function codeOf(steps: readonly [number, number, number], user: "alice" | "bob" = "alice") {
    const client = await register(at(steps[0]));
    const pair = pkce();
    let step = 0;
    const walker = fleet.browser(() => steps[step] ?? 1);
    const atClient = (location: string): boolean => location.startsWith(`${client.redirectUri}?`);
    const consent = await walker.get(authorizeUrl(fleet.env.url, client, pair));
    step = 1;
    const login = await walker.submit(consent, { decision: "approve" });
    step = 2;
    const { username, password } = demoUser(fleet.env, user);
    const { location = "" } = await walker.submit(login, { username, password }, atClient);
    return { client, pair, code: new URL(location).searchParams.get("code") ?? "" };
  }

  async function session(steps: readonly [number, number, number, number] = [1, 2, 3, 4], user?: "alice" | "bob") {
    const [first, second, third, last] = steps;
    const { client, pair, code }: { client: TestClient; pair: PkcePair; code: string } = await codeOf(
      [first, second, third],
      user,
    );
    const answer = await redeem(at(last), client, code, pair);
    expect(answer.status).toBe(200);
    return { client, tokens: await tokenAnswer(answer) } satisfies Session;
  }

  const mcp = (number: number, token: string, message: object, mcpSession?: string): Promise<Response> =>
    fleet.fetchAt(number)(`${fleet.env.url}/clock/mcp`, {
      method: "POST",
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...(mcpSession === undefined ? {} : { "mcp-protocol-version": "2025-11-25", "mcp-session-id": mcpSession }),
      },
    });

  const clientInfo = { name: "test", version: "1" };
  const initialize = {
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo },
  };
  const statusesAt = (numbers: readonly number[], token: string): Promise<number[]> =>
    Promise.all(
      numbers.map(async (number) => {
        const answer = await mcp(number, token, initialize);
        await answer.text();
        return answer.status;
      }),
    );

  test("a sign-in goes from one to the next: page, answer, callback, token, request, refresh", async () => {
    const { client, tokens } = await session([1, 2, 3, 4]);
    const opened = await mcp(1, tokens.access_token, initialize);
    expect(opened.status).toBe(200);
    const mcpSession = opened.headers.get("mcp-session-id") ?? "";
    await opened.text();
    await (await mcp(2, tokens.access_token, { method: "notifications/initialized" }, mcpSession)).text();
    const listed = await mcp(3, tokens.access_token, { id: 2, method: "tools/list" }, mcpSession);
    expect(await listed.text()).toContain('"now"');
    expect((await refresh(at(2), client, tokens.refresh_token)).status).toBe(200);
  });

  test("what one has used is used at all: a code, and a refresh token past its window", async () => {
    const { client, pair, code } = await codeOf([4, 3, 2]);
    const answers = await Promise.all([1, 2, 3, 4].map((number) => redeem(at(number), client, code, pair)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400, 400, 400]);
    const winner = answers.find(({ status }) => status === 200);
    const { refresh_token: first } = await tokenAnswer(winner ?? Response.error());
    const { refresh_token: second } = await tokenAnswer(await refresh(at(1), client, first));
    expect((await tokenAnswer(await refresh(at(2), client, first))).refresh_token).toBe(second);
    await fleet.advance(61_000);
    expect((await refresh(at(3), client, first)).status).toBe(400);
    expect((await refresh(at(4), client, second)).status).toBe(400);
  });

  test("an approval that one remembers is known to the others", async () => {
    const client = await hostedClient(at(1));
    let number = 2;
    const walker = fleet.browser(() => number);
    expect((await attempt(fleet.env, { client, walker })).asked).toBe(true);
    number = 3;
    const again = await attempt(fleet.env, { client, walker });
    expect([again.asked, again.answer?.has("code")]).toEqual([false, true]);
  });

  describe("what is ended on one is ended on all within the check interval, open streams included", () => {
    /** An event stream that waits for a slow tool; answers its whole text once it is over. */
    async function openStream(number: number, token: string): Promise<{ readonly whole: Promise<string> }> {
      const opened = await mcp(number, token, initialize);
      const mcpSession = opened.headers.get("mcp-session-id") ?? "";
      await opened.text();
      await (await mcp(number, token, { method: "notifications/initialized" }, mcpSession)).text();
      const params = { name: "sleep", arguments: { ms: 60_000 }, _meta: { progressToken: "p" } };
      const stream = await mcp(number, token, { id: 2, method: "tools/call", params }, mcpSession);
      expect([stream.status, stream.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
      return { whole: stream.text().catch(() => "cut") };
    }

    test.each<[string, (mine: Session) => Promise<unknown>]>([
      [
        "POST /revoke",
        ({ client, tokens }) =>
          fetch(`${at(1)}/revoke`, {
            method: "POST",
            body: new URLSearchParams({ token: tokens.refresh_token, client_id: client.clientId }),
          }),
      ],
      [
        "a kill switch for the user",
        ({ tokens }) => fleet.replica(1).endGrantsOf(String(part(tokens.access_token, 1).sub)),
      ],
    ])("%s", async (_, end) => {
      const [mine, theirs] = [await session([1, 1, 1, 1], "alice"), await session([2, 2, 2, 2], "bob")];
      const streams = [await openStream(2, mine.tokens.access_token), await openStream(3, mine.tokens.access_token)];
      // All of them remember a yes.
      const all = [1, 2, 3, 4];
      expect(await statusesAt(all, mine.tokens.access_token)).toEqual([200, 200, 200, 200]);
      await end(mine);
      for (let passed = 0; passed < interval; passed += 1000) await fleet.advance(1000);
      expect(await statusesAt(all, mine.tokens.access_token)).toEqual([401, 401, 401, 401]);
      const texts = await Promise.all(streams.map(({ whole }) => Promise.race([whole, after(2000, "open still")])));
      for (const text of texts) expect(text).not.toMatch(/open still|"result"/);
      expect((await refresh(at(4), mine.client, mine.tokens.refresh_token)).status).toBe(400);
      expect(await statusesAt(all, theirs.tokens.access_token)).toEqual([200, 200, 200, 200]);
    });
  });

  test("a signing key that was changed on one signs on all, and what either key signed opens all", async () => {
    const mine = await session();
    await fleet.replica(1).rotate("at_once_keeping_old");
    await fleet.advance(interval);
    const kids = new Set<unknown>();
    let token = mine.tokens.refresh_token;
    for (const number of [1, 2, 3, 4]) {
      const tokens = await tokenAnswer(await refresh(at(number), mine.client, token));
      kids.add(part(tokens.access_token, 0).kid);
      expect(await statusesAt([1, 2, 3, 4], tokens.access_token)).toEqual([200, 200, 200, 200]);
      token = tokens.refresh_token;
    }
    expect(kids.size).toBe(1);
    expect(kids.has(part(mine.tokens.access_token, 0).kid)).toBe(false);
    expect(await statusesAt([1, 2, 3, 4], mine.tokens.access_token)).toEqual([200, 200, 200, 200]);
  });

  describe("a storm of refreshes of one grant from four processes", () => {
    test("makes one call to Cognito, and all get the one successor", async () => {
      const { client, tokens } = await session();
      await fleet.advance(16 * minute);
      const before = fleet.renewals();
      // Slow enough that all of them want to renew while one of them does.
      fleet.env.cognito.faults.set({ path: "/oauth2/token", grantType: "refresh_token", latencyMs: 500, times: 10 });
      onTestFinished(() => fleet.env.cognito.faults.clear());
      const storm = Array.from({ length: 20 }, (_, n) => refresh(at((n % 4) + 1), client, tokens.refresh_token));
      const responses = await Promise.all(storm);
      expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
      const successors = new Set((await Promise.all(responses.map(tokenAnswer))).map((answer) => answer.refresh_token));
      expect(successors.size).toBe(1);
      expect(fleet.renewals() - before).toBe(1);
    });

    test("of which one is killed while it holds the lease and one writes under a newer root secret, ends nothing", async () => {
      const { client, tokens } = await session();
      await fleet.advance(16 * minute);
      const { url, answered } = await silentCognito(fleet.env.cognito.url);
      const holder = await fleet.another(({ cognito, ...more }) => ({ ...more, cognito: { ...cognito, domain: url } }));
      const newerSecret = randomBytes(32).toString("base64url");
      // Started last: it seals the keyring anew. Those that know only the old secret cannot read what this one writes: they cannot say, and so refuse nobody.
      const newer = await fleet.another(({ secret = [], ...more }) => ({ ...more, secret: [newerSecret, ...secret] }));
      const before = fleet.renewals();
      const cut = refresh(holder.url, client, tokens.refresh_token).then(
        () => "answered",
        () => "cut",
      );
      expect(await answered).toBe(200);
      const urls = [at(1), at(2), newer.url];
      const storm = Array.from({ length: 12 }, (_, n) => refresh(urls[n % 3] ?? "", client, tokens.refresh_token));
      await after(200);
      await holder.kill();
      expect(await cut).toBe("cut");
      expect(fleet.renewals() - before, "one call in the life of the lease").toBe(1);
      await fleet.advance(11_000);
      const answers = await Promise.all([
        ...storm,
        ...storm.map((_, n) => refresh(urls[n % 3] ?? "", client, tokens.refresh_token)),
      ]);
      for (const { status, headers } of answers) {
        expect([status, headers.get("retry-after")]).toEqual(status === 200 ? [200, null] : [503, "5"]);
      }
      const served = await Promise.all(answers.filter(({ status }) => status === 200).map(tokenAnswer));
      const [successor = "", ...others] = new Set(served.map(({ refresh_token }) => refresh_token));
      expect([successor === "", others]).toEqual([false, []]);
      expect(fleet.renewals() - before, "one more in the life of the next").toBe(2);
      // The grant stands: the one that reads under both secrets goes on with it, and Cognito with its newest token.
      await fleet.advance(16 * minute);
      expect((await refresh(newer.url, client, successor)).status).toBe(200);
      expect(fleet.renewals() - before).toBe(3);
    });
  });
});
