import { describe, expect, test } from "vitest";
import { createWalker } from "../support/browser-walk.ts";
import { authorizeUrl, pkce, postToken, redeem, refresh, register, tokenAnswer } from "../support/oauth-client.ts";
import { type Arena, cookieHeader, expectRedirectedError, type Outcome, onEachStore, sealedRequest } from "./arena.ts";
import type { StoreOperation } from "./watched-store.ts";

const minutes = (n: number): number => n * 60_000;

/** 503, with a time to come back, in words of ours, and without an end for anybody's grant. */
function expectOutage(outcome: Outcome, what = ""): void {
  expect(outcome, what).toMatchObject({
    status: 503,
    error: "temporarily_unavailable",
    location: undefined,
    ended: [],
  });
  expect(outcome.headers.get("retry-after"), what).toMatch(/^\d+$/);
  expect(outcome.headers.has("www-authenticate"), what).toBe(false);
  expect(outcome.body, what).not.toMatch(
    /store\.internal|ECONNREFUSED|ETIMEDOUT|StoreUnavailable|localhost:\d+\/oauth2/,
  );
}

const whileStoreFails = async <R>(
  { store }: Arena,
  when: (operation: StoreOperation, key: string) => "before" | "after" | undefined,
  act: () => Promise<R>,
): Promise<R> => {
  store.fault = when;
  try {
    return await act();
  } finally {
    store.fault = undefined;
  }
};

const down = () => "before" as const;

onEachStore("attacks §1 tokens, the store is out: 503 and nothing revoked", (arena) => {
  test.each(["authorization_code", "refresh_token"])(
    "POST /token, %s; afterwards the same token works",
    async (type) => {
      const { env, outcome, session, signIn } = arena();
      const redeemLater = async () => {
        const { client, code, pair } = await signIn();
        return () => redeem(env.url, client, code, pair);
      };
      const refreshLater = async () => {
        const { client, tokens } = await session();
        return () => refresh(env.url, client, tokens.refresh_token);
      };
      const attempt = await (type === "refresh_token" ? refreshLater() : redeemLater());
      for (const operation of ["get", "swap"] as const) {
        const fault = (op: StoreOperation) => (op === operation ? "before" : undefined);
        expectOutage(await whileStoreFails(arena(), fault, () => outcome(attempt)), operation);
        expect(arena().env.audit.at(-1)).toMatchObject({ reason: "store_unavailable" });
      }
      expect((await attempt()).status).toBe(200);
    },
  );

  test("a rotation whose answer is lost after the write: the retry gets the successor", async () => {
    const { env, outcome, session } = arena();
    const { client, tokens } = await session();
    const lost = (operation: StoreOperation, key: string) =>
      operation === "swap" && key.startsWith("grant:") ? ("after" as const) : undefined;
    expectOutage(
      await whileStoreFails(arena(), lost, () => outcome(() => refresh(env.url, client, tokens.refresh_token))),
    );
    env.clock.advance(30_000);
    const retried = await refresh(env.url, client, tokens.refresh_token);
    expect(retried.status).toBe(200);
    const { refresh_token } = await tokenAnswer(retried);
    expect((await refresh(env.url, client, refresh_token)).status).toBe(200);
  });

  test("an MCP request gets 503 and never 401, and goes on afterwards", async () => {
    const { afterCheckInterval, mcp, outcome, session } = arena();
    const { tokens } = await session();
    expect((await mcp(tokens.access_token)).status).toBe(200);
    afterCheckInterval();
    const during = await whileStoreFails(arena(), down, () => outcome(() => mcp(tokens.access_token)));
    expectOutage(during);
    expect(during.reasons).toEqual(["store_unavailable"]);
    expect((await mcp(tokens.access_token)).status).toBe(200);
  });

  test("a reuse that cannot be written down is 503, and is still seen afterwards", async () => {
    const { env, outcome, session } = arena();
    const { client, tokens } = await session();
    await refresh(env.url, client, tokens.refresh_token);
    env.clock.advance(minutes(2));
    const swaps = (operation: StoreOperation) => (operation === "swap" ? ("before" as const) : undefined);
    const reuse = () => outcome(() => refresh(env.url, client, tokens.refresh_token));
    expectOutage(await whileStoreFails(arena(), swaps, reuse));
    expect(await reuse()).toMatchObject({ status: 400, reasons: ["refresh_reused"], ended: ["refresh_reused"] });
  });

  test("POST /register and client_credentials", async () => {
    const { env, outcome } = arena();
    const body = JSON.stringify({ redirect_uris: ["https://app.example/cb"] });
    const headers = { "content-type": "application/json" };
    const registering = () => outcome(() => fetch(`${env.url}/register`, { method: "POST", body, headers }));
    expectOutage(await whileStoreFails(arena(), down, registering));
    expect((await registering()).status).toBe(201);
    const { clientId: client_id, clientSecret: client_secret } = env.machine;
    const form = { grant_type: "client_credentials", client_id, client_secret, resource: `${env.url}/clock/mcp` };
    const asking = () => outcome(() => postToken(env.url, form));
    expectOutage(await whileStoreFails(arena(), down, asking));
    expect((await asking()).status).toBe(200);
  });

  test("GET /authorize, POST /consent and the callback: a page, and the same step works afterwards", async () => {
    const { env, outcome, atCognito } = arena();
    const client = await register(env.url);
    const pair = pkce();
    const walker = createWalker();
    const url = authorizeUrl(env.url, client, pair);
    const accept = "text/html";
    const asked = () => outcome(() => fetch(url, { redirect: "manual", headers: { accept } }));
    expectOutage(await whileStoreFails(arena(), down, asked), "authorize");

    const page = await walker.get(url);
    const decide = () =>
      outcome(() =>
        fetch(`${env.url}/consent`, {
          method: "POST",
          redirect: "manual",
          headers: { accept, cookie: cookieHeader(walker), origin: env.url },
          body: new URLSearchParams({ request: sealedRequest(page), decision: "approve" }),
        }),
      );
    for (const operation of ["get", "put"] as const) {
      const fault = (op: StoreOperation) => (op === operation ? "before" : undefined);
      expectOutage(await whileStoreFails(arena(), fault, decide), `consent, ${operation}`);
    }
    const approved = await decide();
    expect(approved.status).toBe(302);
    const [txCookie = ""] = approved.headers.getSetCookie()[0]?.split(";") ?? [];
    const callback = await atCognito(createWalker(), approved.location ?? "");
    const back = () => outcome(() => fetch(callback, { redirect: "manual", headers: { accept, cookie: txCookie } }));
    for (const operation of ["get", "take"] as const) {
      const fault = (op: StoreOperation) => (op === operation ? "before" : undefined);
      expectOutage(await whileStoreFails(arena(), fault, back), `callback, ${operation}`);
    }
    const code = new URL((await back()).location ?? "").searchParams.get("code") ?? "";
    expect((await redeem(env.url, client, code, pair)).status).toBe(200);
  });

  test("a sign-in that is lost at its last write leaves nothing wedged: the user signs in again", async () => {
    const { env, approve, atCognito, outcome, signIn } = arena();
    const client = await register(env.url);
    const walker = createWalker();
    const page = await walker.get(authorizeUrl(env.url, client, pkce()));
    const callback = await atCognito(walker, await approve(walker, page));
    const headers = { accept: "text/html", cookie: cookieHeader(walker) };
    const back = () => outcome(() => fetch(callback, { redirect: "manual", headers }));
    const grants = (operation: StoreOperation, key: string) =>
      operation === "put" && key.startsWith("grant:") ? ("before" as const) : undefined;
    expectOutage(await whileStoreFails(arena(), grants, back));
    expect(await back()).toMatchObject({ status: 400, location: undefined, reasons: ["transaction_unknown"] });
    await signIn({ client, walker });
  });
});

onEachStore("attacks §1 tokens, Cognito is out: 503 and nothing revoked", (arena) => {
  const outages: readonly (readonly [
    what: string,
    fault: Parameters<Arena["env"]["cognito"]["faults"]["set"]>[0],
    reason: string,
  ])[] = [
    ["500", { status: 500, body: "<html>stack trace</html>" }, "provider_unavailable"],
    ["502 that says invalid_grant", { status: 502, body: { error: "invalid_grant" } }, "provider_unavailable"],
    ["throttling", { status: 429 }, "provider_unavailable"],
    ["throttling as 400", { status: 400, body: { error: "TooManyRequestsException" } }, "provider_response_invalid"],
    ["a firewall's 403", { status: 403, body: "<html>blocked</html>" }, "provider_unavailable"],
    ["no answer", { dropConnection: true }, "provider_unavailable"],
    ["our own secret is refused", { status: 400, body: { error: "invalid_client" } }, "provider_misconfigured"],
    ["nonsense with 200", { status: 200, body: "hello" }, "provider_response_invalid"],
    ["tokens that do not verify", { status: 200, body: { access_token: "a.b.c" } }, "provider_response_invalid"],
    ["a redirect", { status: 302, headers: { location: "https://evil.example/" } }, "provider_response_invalid"],
  ];

  test.each(outages)("%s", async (_, fault, reason) => {
    const { env, mcp, outcome, session } = arena();
    const mine = await session();
    env.clock.advance(minutes(9));
    const tokens = await tokenAnswer(await refresh(env.url, mine.client, mine.tokens.refresh_token));
    env.cognito.faults.set({ path: "/oauth2/token", ...fault });
    try {
      // Borne for a while: what Cognito last said is good enough.
      env.clock.advance(minutes(7));
      const borne = await outcome(() => mcp(tokens.access_token));
      expect(borne).toMatchObject({ status: 200, ended: [] });
      expect(borne.reasons).toEqual([reason]);
      const kept = await refresh(env.url, mine.client, tokens.refresh_token);
      expect(kept.status).toBe(200);
      const latest = await tokenAnswer(kept);
      // Then neither yes nor no.
      env.clock.advance(minutes(5));
      const call = await outcome(() => mcp(latest.access_token));
      expectOutage(call, "request");
      const renewal = await outcome(() => refresh(env.url, mine.client, latest.refresh_token));
      expectOutage(renewal, "refresh");
      expect(renewal.body).not.toMatch(/stack trace|evil|blocked|TooManyRequests/);
      env.cognito.faults.clear();
      // This process leaves Cognito alone for 5 s after a failure.
      env.clock.advance(5_001);
      expect((await mcp(latest.access_token)).status).toBe(200);
      expect((await refresh(env.url, mine.client, latest.refresh_token)).status).toBe(200);
    } finally {
      env.cognito.faults.clear();
    }
  });

  test("a refresh at Cognito whose answer is lost after its rotation: borne by Cognito's own grace", async () => {
    const { env, session } = arena();
    const mine = await session();
    env.clock.advance(minutes(21));
    env.cognito.faults.set({ path: "/oauth2/token", dropConnection: true, when: "after", times: 1 });
    expectOutage(await arena().outcome(() => refresh(env.url, mine.client, mine.tokens.refresh_token)));
    env.clock.advance(5_001);
    expect((await refresh(env.url, mine.client, mine.tokens.refresh_token)).status).toBe(200);
  });

  test("sign-in: told at the client's redirect, without Cognito's words", async () => {
    const { env, approve, atCognito, outcome } = arena();
    const client = await register(env.url);
    const walker = createWalker();
    const page = await walker.get(authorizeUrl(env.url, client, pkce()));
    const callback = await atCognito(walker, await approve(walker, page));
    env.cognito.faults.set({ path: "/oauth2/token", status: 500, body: "Traceback (most recent call last)" });
    const headers = { cookie: cookieHeader(walker) };
    const answer = await outcome(() => fetch(callback, { redirect: "manual", headers }));
    env.cognito.faults.clear();
    expectRedirectedError(answer, { client, error: "temporarily_unavailable", issuer: env.url });
    expect(answer.reasons).toEqual(["provider_unavailable"]);
    expect(decodeURIComponent(answer.location ?? "")).not.toContain("Traceback");
  });

  test("client_credentials: 503 for a right and for a wrong secret, so that it tells nothing", async () => {
    const { env, outcome } = arena();
    const { clientId: client_id, clientSecret } = env.machine;
    env.cognito.faults.set({ path: "/oauth2/token", status: 500 });
    for (const client_secret of [clientSecret, "wrong"]) {
      const form = { grant_type: "client_credentials", client_id, client_secret, resource: `${env.url}/clock/mcp` };
      const answer = await outcome(() => postToken(env.url, form));
      expectOutage(answer);
      expect(answer.reasons).toEqual(["provider_unavailable"]);
    }
    env.cognito.faults.clear();
  });

  test("Cognito refusing is no outage: it ends the grant", async () => {
    const { env, outcome, session } = arena();
    const { client, tokens } = await session();
    env.clock.advance(minutes(16));
    env.cognito.faults.set({ path: "/oauth2/token", status: 400, body: { error: "invalid_grant" } });
    const answer = await outcome(() => refresh(env.url, client, tokens.refresh_token));
    env.cognito.faults.clear();
    expect(answer).toMatchObject({ status: 400, error: "invalid_grant", ended: ["upstream_ended"] });
    const again = await outcome(() => refresh(env.url, client, tokens.refresh_token));
    expect(again).toMatchObject({ status: 400, error: "invalid_grant", reasons: ["grant_ended"] });
  });

  describe("who the refreshed tokens are about", () => {
    test("another user's tokens in Cognito's answer do not change the grant", async () => {
      const { cognito, env, mcp, outcome, session } = arena();
      const bob = await session({ user: "bob" });
      const seen = cognito.tokenRequests.length;
      await session({ user: "alice" });
      const answerOfAlice = cognito.tokenRequests[seen]?.answer;
      expect(answerOfAlice).toHaveProperty("access_token");
      env.clock.advance(minutes(9));
      const tokens = await tokenAnswer(await refresh(env.url, bob.client, bob.tokens.refresh_token));
      env.cognito.faults.set({ path: "/oauth2/token", status: 200, body: answerOfAlice });
      env.clock.advance(minutes(12));
      const answer = await outcome(() => refresh(env.url, bob.client, tokens.refresh_token));
      env.cognito.faults.clear();
      expectOutage(answer);
      env.clock.advance(5_001);
      const afterwards = await tokenAnswer(await refresh(env.url, bob.client, tokens.refresh_token));
      expect(afterwards.scope).toBe("mcp/read");
      expect((await mcp(afterwards.access_token)).status).toBe(200);
    });
  });
});
