import { describe, expect, test } from "vitest";
import { pkce, redeem, refresh, register, type TokenAnswer, tokenAnswer } from "../support/oauth-client.ts";
import { type Arena, onEachStore, type Session, type SignedIn } from "./arena.ts";
import { meetBeforeWriting } from "./watched-store.ts";

const refusedGrant = { status: 400, error: "invalid_grant" } as const;

/** Every token of the session has stopped to count. */
async function expectDead(arena: Arena, { client, tokens }: Session): Promise<void> {
  arena.afterCheckInterval();
  const call = await arena.outcome(() => arena.mcp(tokens.access_token));
  expect(call).toMatchObject({ status: 401, reasons: ["grant_ended"] });
  const renewal = await arena.outcome(() => refresh(arena.env.url, client, tokens.refresh_token));
  expect(renewal).toMatchObject({ ...refusedGrant, reasons: ["grant_ended"] });
}

/** The session goes on as if nothing had been. */
async function expectAlive(arena: Arena, { client }: SignedIn, tokens: TokenAnswer): Promise<void> {
  arena.afterCheckInterval();
  expect((await arena.mcp(tokens.access_token)).status).toBe(200);
  expect((await refresh(arena.env.url, client, tokens.refresh_token)).status).toBe(200);
}

onEachStore("attacks §1 code", (arena) => {
  test("ten concurrent redemptions, store with 2 ms latency: exactly one, and its grant lives (attacks §3)", async () => {
    const { env, store, signIn } = arena();
    const signedIn = await signIn();
    const { client, code, pair } = signedIn;
    const seen = env.audit.length;
    store.latency = 2;
    store.pause = meetBeforeWriting("grant", 10);
    const answers = await Promise.all(Array.from({ length: 10 }, () => redeem(env.url, client, code, pair)));
    store.latency = 0;
    store.pause = undefined;
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(400)]);
    const bodies = await Promise.all(answers.map(tokenAnswer));
    expect(bodies.filter(({ error }) => error === "invalid_grant")).toHaveLength(9);
    const reasons = env.audit.slice(seen).flatMap(({ reason }) => reason ?? []);
    expect(reasons).toEqual(Array(9).fill("code_used"));
    const winner = bodies.find(({ access_token }) => access_token !== undefined);
    if (!winner) throw new Error("nobody won");
    await expectAlive(arena(), signedIn, winner);
  });

  describe("what is refused and does not burn the code", () => {
    test("another client", async () => {
      const { env, outcome, signIn } = arena();
      const { client, code, pair } = await signIn();
      const other = await register(env.url);
      const answer = await outcome(() => redeem(env.url, other, code, pair));
      expect(answer).toMatchObject({ ...refusedGrant, reasons: ["code_client_mismatch"], ended: [] });
      expect((await redeem(env.url, client, code, pair)).status).toBe(200);
    });

    test.each([
      ["another path", "http://127.0.0.1:9/other"],
      ["another port (attacks §4 SDK #209)", "http://127.0.0.1:10/callback"],
      ["another host", "https://evil.example/callback"],
      ["a fragment", "http://127.0.0.1:9/callback#"],
    ])("another redirect_uri: %s", async (_, redirectUri) => {
      const { env, outcome, signIn } = arena();
      const { client, code, pair } = await signIn();
      const answer = await outcome(() => redeem(env.url, client, code, pair, { redirect_uri: redirectUri }));
      expect(answer).toMatchObject({ ...refusedGrant, reasons: ["code_redirect_mismatch"], ended: [] });
      expect((await redeem(env.url, client, code, pair)).status).toBe(200);
    });

    test("a wrong verifier, twenty times", async () => {
      const { env, outcome, signIn } = arena();
      const { client, code, pair } = await signIn();
      for (let n = 0; n < 20; n += 1) {
        const answer = await outcome(() => redeem(env.url, client, code, { ...pair, verifier: pkce().verifier }));
        expect(answer).toMatchObject({ ...refusedGrant, reasons: ["pkce_mismatch"], ended: [] });
      }
      expect((await redeem(env.url, client, code, pair)).status).toBe(200);
    });

    test.each([
      ["unknown (attacks §4 CF 0.8.3)", "https://evil.example/mcp", "resource_unknown"],
      ["another of ours (attacks §4 BA GHSA-p2fr-6hmx-4528)", "/notes/mcp", "code_resource_mismatch"],
    ])("a resource that is %s", async (_, resource, reason) => {
      const { env, outcome, signIn } = arena();
      const { client, code, pair } = await signIn();
      const url = new URL(resource, env.url).href;
      const answer = await outcome(() => redeem(env.url, client, code, pair, { resource: url }));
      expect(answer).toMatchObject({ status: 400, error: "invalid_target", reasons: [reason], ended: [] });
      expect((await redeem(env.url, client, code, pair)).status).toBe(200);
    });

    test("a missing or wrong client secret (attacks §4 FM)", async () => {
      const { env, outcome, signIn } = arena();
      const client = await register(env.url, { token_endpoint_auth_method: "client_secret_post" });
      const { code, pair } = await signIn({ client });
      for (const client_secret of ["", "wrong", `${client.clientSecret}x`]) {
        const answer = await outcome(() => redeem(env.url, client, code, pair, { client_secret }));
        expect(answer).toMatchObject({ status: 401, error: "invalid_client", reasons: ["client_auth_failed"] });
      }
      const { clientSecret = "" } = client;
      expect((await redeem(env.url, client, code, pair, { client_secret: clientSecret })).status).toBe(200);
    });

    test.each([
      ["its tag is another", (code: string) => `${code.slice(0, -1)}${code.endsWith("A") ? "B" : "A"}`],
      ["its secret is another", (code: string) => code.replace(/\.[^.]{43}\./, `.${"A".repeat(43)}.`)],
      ["it counts as a refresh token", (code: string) => code.replace(".0.", ".1.")],
      ["only the grant's id is left", (code: string) => code.split(".")[0] ?? ""],
      ["something hangs on it", (code: string) => `${code}.x`],
    ])("a mis-shaped code whose prefix names the grant: %s (attacks §4 CF 0.8.0)", async (_, bend) => {
      const { env, outcome, session, signIn } = arena();
      const fresh = await signIn();
      const attempt = (signedIn: SignedIn) =>
        outcome(() => redeem(env.url, signedIn.client, bend(signedIn.code), signedIn.pair));
      expect(await attempt(fresh)).toMatchObject({ ...refusedGrant, reasons: ["code_malformed"], ended: [] });
      expect((await redeem(env.url, fresh.client, fresh.code, fresh.pair)).status).toBe(200);
      // Nor does it pass for a replay.
      const redeemed = await session();
      env.clock.advance(6_000);
      expect(await attempt(redeemed)).toMatchObject({ ...refusedGrant, reasons: ["code_malformed"], ended: [] });
      await expectAlive(arena(), redeemed, redeemed.tokens);
    });
  });

  describe("repeats of a redeemed code", () => {
    test("a prompt retry by the same client changes nothing", async () => {
      const { env, outcome, session } = arena();
      const redeemed = await session();
      const { client, code, pair } = redeemed;
      env.clock.advance(2_000);
      const answer = await outcome(() => redeem(env.url, client, code, pair));
      expect(answer).toMatchObject({ ...refusedGrant, reasons: ["code_used"], ended: [] });
      expect(answer.body).not.toContain("access_token");
      await expectAlive(arena(), redeemed, redeemed.tokens);
    });

    test("a later replay within the code's life ends the grant and all that came of it", async () => {
      const { env, outcome, session } = arena();
      const redeemed = await session();
      const { client, code, pair } = redeemed;
      expect((await arena().mcp(redeemed.tokens.access_token)).status).toBe(200);
      env.clock.advance(6_000);
      const answer = await outcome(() => redeem(env.url, client, code, pair));
      expect(answer).toMatchObject({ ...refusedGrant, reasons: ["code_replayed"], ended: ["code_replayed"] });
      await expectDead(arena(), redeemed);
    });

    test("a replay after a refresh kills the refreshed tokens too", async () => {
      const { env, outcome, session } = arena();
      const redeemed = await session();
      const { client, code, pair } = redeemed;
      const tokens = await tokenAnswer(await refresh(env.url, client, redeemed.tokens.refresh_token));
      env.clock.advance(6_000);
      const answer = await outcome(() => redeem(env.url, client, code, pair));
      expect(answer).toMatchObject({ ...refusedGrant, ended: ["code_replayed"] });
      await expectDead(arena(), { ...redeemed, tokens });
    });

    test.each([
      ["with another verifier", { code_verifier: pkce().verifier }],
      ["with another redirect_uri", { redirect_uri: "https://evil.example/cb" }],
    ])("a prompt repeat %s is no retry: it ends the grant", async (_, form) => {
      const { env, outcome, session } = arena();
      const redeemed = await session();
      const { client, code, pair } = redeemed;
      const answer = await outcome(() => redeem(env.url, client, code, pair, form));
      expect(answer).toMatchObject({ ...refusedGrant, reasons: ["code_replayed"], ended: ["code_replayed"] });
      await expectDead(arena(), redeemed);
    });

    test("a prompt repeat by another client, verifier and all, ends the grant", async () => {
      const { env, outcome, session } = arena();
      const redeemed = await session();
      const thief = await register(env.url);
      const answer = await outcome(() => redeem(env.url, thief, redeemed.code, redeemed.pair));
      expect(answer).toMatchObject({ ...refusedGrant, reasons: ["code_replayed"], ended: ["code_replayed"] });
      await expectDead(arena(), redeemed);
    });

    test("a repeat after the code's life proves nothing and ends nothing", async () => {
      const { env, outcome, session } = arena();
      const redeemed = await session();
      const { client, code, pair } = redeemed;
      env.clock.advance(61_000);
      const answer = await outcome(() => redeem(env.url, client, code, pair));
      expect(answer).toMatchObject({ ...refusedGrant, reasons: ["code_expired"], ended: [] });
      await expectAlive(arena(), redeemed, redeemed.tokens);
    });
  });

  test("a code is good for 60 seconds and then never again", async () => {
    const { env, outcome, signIn } = arena();
    const { client, code, pair } = await signIn();
    env.clock.advance(60_001);
    const late = await outcome(() => redeem(env.url, client, code, pair));
    expect(late).toMatchObject({ ...refusedGrant, reasons: ["code_expired"] });
    env.clock.advance(60_001);
    const later = await outcome(() => redeem(env.url, client, code, pair));
    expect(later).toMatchObject({ ...refusedGrant, reasons: ["code_unknown"] });
  });

  test.each(["code", "client_id", "code_verifier", "redirect_uri", "grant_type", "resource"])(
    "attacks §1 tokens: %s twice",
    async (name) => {
      const { env, outcome, signIn } = arena();
      const { client, code, pair } = await signIn();
      const form = new URLSearchParams({
        grant_type: "authorization_code",
        client_id: client.clientId,
        redirect_uri: client.redirectUri,
        code_verifier: pair.verifier,
        code,
        resource: `${env.url}/clock/mcp`,
      });
      const twice = new URLSearchParams([...form, [name, form.get(name) ?? ""]]);
      const answer = await outcome(() => fetch(`${env.url}/token`, { method: "POST", body: twice }));
      const error = name === "resource" ? "invalid_target" : "invalid_request";
      expect(answer).toMatchObject({ status: 400, error, reasons: ["repeated_parameter"] });
      expect((await fetch(`${env.url}/token`, { method: "POST", body: form })).status).toBe(200);
    },
  );
});
