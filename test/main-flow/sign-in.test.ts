import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWalker, signIn } from "../support/browser-walk.ts";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, redeem, refresh, register, tokenAnswer } from "../support/oauth-client.ts";

let env: TestEnvironment;
beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(() => env.close());

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
});

const call = (token?: string): Promise<Response> =>
  fetch(`${env.url}/clock/mcp`, {
    method: "POST",
    body: initialize,
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  });

const user = (name: string) => {
  const found = env.users.find(({ username }) => username.startsWith(name));
  if (!found) throw new Error(name);
  return found;
};

describe("sign-in from the first request to the tool server", () => {
  test("a request without a token gets the full challenge", async () => {
    const response = await call();
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(
      `Bearer scope="mcp/read mcp/write mcp/admin", resource_metadata="${env.url}/.well-known/oauth-protected-resource/clock/mcp"`,
    );
  });

  test("alice signs in, calls, and refreshes", async () => {
    const client = await register(env.url);
    const pair = pkce();
    const location = new URL(await signIn(authorizeUrl(env.url, client, pair), user("alice")));
    expect(location.searchParams.get("iss")).toBe(env.url);
    expect(location.searchParams.get("state")).toBe("test-state");
    const response = await redeem(env.url, client, location.searchParams.get("code") ?? "", pair);
    const tokens = await tokenAnswer(response);
    expect(response.status, JSON.stringify(tokens)).toBe(200);
    expect(tokens).toMatchObject({ token_type: "Bearer", expires_in: 600, scope: "mcp/read mcp/write mcp/admin" });
    expect((await call(tokens.access_token)).status).toBe(200);

    const renewed = await tokenAnswer(await refresh(env.url, client, tokens.refresh_token));
    expect(renewed.refresh_token).not.toBe(tokens.refresh_token);
    expect((await call(renewed.access_token)).status).toBe(200);
  });

  test("carol, who is in no group, is sent back with a reason", async () => {
    const client = await register(env.url);
    const location = new URL(await signIn(authorizeUrl(env.url, client, pkce()), user("carol")));
    expect(location.searchParams.get("error")).toBe("access_denied");
    expect(location.searchParams.get("error_description")).toContain("carol@example.com");
    expect(location.searchParams.get("iss")).toBe(env.url);
    expect(env.audit.some((event) => event.reason === "not_entitled")).toBe(true);
  });

  test("a denial goes back to the client and is final", async () => {
    const client = await register(env.url);
    const walker = createWalker();
    const url = authorizeUrl(env.url, client, pkce());
    const page = await walker.get(url);
    const atClient = (location: string) => location.startsWith(client.redirectUri);
    const denied = await walker.submit(page, { decision: "deny" }, atClient);
    expect(new URL(denied.location ?? "").searchParams.get("error")).toBe("access_denied");
    const again = await walker.submit(page, { decision: "approve" }, atClient);
    expect(again.status).toBe(400);
    expect(again.location).toBeUndefined();
  });
});
