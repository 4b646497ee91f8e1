import {
  BearerRefusal,
  ConfigError,
  createLogger,
  memoryAudit,
  memoryStore,
  type Principal,
  type Store,
  systemRandom,
} from "sallyport";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LibraryApp, type LibrarySession, startLibraryApp } from "../support/library-app.ts";
import { refresh, tokenAnswer } from "../support/oauth-client.ts";
import { testClock } from "../support/test-clock.ts";

const minute = 60_000;
const clock = testClock();
const log: string[] = [];
const audit = memoryAudit();
/** Everything that was ever written to the store. */
const written: string[] = [];
const memory = memoryStore({ clock, random: systemRandom });
const store: Store = {
  ...memory,
  put(key, value, options) {
    written.push(value);
    return memory.put(key, value, options);
  },
  swap(key, version, value, options) {
    written.push(value);
    return memory.swap(key, version, value, options);
  },
};

let app: LibraryApp;
let who: Principal;

beforeAll(async () => {
  app = await startLibraryApp(
    (auth) => async (_request, principal) => {
      who = principal;
      return new Response(await auth.cognitoToken());
    },
    {
      clock,
      settings: { exposeCognitoToken: true, tokens: { upstreamMaxAge: "24h", grantCheckInterval: "0s" } },
      runtime: { logger: createLogger({ level: "debug", write: (line) => log.push(line) }), audit, store },
    },
  );
});
afterAll(() => app.close());

const call = (token: string) => fetch(`${app.url}/mcp`, { headers: { authorization: `Bearer ${token}` } });

/** A new access token of ours, for after the last one has ended. */
const renewed = async ({ client, refreshToken }: LibrarySession): Promise<LibrarySession> => {
  const answer = await tokenAnswer(await refresh(app.url, client, refreshToken));
  return { client, token: answer.access_token, refreshToken: answer.refresh_token };
};

const userAt = async (token: string): Promise<unknown> =>
  (await fetch(app.cognito.userInfoUrl, { headers: { authorization: `Bearer ${token}` } })).json();

const claimsOf = (token: string): unknown => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

test("is Cognito's own access token of the user, and stands nowhere else", async () => {
  const alice = await app.signIn("alice", "notes/read");
  const token = await (await call(alice.token)).text();
  expect(claimsOf(token)).toMatchObject({ token_use: "access", client_id: "4example" });
  expect(await userAt(token)).toMatchObject({ sub: who.subject, email: "alice@example.com" });
  const parts = token.split(".");
  expect(parts).toHaveLength(3);
  const elsewhere = [JSON.stringify(who), alice.token, ...log, JSON.stringify(audit.events), ...written].join("\n");
  expect(written.length).toBeGreaterThan(3);
  for (const part of parts.slice(1)) expect(elsewhere).not.toContain(part);
});

test("is asked anew in time, and then serves for its own life without asking", async () => {
  let alice = await app.signIn("alice", "notes/read");
  const first = await (await call(alice.token)).text();
  const asked = () => app.cognito.requests.filter(({ path }) => path === "/oauth2/token").length;
  const before = asked();
  clock.advance(58 * minute);
  alice = await renewed(alice);
  expect(await (await call(alice.token)).text()).toBe(first);
  expect(asked()).toBe(before);
  clock.advance(1.5 * minute);
  const second = await (await call(alice.token)).text();
  expect(second).not.toBe(first);
  expect(asked()).toBe(before + 1);
  expect(await userAt(second)).toMatchObject({ sub: who.subject });
  expect(await (await call(alice.token)).text()).toBe(second);
  expect(asked()).toBe(before + 1);
});

test("is 503 while Cognito does not answer, and the sign-in goes on after it", async () => {
  let alice = await app.signIn("alice", "notes/read");
  await call(alice.token);
  clock.advance(61 * minute);
  alice = await renewed(alice);
  app.cognito.faults.set({ path: "/oauth2/token", status: 503, times: 1 });
  expect((await call(alice.token)).status).toBe(503);
  clock.advance(10_000);
  expect((await call(alice.token)).status).toBe(200);
});

test("is no more once the sign-in has ended, also for a principal that is still at hand", async () => {
  const alice = await app.signIn("alice", "notes/read");
  expect((await call(alice.token)).status).toBe(200);
  const old = who;
  clock.advance(1);
  await app.auth.endGrants({ user: old.subject });
  const refusal = await app.auth.cognitoToken(old).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(BearerRefusal);
  expect(refusal).toMatchObject({ status: 401, challenge: expect.stringContaining('error="invalid_token"') });
});

test("a machine has none: 403", async () => {
  await expect(app.auth.cognitoToken({ ...who, kind: "machine" })).rejects.toMatchObject({ status: 403 });
});

test("without the setting nothing is kept, and the error names it", async () => {
  const other = await startLibraryApp((auth) => async (_request, principal) => {
    const error: unknown = await auth.cognitoToken(principal).catch((failure: unknown) => failure);
    return new Response(error instanceof ConfigError ? error.message : "no error");
  });
  try {
    const { token } = await other.signIn("bob", "notes/read");
    const answer = await fetch(`${other.url}/mcp`, { headers: { authorization: `Bearer ${token}` } });
    expect(await answer.text()).toContain("exposeCognitoToken (configuration): must be true");
  } finally {
    await other.close();
  }
});
