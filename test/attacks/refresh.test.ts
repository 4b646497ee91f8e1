import { gatewaySection } from "@sallyport/gateway";
import { combine, coreSection, loadConfig } from "sallyport";
import { describe, expect, test } from "vitest";
import { startServer } from "../../packages/cli/src/serve/start-server.ts";
import { freePort } from "../support/environment.ts";
import { redeem, refresh, register, type TokenAnswer, tokenAnswer } from "../support/oauth-client.ts";
import { type Arena, onEachStore, type Session } from "./arena.ts";
import { meetBeforeWriting } from "./watched-store.ts";

const refusedGrant = { status: 400, error: "invalid_grant" } as const;
const minutes = (n: number): number => n * 60_000;

const renewed = async (arena: Arena, { client }: Session, token: string, more: Record<string, string> = {}) => {
  const response = await refresh(arena.env.url, client, token, more);
  const tokens = await tokenAnswer(response);
  expect(response.status, JSON.stringify(tokens)).toBe(200);
  return tokens;
};

/** Requests of the gateway to Cognito for a refresh, so far. */
const refreshesAtCognito = ({ env }: Arena): number =>
  env.cognito.requests.filter(({ grantType }) => grantType === "refresh_token").length;

onEachStore("attacks §1 tokens", (arena) => {
  describe("type confusion (attacks §4 FM)", () => {
    test("a code, an access token, and nonsense as refresh token", async () => {
      const { env, outcome, session, signIn } = arena();
      const { client, tokens, code } = await session();
      const unused = await signIn({ client });
      for (const token of [tokens.access_token, code, unused.code, "", "x", `${tokens.refresh_token}x`]) {
        const answer = await outcome(() => refresh(env.url, client, token));
        const reason = token === "" ? "malformed_request" : "refresh_malformed";
        expect(answer).toMatchObject({ status: 400, reasons: [reason], ended: [] });
        expect(answer.error).toBe(token === "" ? "invalid_request" : "invalid_grant");
      }
      await renewed(arena(), { client, tokens, code, pair: unused.pair }, tokens.refresh_token);
      expect((await redeem(env.url, client, unused.code, unused.pair)).status).toBe(200);
    });

    test("a refresh token and an access token as code", async () => {
      const { env, outcome, session } = arena();
      const { client, pair, tokens } = await session();
      env.clock.advance(6_000);
      for (const token of [tokens.refresh_token, tokens.access_token]) {
        const answer = await outcome(() => redeem(env.url, client, token, pair));
        expect(answer).toMatchObject({ ...refusedGrant, reasons: ["code_malformed"], ended: [] });
      }
    });

    test("a refresh token and a code as access token", async () => {
      const { mcp, outcome, session, signIn } = arena();
      const { tokens } = await session();
      const { code } = await signIn();
      for (const token of [tokens.refresh_token, code]) {
        const answer = await outcome(() => mcp(token));
        expect(answer).toMatchObject({ status: 401, error: "invalid_token", reasons: ["token_malformed"] });
        expect(answer.headers.get("www-authenticate")).toContain('error="invalid_token"');
      }
    });

    test.each([
      ["the tag", (token: string) => `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`],
      ["the number", (token: string) => token.replace(".1.", ".2.")],
      ["the grant", (token: string) => `${"A".repeat(43)}${token.slice(43)}`],
      ["the key id", (token: string) => token.replace(/\.1\.[^.]{8}\./, ".1.AAAAAAAA.")],
    ])("nobody ends a grant by guessing: %s changed", async (_, bend) => {
      const { env, outcome, session, store } = arena();
      const mine = await session();
      await renewed(arena(), mine, mine.tokens.refresh_token);
      env.clock.advance(minutes(2));
      const seen = store.calls.length;
      const answer = await outcome(() => refresh(env.url, mine.client, bend(mine.tokens.refresh_token)));
      expect(answer).toMatchObject({ ...refusedGrant, reasons: ["refresh_malformed"], ended: [] });
      expect(store.calls.slice(seen).filter(({ key }) => key.startsWith("grant:"))).toEqual([]);
    });
  });

  describe("who may refresh, and to what", () => {
    test("another client may not (attacks §4 FM, OA), and the token stays good", async () => {
      const { env, outcome, session } = arena();
      const mine = await session();
      const other = await register(env.url);
      const answer = await outcome(() => refresh(env.url, other, mine.tokens.refresh_token));
      expect(answer).toMatchObject({ ...refusedGrant, reasons: ["refresh_client_mismatch"], ended: [] });
      await renewed(arena(), mine, mine.tokens.refresh_token);
    });

    test("nor may it end the grant with a used token", async () => {
      const { env, outcome, session } = arena();
      const mine = await session();
      const { refresh_token } = await renewed(arena(), mine, mine.tokens.refresh_token);
      env.clock.advance(minutes(2));
      const other = await register(env.url);
      const answer = await outcome(() => refresh(env.url, other, mine.tokens.refresh_token));
      expect(answer).toMatchObject({ ...refusedGrant, reasons: ["refresh_client_mismatch"], ended: [] });
      await renewed(arena(), mine, refresh_token);
    });

    test("a confidential client only with its secret (attacks §4 BA #9576)", async () => {
      const { env, outcome, session } = arena();
      const client = await register(env.url, { token_endpoint_auth_method: "client_secret_basic" });
      const { tokens } = await session({ client });
      for (const client_secret of ["", "wrong"]) {
        const answer = await outcome(() => refresh(env.url, client, tokens.refresh_token, { client_secret }));
        expect(answer).toMatchObject({ status: 401, error: "invalid_client", reasons: ["client_auth_failed"] });
      }
      const { clientSecret = "" } = client;
      const right = await refresh(env.url, client, tokens.refresh_token, { client_secret: clientSecret });
      expect(right.status).toBe(200);
    });

    test("a client that did not register for refresh tokens gets none", async () => {
      const { env, session } = arena();
      const client = await register(env.url, { grant_types: ["authorization_code"] });
      const { tokens } = await session({ client });
      expect(tokens).not.toHaveProperty("refresh_token");
      const answer = await arena().outcome(() => refresh(env.url, client, "x"));
      expect(answer).toMatchObject({ status: 400, error: "unauthorized_client", reasons: ["grant_type_not_allowed"] });
    });

    test("narrowed, then back to what was granted, never beyond it", async () => {
      const { env, outcome, session } = arena();
      const mine = await session({ params: { scope: "mcp/write" } });
      expect(mine.tokens.scope).toBe("mcp/read mcp/write");
      const narrow = await renewed(arena(), mine, mine.tokens.refresh_token, { scope: "mcp/read" });
      expect(narrow.scope).toBe("mcp/read");
      // Narrowed once, not for good (RFC 6749 §6).
      const whole = await renewed(arena(), mine, narrow.refresh_token);
      expect(whole.scope).toBe("mcp/read mcp/write");
      for (const scope of ["mcp/admin", "mcp/read mcp/admin", "no/such"]) {
        const answer = await outcome(() => refresh(env.url, mine.client, whole.refresh_token, { scope }));
        expect(answer).toMatchObject({ status: 400, error: "invalid_scope", reasons: ["refresh_scope_widened"] });
      }
      const wide = await renewed(arena(), mine, whole.refresh_token, { scope: "mcp/write" });
      expect(wide.scope).toBe("mcp/read mcp/write");
      expect((await renewed(arena(), mine, wide.refresh_token)).scope).toBe("mcp/read mcp/write");
    });

    test("a user gets no scope that the groups do not give, whatever is asked for", async () => {
      const { session } = arena();
      const mine = await session({ user: "bob", params: { scope: "mcp/admin" } });
      expect(mine.tokens.scope).toBe("mcp/read");
      const answer = await arena().outcome(() =>
        refresh(arena().env.url, mine.client, mine.tokens.refresh_token, { scope: "mcp/admin" }),
      );
      expect(answer).toMatchObject({ status: 400, error: "invalid_scope" });
    });

    test.each([
      ["another of ours", "/notes/mcp", "refresh_resource_mismatch"],
      ["unknown", "https://evil.example/mcp", "resource_unknown"],
    ])("a resource that is %s: refused, and the token stays good (attacks §3)", async (_, path, reason) => {
      const { env, outcome, session } = arena();
      const mine = await session();
      const resource = new URL(path, env.url).href;
      const answer = await outcome(() => refresh(env.url, mine.client, mine.tokens.refresh_token, { resource }));
      expect(answer).toMatchObject({ status: 400, error: "invalid_target", reasons: [reason], ended: [] });
      await renewed(arena(), mine, mine.tokens.refresh_token, { resource: `${env.url}/clock/mcp` });
    });

    test.each(["refresh_token", "client_id", "grant_type", "scope", "resource"])("%s twice", async (name) => {
      const { env, outcome, session } = arena();
      const { client, tokens } = await session();
      const form = new URLSearchParams({
        grant_type: "refresh_token",
        client_id: client.clientId,
        refresh_token: tokens.refresh_token,
        scope: "mcp/read",
        resource: `${env.url}/clock/mcp`,
      });
      const twice = new URLSearchParams([...form, [name, form.get(name) ?? ""]]);
      const answer = await outcome(() => fetch(`${env.url}/token`, { method: "POST", body: twice }));
      const error = name === "resource" ? "invalid_target" : "invalid_request";
      expect(answer).toMatchObject({ status: 400, error, reasons: ["repeated_parameter"], ended: [] });
      expect((await fetch(`${env.url}/token`, { method: "POST", body: form })).status).toBe(200);
    });
  });

  describe("rotation", () => {
    test("a repeat within the grace window answers the same successor", async () => {
      const { env, session } = arena();
      const mine = await session();
      const first = await renewed(arena(), mine, mine.tokens.refresh_token);
      env.clock.advance(50_000);
      const second = await renewed(arena(), mine, mine.tokens.refresh_token);
      expect(second.refresh_token).toBe(first.refresh_token);
      expect(second.refresh_token).not.toBe(mine.tokens.refresh_token);
      const next = await renewed(arena(), mine, first.refresh_token);
      expect(next.refresh_token).not.toBe(first.refresh_token);
    });

    test("a repeat after the successor was used: refused, and nothing ends", async () => {
      const { env, mcp, outcome, session } = arena();
      const mine = await session();
      const first = await renewed(arena(), mine, mine.tokens.refresh_token);
      const second = await renewed(arena(), mine, first.refresh_token);
      const answer = await outcome(() => refresh(env.url, mine.client, mine.tokens.refresh_token));
      expect(answer).toMatchObject({ ...refusedGrant, reasons: ["refresh_successor_used"], ended: [] });
      arena().afterCheckInterval();
      expect((await mcp(second.access_token)).status).toBe(200);
      await renewed(arena(), mine, second.refresh_token);
    });

    test("reuse after the window kills the family, descendants and access tokens (attacks §3)", async () => {
      const { afterCheckInterval, env, mcp, outcome, session } = arena();
      const mine = await session();
      const first = await renewed(arena(), mine, mine.tokens.refresh_token);
      const second = await renewed(arena(), mine, first.refresh_token);
      env.clock.advance(60_001);
      expect((await mcp(second.access_token)).status).toBe(200);
      const answer = await outcome(() => refresh(env.url, mine.client, mine.tokens.refresh_token));
      expect(answer).toMatchObject({ ...refusedGrant, reasons: ["refresh_reused"], ended: ["refresh_reused"] });
      afterCheckInterval();
      for (const token of [mine.tokens.access_token, first.access_token, second.access_token]) {
        expect(await outcome(() => mcp(token))).toMatchObject({ status: 401, reasons: ["grant_ended"] });
      }
      for (const token of [mine.tokens.refresh_token, first.refresh_token, second.refresh_token]) {
        const again = await outcome(() => refresh(env.url, mine.client, token));
        expect(again).toMatchObject({ ...refusedGrant, reasons: ["grant_ended"], ended: [] });
      }
    });

    test("a token that was given out long ago, behind the ring of remembered ones, is a reuse as well", async () => {
      const { env, outcome, session } = arena();
      const mine = await session();
      let { refresh_token } = mine.tokens;
      for (let n = 0; n < 4; n += 1) {
        ({ refresh_token } = await renewed(arena(), mine, refresh_token));
        env.clock.advance(61_000);
      }
      const answer = await outcome(() => refresh(env.url, mine.client, mine.tokens.refresh_token));
      expect(answer).toMatchObject({ ...refusedGrant, reasons: ["refresh_reused"], ended: ["refresh_reused"] });
    });

    test("ten at once, each of which has read the token as unused: one successor", async () => {
      const { env, session, store } = arena();
      const mine = await session();
      const { client, tokens } = mine;
      store.pause = meetBeforeWriting("grant", 10);
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => refresh(env.url, client, tokens.refresh_token)),
      );
      store.pause = undefined;
      expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
      const successors = new Set((await Promise.all(answers.map(tokenAnswer))).map((answer) => answer.refresh_token));
      expect(successors.size).toBe(1);
      for (const successor of successors) await renewed(arena(), mine, successor);
    });

    test("ten at once from two replicas: one call to Cognito, one successor (attacks §3)", async () => {
      const { env, session, store } = arena();
      const port = await freePort();
      const schema = combine([coreSection, gatewaySection]);
      const overrides = { ...env.settings, listen: `127.0.0.1:${port}` };
      const { config } = await loadConfig({ schema, env: {}, overrides });
      // The store is the other replica's to close.
      const shared = { ...store, close: async () => {} };
      const replica = await startServer(config, { clock: env.clock, store: shared });
      try {
        const { client, tokens } = await session();
        // Cognito's word has run out, so that every one of them would have to ask.
        env.clock.advance(minutes(16));
        const asked = refreshesAtCognito(arena());
        store.latency = 2;
        const replicas = [env.url, `http://localhost:${port}`];
        const answers = await Promise.all(
          Array.from({ length: 10 }, (_, n) => refresh(replicas[n % 2] ?? env.url, client, tokens.refresh_token)),
        );
        store.latency = 0;
        expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
        const all = await Promise.all(answers.map(tokenAnswer));
        expect(new Set(all.map(({ refresh_token }) => refresh_token)).size).toBe(1);
        expect(refreshesAtCognito(arena()) - asked).toBe(1);
      } finally {
        store.latency = 0;
        await replica.close();
      }
    });
  });

  describe("the user at Cognito", () => {
    const afterwards = async (mine: Session, tokens: TokenAnswer): Promise<void> => {
      const { env, mcp, outcome } = arena();
      const call = await outcome(() => mcp(tokens.access_token));
      expect(call).toMatchObject({ status: 401, reasons: ["grant_ended"], ended: ["upstream_ended"] });
      const renewal = await outcome(() => refresh(env.url, mine.client, tokens.refresh_token));
      expect(renewal).toMatchObject({ ...refusedGrant, reasons: ["grant_ended"] });
    };

    test.each([
      [
        "disabled",
        ({ pool }: Arena["env"]["cognito"]) => pool.disableUser("bob@example.com"),
        ({ pool }: Arena["env"]["cognito"]) => pool.enableUser("bob@example.com"),
      ],
      [
        "signed out everywhere",
        ({ pool }: Arena["env"]["cognito"]) => pool.revokeAllTokens("bob@example.com"),
        () => {},
      ],
    ])("%s: access and refresh end", async (_, act, undo) => {
      const { env, session } = arena();
      const mine = await session({ user: "bob" });
      env.clock.advance(minutes(9));
      const tokens = await renewed(arena(), mine, mine.tokens.refresh_token);
      act(env.cognito);
      env.clock.advance(minutes(7));
      await afterwards(mine, tokens);
      undo(env.cognito);
      // Nothing brings the grant back.
      const again = await arena().outcome(() => refresh(env.url, mine.client, tokens.refresh_token));
      expect(again).toMatchObject({ ...refusedGrant, reasons: ["grant_ended"] });
    });

    test("taken out of a group: the scope goes with it, at the next look, without a new sign-in", async () => {
      const { env, mcp, outcome, session } = arena();
      const mine = await session({ user: "bob" });
      env.clock.advance(minutes(9));
      const tokens = await renewed(arena(), mine, mine.tokens.refresh_token);
      env.cognito.pool.setGroups("bob@example.com", []);
      env.clock.advance(minutes(7));
      const call = await outcome(() => mcp(tokens.access_token));
      expect(call).toMatchObject({ status: 403, reasons: ["not_permitted"] });
      expect(call.headers.has("www-authenticate")).toBe(false);
      const renewal = await outcome(() => refresh(env.url, mine.client, tokens.refresh_token));
      expect(renewal).toMatchObject({ ...refusedGrant, reasons: ["not_entitled"], ended: [] });
      env.cognito.pool.setGroups("bob@example.com", ["mcp-readers"]);
      env.clock.advance(minutes(16));
      expect((await renewed(arena(), mine, tokens.refresh_token)).scope).toBe("mcp/read");
    });
  });

  test("a refresh in the last minute of a grant answers a short token (attacks §4 CF: 500)", async () => {
    const { env, session } = arena();
    const mine = await session();
    env.clock.advance(29 * 86_400_000);
    const tokens = await renewed(arena(), mine, mine.tokens.refresh_token);
    env.clock.advance(86_400_000 - minutes(1));
    const last = await renewed(arena(), mine, tokens.refresh_token);
    expect(last.expires_in).toBeGreaterThan(0);
    expect(last.expires_in).toBeLessThanOrEqual(60);
  });
});
