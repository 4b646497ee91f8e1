import { expect } from "vitest";
import { createWalker, type Page, signIn, type Walker } from "../support/browser-walk.ts";
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
import type { Lane } from "./lane.ts";

/** Something that a client, a user or an operator does, and in the middle of which the gateway may die. */
export interface Step {
  readonly name: string;
  /** Its answer is a promise about the store, so that a death right after it is looked at every time. */
  readonly promises?: true;
  /** Looked at in the long run only: another step is of the same kind. */
  readonly alike?: true;
  /** Makes everything ready for it. */
  prepare(lane: Lane): Promise<Prepared>;
}

export interface Prepared {
  /** Does it; rejects where the gateway dies before the answer. */
  run(): Promise<unknown>;
  /** What must hold when the gateway is back, with an answer or without, and that a repeat completes what was begun. */
  after(): Promise<void>;
}

export interface SignedIn {
  readonly client: TestClient;
  readonly pair: PkcePair;
  readonly code: string;
}

export interface Session extends SignedIn {
  readonly tokens: TokenAnswer;
}

export const codeIn = (location: string | undefined): string => new URL(location ?? "").searchParams.get("code") ?? "";

/** The user's browser is at the consent page. */
export async function atConsent(
  lane: Lane,
  given?: TestClient,
): Promise<{ client: TestClient; pair: PkcePair; walker: Walker; url: string; page: Page }> {
  const client = given ?? (await register(lane.url));
  const pair = pkce();
  const walker = createWalker();
  const url = authorizeUrl(lane.url, client, pair);
  return { client, pair, walker, url, page: await walker.get(url) };
}

export async function newCode(lane: Lane, user = "alice"): Promise<SignedIn> {
  const client = await register(lane.url);
  const pair = pkce();
  const { username, password } = demoUser(lane.env, user);
  const code = codeIn(await signIn(authorizeUrl(lane.url, client, pair), { username, password }));
  return { client, pair, code };
}

/** A client with its first tokens. */
export async function newSession(lane: Lane, user?: string): Promise<Session> {
  const signedIn = await newCode(lane, user);
  const response = await redeem(lane.url, signedIn.client, signedIn.code, signedIn.pair);
  return { ...signedIn, tokens: await expectTokens(response) };
}

/** @returns the tokens of an answer that must be a good one */
export async function expectTokens(response: Response): Promise<TokenAnswer> {
  const answer = await tokenAnswer(response);
  expect([response.status, answer.error]).toEqual([200, undefined]);
  return answer;
}

export async function expectInvalidGrant(response: Response): Promise<void> {
  expect([response.status, (await tokenAnswer(response)).error]).toEqual([400, "invalid_grant"]);
}

/** What an MCP request with a token is answered. */
export async function statusOf(lane: Lane, token: string): Promise<number> {
  const response = await fetch(`${lane.url}/clock/mcp`, {
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
  await response.body?.cancel();
  return response.status;
}

/**
 * Of everything that was ever given to a client, one refresh token can be used: the newest. Its grant is the only one,
 * and older tokens change nothing.
 * @param used refresh tokens that the newest has replaced; within their window
 */
export async function expectOneFamily(
  lane: Lane,
  client: TestClient,
  newest: string,
  used: readonly string[] = [],
): Promise<void> {
  const next = await expectTokens(await refresh(lane.url, client, newest));
  for (const token of used) await expectInvalidGrant(await refresh(lane.url, client, token));
  const last = await expectTokens(await refresh(lane.url, client, next.refresh_token));
  expect(await statusOf(lane, last.access_token)).toBe(200);
  const grants = await lane.grantsOf(client.clientId);
  expect(grants.filter(({ state }) => state === "live")).toHaveLength(1);
}

/** Whatever happened, the user can sign in and use what they came for. */
export async function expectFreshStart(lane: Lane): Promise<void> {
  const { tokens } = await newSession(lane);
  expect(await statusOf(lane, tokens.access_token)).toBe(200);
}
