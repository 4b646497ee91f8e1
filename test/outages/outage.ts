import { expect } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, type TestEnvironment } from "../support/environment.ts";
import {
  authorizeUrl,
  pkce,
  redeem,
  refresh,
  register,
  type TestClient,
  tokenAnswer,
} from "../support/oauth-client.ts";

/** A sign-in of alice, with what her client needs to go on. */
export interface Session {
  readonly client: TestClient;
  readonly accessToken: string;
  readonly refreshToken: string;
}

export async function newSession(env: TestEnvironment): Promise<Session> {
  const client = await register(env.url);
  const pair = pkce();
  const location = new URL(await signIn(authorizeUrl(env.url, client, pair), demoUser(env, "alice")));
  const answer = await redeem(env.url, client, location.searchParams.get("code") ?? "", pair);
  const tokens = await tokenAnswer(answer);
  return { client, accessToken: tokens.access_token, refreshToken: tokens.refresh_token };
}

/** A request to an MCP server. */
export const request = (env: TestEnvironment, token: string): Promise<Response> =>
  fetch(`${env.url}/clock/mcp`, {
    method: "POST",
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
    }),
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
  });

/** What needs the store or Cognito, by a name. */
export const everything = (env: TestEnvironment, { client, accessToken, refreshToken }: Session) =>
  ({
    request: () => request(env, accessToken),
    refresh: () => refresh(env.url, client, refreshToken),
    register: () =>
      fetch(`${env.url}/register`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ redirect_uris: ["https://app.example/cb"], token_endpoint_auth_method: "none" }),
      }),
    authorize: () => fetch(authorizeUrl(env.url, client, pkce()), { redirect: "manual" }),
  }) as const;

/** 503, with a time to come back, and no challenge that would send a client to sign in anew. */
export async function expectOutage(what: string, sending: Promise<Response>, within: number): Promise<void> {
  const started = performance.now();
  const response = await sending;
  await response.text();
  const { status, headers } = response;
  expect([what, status]).toEqual([what, 503]);
  expect(headers.get("retry-after"), what).toMatch(/^\d+$/);
  expect(headers.has("www-authenticate"), what).toBe(false);
  expect(performance.now() - started, what).toBeLessThan(within);
}

/** What a load balancer is told. */
export async function readyz(env: TestEnvironment): Promise<string> {
  // An answer holds for a second.
  env.clock.advance(1_000);
  const response = await fetch(`${env.url}/readyz`);
  return `${response.status} ${(await response.text()).trim()}`;
}

/** The grants that have ended since a moment in the trail. */
export const endedSince = (env: TestEnvironment, seen: number): readonly unknown[] =>
  env.audit.slice(seen).filter(({ action }) => action === "grant.ended" || action === "grants.ended");

/** Waits until it is served again, by itself, and with the very tokens of before. */
export async function expectRecovery(env: TestEnvironment, session: Session): Promise<void> {
  await expect
    .poll(
      async () => {
        const response = await request(env, session.accessToken);
        await response.text();
        return response.status;
      },
      { timeout: 10_000 },
    )
    .toBe(200);
  expect((await refresh(env.url, session.client, session.refreshToken)).status).toBe(200);
  expect(await readyz(env)).toBe("200 ready");
}
