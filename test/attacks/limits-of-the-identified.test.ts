import { createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { pkce, postToken, redeem, refresh, register, tokenAnswer } from "../support/oauth-client.ts";
import { type Arena, found, type Outcome, onEachStore, type Session } from "./arena.ts";

const limits = { token: 8, introspect: 5, failedClientAuth: 3, client: 5, principal: 4 };
const minute = 60_000;

const secret = randomBytes(32).toString("base64url");
const secretHashes = [`sha256:${createHash("sha256").update(secret).digest("base64url")}`];
const hosted = { clientId: "hosted", clientSecret: secret, redirectUri: "https://hosted.example/cb" };

onEachStore(
  "attacks §1 limits of who is identified",
  (arena) => {
    /** To the start of a minute of the wall clock, with every bucket full. */
    const nextWindow = (): Arena => {
      const { clock } = arena().env;
      clock.advance(2 * minute - (clock.now() % minute));
      return arena();
    };

    const expectTooMany = (outcome: Outcome): void => {
      expect(outcome).toMatchObject({ status: 429, error: "temporarily_unavailable", reasons: ["rate_limited"] });
      expect(outcome.headers.get("retry-after")).toMatch(/^[1-9]\d?$/);
      expect(outcome.ended).toEqual([]);
    };

    const waitOut = (outcome: Outcome): void =>
      arena().env.clock.advance(Number(outcome.headers.get("retry-after")) * 1000);

    /** Refreshes so often, each time with the newest token. */
    const refreshTimes = async ({ client, tokens }: Session, times: number): Promise<string> => {
      let newest = tokens.refresh_token;
      for (let n = 0; n < times; n += 1) {
        const answer = await refresh(arena().env.url, client, newest);
        expect(answer.status).toBe(200);
        newest = (await tokenAnswer(answer)).refresh_token;
      }
      return newest;
    };

    describe("a user through a client", () => {
      test("past the limit 429, nothing rotated, Cognito not asked; after the wait the same token is good", async () => {
        const { env, session, outcome, store, cognito } = nextWindow();
        const alice = await session();
        const newest = await refreshTimes(alice, limits.principal - 1);
        const writes = () => store.calls.filter(({ operation }) => operation === "swap" || operation === "put").length;
        const [written, asked] = [writes(), cognito.tokenRequests.length];
        const refused = await outcome(() => refresh(env.url, alice.client, newest));
        expectTooMany(refused);
        expect([writes(), cognito.tokenRequests.length]).toEqual([written, asked]);
        waitOut(refused);
        expect((await refresh(env.url, alice.client, newest)).status).toBe(200);
      });

      test("no other user of the same public client is held back, nor the address of them all", async () => {
        const { env, session, outcome } = nextWindow();
        const client = await register(env.url);
        for (const user of ["alice", "bob"] as const) {
          const mine = await session({ user, client });
          const newest = await refreshTimes(mine, limits.principal - 1);
          expectTooMany(await outcome(() => refresh(env.url, mine.client, newest)));
        }
        // Only the two that were refused count on the address: it has what is left, for whoever is unknown.
        const unknown: number[] = [];
        for (let n = 0; n < limits.token; n += 1) unknown.push((await postToken(env.url, { grant_type: "x" })).status);
        expect(unknown).toEqual([...Array(limits.token - 2).fill(400), 429, 429]);
      });

      test("a code that is not redeemed for it is not burned", async () => {
        const { env, session, signIn, outcome } = nextWindow();
        const first = await session();
        await refreshTimes(first, limits.principal - 1);
        const { client, pair, code } = await signIn({ client: first.client });
        const refused = await outcome(() => redeem(env.url, client, code, pair));
        expectTooMany(refused);
        waitOut(refused);
        expect(await outcome(() => redeem(env.url, client, code, pair))).toMatchObject({ status: 200, ended: [] });
      });

      test("who holds a stolen code without its verifier takes nothing from the user's limit", async () => {
        const { env, signIn, outcome } = nextWindow();
        const { client, pair, code } = await signIn();
        for (let n = 0; n < limits.principal + 1; n += 1) {
          const stolen = await outcome(() => redeem(env.url, client, code, pkce()));
          expect(stolen).toMatchObject({ status: 400, error: "invalid_grant", reasons: ["pkce_mismatch"] });
        }
        expect((await redeem(env.url, client, code, pair)).status).toBe(200);
      });

      test("a refresh token under another client's name takes nothing either", async () => {
        const { env, session, outcome } = nextWindow();
        const { client, tokens } = await session();
        const other = await register(env.url);
        for (let n = 0; n < limits.principal + 1; n += 1) {
          const stolen = await outcome(() => refresh(env.url, other, tokens.refresh_token));
          expect(stolen).toMatchObject({ error: "invalid_grant", reasons: ["refresh_client_mismatch"] });
        }
        expect((await refresh(env.url, client, tokens.refresh_token)).status).toBe(200);
      });

      test("a grant that has ended identifies nobody: it counts on the address", async () => {
        const { env, session, outcome } = nextWindow();
        const { client, tokens } = await session();
        const form = { client_id: client.clientId, token: tokens.refresh_token };
        await fetch(`${env.url}/revoke`, { method: "POST", body: new URLSearchParams(form) });
        const statuses: number[] = [];
        for (let n = 0; n < limits.token; n += 1) {
          statuses.push((await outcome(() => refresh(env.url, client, tokens.refresh_token))).status);
        }
        expect(statuses).toEqual([...Array(limits.token - 1).fill(400), 429]);
      });

      test("a store that cannot count refuses nobody below the limit, and lets nobody past it", async () => {
        const { env, session, outcome, store } = nextWindow();
        store.fault = (_, key) => (key.startsWith("limit:") ? "before" : undefined);
        try {
          const alice = await session();
          const newest = await refreshTimes(alice, limits.principal - 1);
          expectTooMany(await outcome(() => refresh(env.url, alice.client, newest)));
        } finally {
          store.fault = undefined;
        }
      });
    });

    describe("a client that authenticates", () => {
      const attempt = (client: typeof hosted, more: Record<string, string> = {}) => {
        const { env, outcome } = arena();
        return outcome(() => redeem(env.url, client, "x", pkce(), { client_secret: client.clientSecret, ...more }));
      };
      const confidential = async (): Promise<typeof hosted> => {
        const client = await register(arena().env.url, { token_endpoint_auth_method: "client_secret_post" });
        return { ...client, clientSecret: found(client.clientSecret, "no secret was given") };
      };

      test("has the right error up to its limit and 429 past it; others are not held back", async () => {
        nextWindow();
        const [client, other] = [await confidential(), await confidential()];
        for (let n = 0; n < limits.client; n += 1) {
          expect(await attempt(client)).toMatchObject({ status: 400, error: "invalid_grant" });
        }
        const refused = await attempt(client);
        expectTooMany(refused);
        expect(await attempt(other)).toMatchObject({ status: 400, error: "invalid_grant" });
        waitOut(refused);
        expect(await attempt(client)).toMatchObject({ status: 400, error: "invalid_grant" });
      });

      test("loses nothing to those who know its id only", async () => {
        nextWindow();
        const client = await confidential();
        for (let n = 0; n < limits.failedClientAuth; n += 1) {
          expect((await attempt(client, { client_secret: `wrong ${n}` })).status).toBe(401);
        }
        expect((await attempt(client, { client_secret: "wrong" })).status).toBe(429);
        arena().env.clock.advance(30_000);
        for (let n = 0; n < limits.client; n += 1) {
          expect(await attempt(client)).toMatchObject({ status: 400, error: "invalid_grant" });
        }
      });

      test("leaves the address alone if it is configured, and not if it registered itself", async () => {
        const { env } = nextWindow();
        for (let n = 0; n < limits.client; n += 1) {
          expect(await attempt(hosted)).toMatchObject({ status: 400, error: "invalid_grant" });
        }
        const count = async (): Promise<number> => {
          let passed = 0;
          while ((await postToken(env.url, { grant_type: "x" })).status === 400) passed += 1;
          return passed;
        };
        expect(await count()).toBe(limits.token);
        nextWindow();
        const client = await confidential();
        for (let n = 0; n < limits.client; n += 1) await attempt(client);
        expect(await count()).toBe(limits.token - limits.client);
      });
    });

    test("a machine has its limit, and wrong secrets of others take nothing from it", async () => {
      const { env, outcome } = nextWindow();
      const { clientId: client_id, clientSecret } = env.machine;
      const ask = (client_secret: string) =>
        outcome(() =>
          postToken(env.url, {
            grant_type: "client_credentials",
            client_id,
            client_secret,
            resource: `${env.url}/clock/mcp`,
          }),
        );
      for (let n = 0; n < limits.failedClientAuth; n += 1) expect((await ask(`wrong ${n}`)).status).toBe(401);
      for (let n = 0; n < limits.principal; n += 1) expect((await ask(clientSecret)).status).toBe(200);
      const refused = await ask(clientSecret);
      expectTooMany(refused);
      waitOut(refused);
      expect((await ask(clientSecret)).status).toBe(200);
    });

    test("a resource server has its limit, and leaves the address alone below it", async () => {
      const { env, outcome } = nextWindow();
      const ask = (client_secret: string) =>
        outcome(() =>
          fetch(`${env.url}/introspect`, {
            method: "POST",
            body: new URLSearchParams({ client_id: "clock", client_secret, token: "x" }),
          }),
        );
      for (let n = 0; n < limits.introspect; n += 1) expect((await ask(secret)).status).toBe(200);
      for (let n = 0; n < limits.failedClientAuth; n += 1) expect((await ask("wrong")).status).toBe(401);
      const refused = await ask(secret);
      expectTooMany(refused);
      waitOut(refused);
      expect((await ask(secret)).status).toBe(200);
    });

    test("nothing in the store says who was counted", () => {
      const counted = arena().store.calls.filter(({ operation }) => operation === "count");
      const keys = counted.map(({ key }) => key).filter((key) => key !== "registrations");
      expect(keys.length).toBeGreaterThan(20);
      for (const key of keys) expect(key).toMatch(/^limit:[A-Za-z0-9_-]{8}\.[A-Za-z0-9_-]{43}:\d+$/);
    });
  },
  {
    change: (settings) => ({
      ...settings,
      limits,
      tokens: { codeTtl: "5m" },
      clients: { [hosted.clientId]: { name: "Hosted", redirectUris: [hosted.redirectUri], secretHashes } },
      resourceServers: { clock: { secretHashes, resources: ["/clock/mcp"] } },
    }),
  },
);
