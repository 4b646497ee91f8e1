import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createWalker, signIn } from "../support/browser-walk.ts";
import { demoUser, freePort, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import {
  authorizeUrl,
  pkce,
  redeem,
  refresh,
  register,
  type TestClient,
  tokenAnswer,
} from "../support/oauth-client.ts";
import { type Replica, startReplica } from "../support/replica.ts";
import { sharedFolder } from "./shared-folder.ts";

let env: TestEnvironment;
let port: number;
/** Public URL of the gateway that is killed. */
let url: string;
let settings: TestEnvironment["settings"];
let gateway: Replica;

beforeAll(async () => {
  port = await freePort();
  url = `http://localhost:${port}`;
  env = await startEnvironment({
    pool: (pool) => ({
      ...pool,
      clients: (pool.clients ?? []).map((client) =>
        client.callbackUrls === undefined
          ? client
          : { ...client, callbackUrls: [...client.callbackUrls, `${url}/auth/callback`] },
      ),
    }),
  });
  settings = { ...env.settings, baseUrl: url, store: `sqlite:${join(await sharedFolder(), "store.db")}` };
});
afterAll(() => env.close());

const start = async (): Promise<void> => {
  gateway = await startReplica(settings, { port });
};
const killAndRestart = async (): Promise<void> => {
  expect((await gateway.kill()).signal).toBe("SIGKILL");
  await start();
};
beforeEach(start);

const alice = () => {
  const { username, password } = demoUser(env, "alice");
  return { username, password };
};
const codeIn = (location: string): string => new URL(location).searchParams.get("code") ?? "";

const call = (token: string): Promise<Response> =>
  fetch(`${url}/clock/mcp`, {
    method: "POST",
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
    }),
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      authorization: `Bearer ${token}`,
    },
  });

/** A whole new sign-in of a client works. */
async function expectFreshStart(client: TestClient): Promise<void> {
  const pair = pkce();
  const code = codeIn(await signIn(authorizeUrl(url, client, pair), alice()));
  const tokens = await tokenAnswer(await redeem(url, client, code, pair));
  expect((await call(tokens.access_token)).status).toBe(200);
}

describe("a gateway that is killed and started again on sqlite", () => {
  test("with the consent page open, and after consent: the user goes on where they were", async () => {
    const client = await register(url);
    const pair = pkce();
    const walker = createWalker();
    const atClient = (location: string) => location.startsWith(client.redirectUri);
    const consent = await walker.get(authorizeUrl(url, client, pair));
    await killAndRestart();
    const login = await walker.submit(consent, { decision: "approve" }, atClient);
    expect(login.url).toContain(env.cognito.url);
    await killAndRestart();
    const done = await walker.submit(login, alice(), atClient);
    const tokens = await tokenAnswer(await redeem(url, client, codeIn(done.location ?? ""), pair));
    expect((await call(tokens.access_token)).status).toBe(200);
    // The very same browser may begin again.
    expect((await walker.get(authorizeUrl(url, client, pkce()), atClient)).status).toBe(200);
  });

  test("after the code was given, and after its redemption: the client goes on with what it has", async () => {
    const client = await register(url);
    const pair = pkce();
    const code = codeIn(await signIn(authorizeUrl(url, client, pair), alice()));
    await killAndRestart();
    const tokens = await tokenAnswer(await redeem(url, client, code, pair));
    expect((await call(tokens.access_token)).status).toBe(200);
    const renewed = await tokenAnswer(await refresh(url, client, tokens.refresh_token));
    await killAndRestart();
    // The signing key and the grant outlived it, and an answer that was lost is repeated.
    expect((await call(tokens.access_token)).status).toBe(200);
    expect((await call(renewed.access_token)).status).toBe(200);
    const again = await tokenAnswer(await refresh(url, client, tokens.refresh_token));
    expect(again.refresh_token).toBe(renewed.refresh_token);
  });

  test("at any moment of a redemption: the code is good or used up, and the user can start again", async () => {
    for (const delay of [0, 3]) {
      const client = await register(url);
      const pair = pkce();
      const code = codeIn(await signIn(authorizeUrl(url, client, pair), alice()));
      const cut = redeem(url, client, code, pair).then(
        () => "answered",
        () => "cut",
      );
      await new Promise((resolve) => setTimeout(resolve, delay));
      await killAndRestart();
      await cut;
      const response = await redeem(url, client, code, pair);
      const answer = await tokenAnswer(response);
      if (response.status === 200) expect((await call(answer.access_token)).status).toBe(200);
      else expect([response.status, answer.error]).toEqual([400, "invalid_grant"]);
      await expectFreshStart(client);
    }
  });
});
