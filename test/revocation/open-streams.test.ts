import { setImmediate } from "node:timers/promises";
import type { Store } from "sallyport";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { part } from "../attacks/access-tokens.ts";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { libraryBeside } from "../support/library.ts";
import { authorizeUrl, pkce, redeem, register, type TestClient, tokenAnswer } from "../support/oauth-client.ts";

let env: TestEnvironment;
let store: Store;
let library: Awaited<ReturnType<typeof libraryBeside>>;
beforeAll(async () => {
  env = await startEnvironment({
    // Bob may call the slow tool, too.
    change: (settings) => ({ ...settings, groups: { ...settings.groups, "mcp-readers": ["mcp/write"] } }),
    wrapStore: (inner) => {
      store = inner;
      return inner;
    },
  });
  library = await libraryBeside(env, store);
});
afterAll(async () => {
  await library.close();
  await env.close();
});

interface Caller {
  readonly client: TestClient;
  readonly token: string;
}

async function caller(name: "alice" | "bob"): Promise<Caller> {
  const client = await register(env.url);
  const pair = pkce();
  const location = new URL(await signIn(authorizeUrl(env.url, client, pair), demoUser(env, name)));
  const answer = await redeem(env.url, client, location.searchParams.get("code") ?? "", pair);
  return { client, token: (await tokenAnswer(answer)).access_token };
}

const post = ({ token }: Caller, message: object, session?: string): Promise<Response> =>
  fetch(`${env.url}/clock/mcp`, {
    method: "POST",
    body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(session === undefined ? {} : { "mcp-protocol-version": "2025-11-25", "mcp-session-id": session }),
    },
  });

/** Opens event streams that wait for a slow tool, and answers the whole text of each once it is over. */
async function openStreams(who: Caller, count: number): Promise<Promise<string>[]> {
  const clientInfo = { name: "test", version: "1" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  const opened = await post(who, { id: 1, method: "initialize", params });
  const session = opened.headers.get("mcp-session-id") ?? "";
  await opened.text();
  await (await post(who, { method: "notifications/initialized" }, session)).text();
  const streams = await Promise.all(
    Array.from({ length: count }, (_, n) => {
      const call = { name: "sleep", arguments: { ms: 60_000 }, _meta: { progressToken: `p${n}` } };
      return post(who, { id: n + 2, method: "tools/call", params: call }, session);
    }),
  );
  for (const stream of streams) {
    expect([stream.status, stream.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  }
  return streams.map((stream) => stream.text().catch(() => "cut"));
}

const interval = 15_000;

/** Lets time pass in the steps in which it does: each gives the gateway its look at what is open. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) {
    env.clock.advance(500);
    for (let turns = 0; turns < 3; turns += 1) await setImmediate();
  }
}

describe("ten open streams are closed within the check interval, and nobody else's", () => {
  test.each<[string, boolean, (mine: Caller) => Promise<unknown>]>([
    [
      "POST /revoke",
      false,
      ({ client, token }) =>
        fetch(`${env.url}/revoke`, {
          method: "POST",
          body: new URLSearchParams({ token, client_id: client.clientId }),
        }),
    ],
    ["a kill switch for the client", false, ({ client }) => library.endGrants({ client: client.clientId })],
    ["a kill switch for the user", false, ({ token }) => library.endGrants({ user: String(part(token, 1).sub) })],
    ["a kill switch for everyone", true, () => library.endGrants({ all: true })],
  ])("%s", async (_, everyone, end) => {
    const mine = await caller("alice");
    const theirs = await caller("bob");
    const other = await openStreams(theirs, 1);
    const streams = await openStreams(mine, 10);
    // The streams have been judged, and after that a request has had the grant read anew: what is remembered of it
    // says yes until after the streams are due.
    await pass(interval + 1000);
    const since = env.audit.length;
    expect((await post(mine, { id: 99, method: "ping" })).status).not.toBe(401);
    await end(mine);
    await pass(interval);
    for (const text of await Promise.all(streams)) expect(text).not.toContain('"result"');
    if (everyone) expect(await other[0]).not.toContain('"result"');
    const closed = env.audit.slice(since).filter(({ action }) => action === "stream.closed");
    expect(closed.filter(({ client }) => client === mine.client.clientId)).toHaveLength(10);
    expect(closed.filter(({ client }) => client === theirs.client.clientId)).toHaveLength(everyone ? 1 : 0);
    for (const { reason, status } of closed) {
      expect(status).toBe(401);
      expect(["grant_ended", "grant_superseded_by_epoch"]).toContain(reason);
    }
  });
});
