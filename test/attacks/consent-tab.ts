import { expect } from "vitest";
import { createWalker, type Page, type Walker } from "../support/browser-walk.ts";
import { authorizeUrl, pkce, register, type TestClient } from "../support/oauth-client.ts";
import { type Arena, found, type Outcome, sealedRequest } from "./arena.ts";

/** A browser with a consent page open. */
export interface Tab {
  readonly client: TestClient;
  readonly walker: Walker;
  readonly page: Page;
  readonly pair: ReturnType<typeof pkce>;
}

export async function openTab(
  { env }: Arena,
  options: { walker?: Walker; client?: TestClient; params?: Record<string, string> } = {},
): Promise<Tab> {
  const walker = options.walker ?? createWalker();
  const client = options.client ?? (await register(env.url));
  const pair = pkce();
  const page = await walker.get(authorizeUrl(env.url, client, pair, options.params));
  expect(page.status).toBe(200);
  return { client, walker, page, pair };
}

/** Visits an address with exactly these cookies, without following. */
export const visit = (arena: Arena, url: string, cookie: string): Promise<Outcome> =>
  arena.outcome(() => fetch(url, { redirect: "manual", headers: { cookie, accept: "text/html" } }));

/** Presses a button of a consent page with exactly these cookies. */
export const answer = (
  arena: Arena,
  tab: Pick<Tab, "page">,
  cookie: string,
  options: { decision?: string; headers?: Record<string, string>; fields?: Record<string, string> } = {},
): Promise<Outcome> =>
  arena.outcome(() =>
    fetch(`${arena.env.url}/consent`, {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams({
        request: sealedRequest(tab.page),
        decision: options.decision ?? "approve",
        ...options.fields,
      }),
      headers: { cookie, accept: "text/html", origin: arena.env.url, ...options.headers },
    }),
  );

/** The code in a redirect back to the client. */
export const codeOf = ({ location }: Pick<Outcome, "location">): string =>
  found(new URL(found(location, "no redirect")).searchParams.get("code") ?? undefined, `no code: ${location}`);

/** The cookies that bind a sign-in at Cognito to this browser. */
export const txCookies = (outcome: Outcome): readonly string[] =>
  outcome.headers.getSetCookie().filter((line) => line.startsWith("sallyport-tx-"));
