import { afterAll, beforeAll, expect, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";

let env: TestEnvironment;
beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(() => env.close());

test("an open stream of a user who is disabled at Cognito is closed", async () => {
  const client = await register(env.url);
  const pair = pkce();
  const user = demoUser(env, "alice");
  const location = new URL(await signIn(authorizeUrl(env.url, client, pair), user));
  const { access_token } = await tokenAnswer(
    await redeem(env.url, client, location.searchParams.get("code") ?? "", pair),
  );
  const post = (message: object, session?: string): Promise<Response> =>
    fetch(`${env.url}/clock/mcp`, {
      method: "POST",
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
      headers: {
        authorization: `Bearer ${access_token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...(session === undefined ? {} : { "mcp-protocol-version": "2025-11-25", "mcp-session-id": session }),
      },
    });
  const clientInfo = { name: "test", version: "1" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  const opened = await post({ id: 1, method: "initialize", params });
  const session = opened.headers.get("mcp-session-id") ?? "";
  await opened.text();
  await post({ method: "notifications/initialized" }, session);
  const call = { name: "sleep", arguments: { ms: 60_000 }, _meta: { progressToken: "p" } };
  const response = await post({ id: 7, method: "tools/call", params: call }, session);
  expect(response.status).toBe(200);
  const whole = response.text().catch(() => "cut");

  env.cognito.pool.disableUser(user.username);
  // Past `upstream_max_age`: the next judgement asks Cognito, which refuses.
  env.clock.advance(16 * 60_000);
  expect(await whole).not.toContain('"result"');
  expect(env.audit).toContainEqual(expect.objectContaining({ action: "grant.ended", reason: "upstream_ended" }));
  expect(env.audit).toContainEqual(expect.objectContaining({ action: "stream.closed", server: "clock" }));
});
