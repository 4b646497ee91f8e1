import type { BrowserContext, Page } from "playwright-core";
import { expect } from "vitest";
import type { TestEnvironment } from "../support/environment.ts";
import { redeem, type TokenAnswer, tokenAnswer } from "../support/oauth-client.ts";
import type { Attempt } from "./client-site.ts";

/** Presses a button of the consent page, and waits for the page that follows. */
export async function decide(page: Page, decision: "approve" | "deny"): Promise<void> {
  await page.click(`button[name=decision][value=${decision}]`);
  await page.waitForSelector("button[name=decision]", { state: "detached" });
}

/** Fills in Cognito's sign-in page. */
export async function logIn(page: Page, user: { readonly username: string; readonly password: string }): Promise<void> {
  await page.fill("input[name=username]", user.username);
  await page.fill("input[name=password]", user.password);
  await page.click("button[type=submit]");
}

/** Waits until the browser has come back to the client, and answers what it brought. */
export async function arrival(page: Page, attempt: Attempt): Promise<URLSearchParams> {
  await page.waitForURL((url) => url.href.startsWith(`${attempt.client.redirectUri}?`));
  const answer = new URL(page.url()).searchParams;
  expect(answer.get("state")).toBe(attempt.state);
  return answer;
}

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
});

/** Redeems the code that came back and calls a server with the token. */
export async function useCode(env: TestEnvironment, attempt: Attempt, answer: URLSearchParams): Promise<TokenAnswer> {
  expect(answer.get("iss")).toBe(env.url);
  const response = await redeem(env.url, attempt.client, answer.get("code") ?? "", attempt.pair);
  const tokens = await tokenAnswer(response);
  expect(response.status, JSON.stringify(tokens)).toBe(200);
  const called = await fetch(`${env.url}/clock/mcp`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${tokens.access_token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: initialize,
  });
  await called.body?.cancel();
  expect(called.status).toBe(200);
  return tokens;
}

/** Who the access token is about. */
export function subjectOf({ access_token: token }: TokenAnswer): unknown {
  const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  return typeof claims === "object" && claims !== null && "sub" in claims ? claims.sub : undefined;
}

/** Completed sign-ins of a client. */
export const signInsOf = (env: TestEnvironment, { client }: Attempt): number =>
  env.audit.filter((event) => event.action === "signin.completed" && event.client === client.clientId).length;

/**
 * What the browser complained about on any page: errors of scripts, violations of the content security policy. That a
 * page came with a status of 400 or more is not a complaint.
 */
export function complaintsIn(context: BrowserContext): readonly string[] {
  const complaints: string[] = [];
  context.on("console", (message) => {
    const harmless = message.text().startsWith("Failed to load resource: the server responded with a status of 4");
    if (["error", "warning"].includes(message.type()) && !harmless) {
      complaints.push(`${message.location().url}: ${message.text()}`);
    }
  });
  context.on("weberror", (error) => complaints.push(error.error().message));
  return complaints;
}
