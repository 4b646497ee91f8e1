import { createHash, generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { libraryBeside } from "../support/library.ts";
import { postToken, redeem, refresh, register, tokenAnswer } from "../support/oauth-client.ts";
import { es256, part } from "./access-tokens.ts";
import { type Arena, onEachStore, type Session } from "./arena.ts";

const hashOf = (secret: string): string => `sha256:${createHash("sha256").update(secret).digest("base64url")}`;
const clockServer = { client_id: "clock-server", client_secret: "clock-secret" };
const notesServer = { client_id: "notes-server", client_secret: "notes-secret" };

type Form = Readonly<Record<string, string>>;
const post = (arena: Arena, path: string, form: Form, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${arena.env.url}${path}`, { method: "POST", body: new URLSearchParams(form), headers });
const basic = (pair: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(pair).toString("base64")}`,
});

onEachStore(
  "attacks §1 tokens and audience, after issue",
  (arena) => {
    const introspect = (token: string, server: Form = clockServer) =>
      arena().outcome(() => post(arena(), "/introspect", { token, ...server }));

    describe("introspection says nothing more than that a token is not active", () => {
      test.each<[string, string, () => Promise<string> | string]>([
        ["nonsense", "token_malformed", () => "nonsense"],
        ["a refresh token", "token_malformed", async () => (await arena().session()).tokens.refresh_token],
        ["a code", "token_malformed", async () => (await arena().signIn()).code],
        [
          "a machine's token of Cognito's own",
          "token_type_invalid",
          async () => {
            const { env } = arena();
            const { clientId, clientSecret } = env.machine;
            const form = new URLSearchParams({ grant_type: "client_credentials" });
            const headers = basic(`${clientId}:${clientSecret}`);
            const answer = await fetch(`${env.cognito.url}/oauth2/token`, { method: "POST", body: form, headers });
            return (await tokenAnswer(answer)).access_token;
          },
        ],
        [
          "one that somebody else signed",
          "token_signature_invalid",
          async () => {
            const { tokens } = await arena().session();
            const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
            return es256(part(tokens.access_token, 0), part(tokens.access_token, 1), privateKey);
          },
        ],
        [
          "one for another server's resource",
          "introspection_forbidden",
          async () => {
            const params = { resource: `${arena().env.url}/notes/mcp` };
            return (await arena().session({ params })).tokens.access_token;
          },
        ],
        [
          "one that is over",
          "token_expired",
          async () => {
            const { tokens } = await arena().session();
            arena().env.clock.advance(600_000);
            return tokens.access_token;
          },
        ],
        [
          "one that was revoked just now",
          "grant_ended",
          async () => {
            const { client, tokens } = await arena().session();
            await introspect(tokens.access_token);
            await post(arena(), "/revoke", { token: tokens.refresh_token, client_id: client.clientId });
            return tokens.access_token;
          },
        ],
      ])("%s", async (_, reason, token) => {
        const answer = await introspect(await token());
        expect(answer).toMatchObject({ status: 200, body: '{"active":false}', reasons: [reason] });
        expect(answer.headers.get("cache-control")).toBe("no-store");
      });

      test("the notes server learns nothing of a token for the clock, which its own server may see", async () => {
        const { tokens } = await arena().session();
        expect((await introspect(tokens.access_token, notesServer)).body).toBe('{"active":false}');
        expect(JSON.parse((await introspect(tokens.access_token)).body)).toMatchObject({ active: true });
      });
    });

    describe("who may introspect", () => {
      /** One sign-in for all of them: nothing here changes it. */
      let session: Promise<Session> | undefined;
      const anySession = (): Promise<Session> => {
        session ??= arena().session();
        return session;
      };

      test.each<[string, Form, Record<string, string>, number, string]>([
        ["nobody", {}, {}, 401, "client_auth_malformed"],
        ["without a secret", { client_id: "clock-server" }, {}, 401, "client_auth_failed"],
        ["a wrong secret", { ...clockServer, client_secret: "wrong" }, {}, 401, "client_auth_failed"],
        ["a wrong secret by Basic", {}, basic("clock-server:wrong"), 401, "client_auth_failed"],
        ["another server's secret", { ...clockServer, client_secret: "notes-secret" }, {}, 401, "client_auth_failed"],
        ["an unknown server", { client_id: "no-server", client_secret: "x" }, {}, 401, "client_auth_failed"],
        [
          "a name that every object has",
          { client_id: "constructor", client_secret: "x" },
          {},
          401,
          "client_auth_failed",
        ],
        ["malformed Basic", {}, { authorization: "Basic %%%" }, 401, "client_auth_malformed"],
        ["a bearer token", {}, { authorization: "Bearer x" }, 401, "client_auth_malformed"],
        ["two ways at once", clockServer, basic("clock-server:clock-secret"), 400, "client_auth_ambiguous"],
      ])("%s: refused, token or no token", async (_, form, headers, status, reason) => {
        const { outcome } = arena();
        const { tokens } = await anySession();
        const answer = await outcome(() =>
          post(arena(), "/introspect", { token: tokens.access_token, ...form }, headers),
        );
        const error = status === 401 ? "invalid_client" : "invalid_request";
        expect(answer).toMatchObject({ status, error, reasons: [reason] });
        const tried = headers.authorization?.startsWith("Basic") === true && status === 401;
        expect(answer.headers.has("www-authenticate")).toBe(tried);
      });

      test("neither an MCP client with its own token, nor a machine with its own secret", async () => {
        const { env, outcome, session } = arena();
        const client = await register(env.url, { token_endpoint_auth_method: "client_secret_post" });
        const { tokens } = await session({ client });
        const { clientId, clientSecret } = env.machine;
        for (const [client_id, client_secret] of [
          [client.clientId, client.clientSecret ?? ""],
          [clientId, clientSecret],
        ] as const) {
          const form = { token: tokens.access_token, client_id, client_secret };
          const answer = await outcome(() => post(arena(), "/introspect", form));
          expect(answer).toMatchObject({ status: 401, error: "invalid_client" });
        }
      });

      test("a token twice, no token, a token in the query", async () => {
        const { env, outcome } = arena();
        const twice = new URLSearchParams([...Object.entries(clockServer), ["token", "a"], ["token", "b"]]);
        const send = (body: URLSearchParams, path = "/introspect") =>
          outcome(() => fetch(`${env.url}${path}`, { method: "POST", body }));
        const refused = { status: 400, error: "invalid_request" };
        expect(await send(twice)).toMatchObject({ ...refused, reasons: ["repeated_parameter"] });
        const none = new URLSearchParams(clockServer);
        expect(await send(none)).toMatchObject({ ...refused, reasons: ["malformed_request"] });
        expect(await send(none, "/introspect?token=a")).toMatchObject({ ...refused, reasons: ["malformed_request"] });
      });

      test("an outage is 503, never “not active”", async () => {
        const { store } = arena();
        const { tokens } = await anySession();
        store.fault = (operation) => (operation === "get" ? "before" : undefined);
        const answer = await introspect(tokens.access_token);
        store.fault = undefined;
        expect(answer).toMatchObject({ status: 503, error: "temporarily_unavailable", reasons: ["store_unavailable"] });
        expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
        expect(JSON.parse((await introspect(tokens.access_token)).body)).toMatchObject({ active: true });
      });

      test("the trail has every refusal and every inactive answer, and no token", async () => {
        const { env } = arena();
        const { tokens } = await anySession();
        const seen = env.audit.length;
        await introspect(tokens.access_token);
        await introspect(tokens.access_token, notesServer);
        await introspect(tokens.access_token, { ...clockServer, client_secret: "wrong" });
        const events = env.audit.slice(seen);
        expect(events).toEqual([
          expect.objectContaining({
            action: "token.introspected",
            client: "notes-server",
            reason: "introspection_forbidden",
            status: 200,
          }),
          expect.objectContaining({
            action: "token.introspected",
            client: "clock-server",
            reason: "client_auth_failed",
            status: 401,
          }),
        ]);
        expect(JSON.stringify(events)).not.toContain(tokens.access_token.split(".")[2]);
      });
    });

    describe("revocation", () => {
      test("by another client: its token is left alone, whichever kind it is (attacks §4 CF 0.8.0)", async () => {
        const { env, mcp, outcome, session, signIn } = arena();
        const mine = await session();
        const other = await register(env.url);
        for (const token of [mine.tokens.refresh_token, mine.tokens.access_token]) {
          const answer = await outcome(() => post(arena(), "/revoke", { token, client_id: other.clientId }));
          expect(answer).toMatchObject({ status: 400, error: "invalid_grant", ended: [] });
          expect(answer.reasons).toEqual(["token_client_mismatch"]);
        }
        // A code names a grant, and is nothing that /revoke acts on (attacks §4 CF 0.8.0).
        const waiting = await signIn({ client: mine.client });
        const form = { token: waiting.code, client_id: mine.client.clientId };
        expect(await outcome(() => post(arena(), "/revoke", form))).toMatchObject({ status: 200, ended: [] });
        expect((await redeem(env.url, mine.client, waiting.code, waiting.pair)).status).toBe(200);
        expect((await mcp(mine.tokens.access_token)).status).toBe(200);
      });

      test("by a resource server: it is no client", async () => {
        const { outcome, session } = arena();
        const { tokens } = await session();
        const answer = await outcome(() => post(arena(), "/revoke", { token: tokens.access_token, ...clockServer }));
        expect(answer).toMatchObject({ status: 401, error: "invalid_client", ended: [] });
      });
    });

    describe("kill switches", () => {
      const end = async (scope: Parameters<Awaited<ReturnType<typeof libraryBeside>>["endGrants"]>[0]) => {
        const library = await libraryBeside(arena().env, arena().store);
        await library.endGrants(scope);
        await library.close();
        return library.audit;
      };
      const userOf = ({ tokens }: Session): string => String(part(tokens.access_token, 1).sub);
      const expectEnded = async ({ client, tokens }: Session): Promise<void> => {
        const { env, mcp, outcome } = arena();
        expect((await mcp(tokens.access_token)).status).toBe(401);
        expect((await introspect(tokens.access_token)).body).toBe('{"active":false}');
        const renewal = await outcome(() => refresh(env.url, client, tokens.refresh_token));
        expect(renewal).toMatchObject({ status: 400, error: "invalid_grant" });
      };

      test.each<[string, (mine: Session) => Parameters<typeof end>[0], boolean, boolean]>([
        ["of a user", (mine) => ({ user: userOf(mine) }), true, false],
        ["of a client", ({ client }) => ({ client: client.clientId }), false, false],
        ["of everyone", () => ({ all: true }), true, true],
      ])(
        "%s: access and refresh end, at Cognito too; others go on; a new sign-in counts",
        async (_, scope, same, all) => {
          const { afterCheckInterval, env, mcp, session } = arena();
          const mine = await session();
          const elsewhere = await session();
          const bobs = await session({ user: "bob" });
          const revoked = () => env.cognito.requests.filter(({ path }) => path === "/oauth2/revoke").length;
          const before = revoked();
          const seen = env.audit.length;
          const audit = await end(scope(mine));
          expect(audit.map(({ action }) => action)).toContain("grants.ended");
          const again = await session({ client: mine.client });
          afterCheckInterval();
          await expectEnded(mine);
          if (same) await expectEnded(elsewhere);
          else expect((await mcp(elsewhere.tokens.access_token)).status).toBe(200);
          if (all) await expectEnded(bobs);
          else expect((await mcp(bobs.tokens.access_token)).status).toBe(200);
          expect((await mcp(again.tokens.access_token)).status).toBe(200);
          const count = [true, same, all].filter(Boolean).length;
          const ends = env.audit.slice(seen).filter(({ action }) => action === "grant.ended");
          expect(ends.map(({ reason }) => reason)).toEqual(Array(count).fill("grant_superseded_by_epoch"));
          await expect.poll(revoked).toBe(before + count);
        },
      );

      test("thrown between code and redemption: the code gives nothing", async () => {
        const { env, outcome, signIn } = arena();
        const { client, code, pair } = await signIn();
        await end({ client: client.clientId });
        env.clock.advance(1_001);
        const answer = await outcome(() => redeem(env.url, client, code, pair));
        expect(answer).toMatchObject({ status: 400, error: "invalid_grant", reasons: ["grant_superseded_by_epoch"] });
        expect(answer.ended).toEqual(["grant_superseded_by_epoch"]);
      });

      test("of a machine, as of a client: its token ends, and the next one counts", async () => {
        const { afterCheckInterval, env, mcp } = arena();
        const { clientId: client_id, clientSecret: client_secret } = env.machine;
        const form = { grant_type: "client_credentials", client_id, client_secret, resource: `${env.url}/clock/mcp` };
        const token = async () => (await tokenAnswer(await postToken(env.url, form))).access_token;
        const first = await token();
        expect((await mcp(first)).status).toBe(200);
        await end({ client: client_id });
        env.clock.advance(1);
        const second = await token();
        afterCheckInterval();
        expect([(await mcp(first)).status, (await mcp(second)).status]).toEqual([401, 200]);
      });

      test("while the store does not answer no switch is thrown, and whoever throws it is told", async () => {
        const { store } = arena();
        store.fault = (_operation, key) => (key.startsWith("epoch:") ? "before" : undefined);
        await expect(end({ all: true })).rejects.toThrow();
        store.fault = undefined;
      });
    });
  },
  {
    change: (settings) => ({
      ...settings,
      resourceServers: {
        "clock-server": { secretHashes: [hashOf("clock-secret")], resources: ["/clock/mcp"] },
        "notes-server": { secretHashes: [hashOf("notes-secret")], resources: ["/notes/mcp"] },
      },
    }),
  },
);
