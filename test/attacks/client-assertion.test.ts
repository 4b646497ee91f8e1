import { createHmac } from "node:crypto";
import type { CoreConfigInput } from "sallyport";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { asForm, clientKeys, goodClaims, jwt } from "../support/client-keys.ts";
import { startDocumentHost } from "../support/document-host.ts";
import { libraryBeside } from "../support/library.ts";
import { authorizeUrl, pkce, postToken, redeem, refresh, register, tokenAnswer } from "../support/oauth-client.ts";
import { onEachStore } from "./arena.ts";

type Json = Readonly<Record<string, unknown>>;

/** A machine's own keys; one that publishes its keys; an MCP client with keys; and somebody else's. */
const robot = clientKeys("ES256");
const rsaRobot = clientKeys("RS256", "rsa");
const publisher = clientKeys("ES256", "published");
const app = clientKeys("EdDSA");
const mallory = clientKeys("ES256");
const jwksUri = "https://keys.client.example/jwks";
const appRedirect = "https://app.example/cb";
const host = await startDocumentHost();
afterAll(() => host.close());

type Machines = NonNullable<CoreConfigInput["machines"]>;
const machine = { scopes: ["mcp/read"] };
const more: Partial<CoreConfigInput> = {
  clients: { app: { name: "An app", redirectUris: [appRedirect], jwks: { keys: [app.jwk] } } },
};
const machines = {
  robot: { ...machine, jwks: { keys: [robot.jwk, rsaRobot.jwk] } },
  "other+robot": { ...machine, jwks: { keys: [mallory.jwk] } },
  publisher: { ...machine, jwksUri },
};
const failuresAMinute = 20;

onEachStore(
  "attacks §1 tokens, client assertions",
  (arena) => {
    beforeEach(() => {
      host.publish(jwksUri, { keys: [publisher.jwk] });
      // A full allowance of failures for every client, and everything that was fetched is old.
      arena().env.clock.advance(86_400_000);
    });

    const claims = (id = "robot", change: Json = {}): Json => ({
      ...goodClaims(id, arena().env.url, arena().env.clock.now()),
      ...change,
    });
    const ask = (form: Record<string, string>, headers: Record<string, string> = {}) => {
      const { env } = arena();
      const all = { grant_type: "client_credentials", resource: `${env.url}/clock/mcp`, ...form };
      return postToken(env.url, all, headers);
    };
    const cognitoForm = () => {
      const { clientId, clientSecret } = arena().env.machine;
      return { client_id: clientId, client_secret: clientSecret };
    };
    const refusal = (reason: string) => ({ status: 401, error: "invalid_client", reasons: [reason], ended: [] });

    describe("a machine with keys of its own", () => {
      test("gets a token for one resource with the administrator's scopes, and Cognito is not asked (control)", async () => {
        const { env, mcp, outcome } = arena();
        const calls = env.cognito.requests.length;
        const tokens = await tokenAnswer(await ask({ ...robot.assertion(claims()), scope: "mcp/admin openid" }));
        expect(tokens).toMatchObject({ scope: "mcp/read", expires_in: 600 });
        expect(tokens).not.toHaveProperty("refresh_token");
        expect((await mcp(tokens.access_token)).status).toBe(200);
        expect(await outcome(() => mcp(tokens.access_token, "/notes/mcp"))).toMatchObject({
          status: 401,
          reasons: ["token_audience_mismatch"],
        });
        expect(env.cognito.requests).toHaveLength(calls);
        const revoked = await fetch(`${env.url}/revoke`, {
          method: "POST",
          body: new URLSearchParams({ token: tokens.access_token, ...robot.assertion(claims()) }),
        });
        expect(revoked.status).toBe(200);
        expect(await outcome(() => mcp(tokens.access_token))).toMatchObject({ status: 401, reasons: ["grant_ended"] });
      });

      test.each([
        ["RSA key", () => rsaRobot.assertion(claims(), { kid: "rsa" })],
        ["the token endpoint as audience", () => robot.assertion(claims("robot", { aud: `${arena().env.url}/token` }))],
        ["client_id beside it", () => ({ ...robot.assertion(claims()), client_id: "robot" })],
        ["a published key", () => publisher.assertion(claims("publisher"), { kid: "published" })],
      ])("%s (control)", async (_, form) => {
        expect((await ask(form())).status).toBe(200);
      });
    });

    describe("replay", () => {
      test("an assertion counts once, at whatever endpoint", async () => {
        const { env, outcome } = arena();
        const form = robot.assertion(claims());
        expect((await ask(form)).status).toBe(200);
        expect(await outcome(() => ask(form))).toMatchObject(refusal("client_assertion_replayed"));
        const elsewhere = () =>
          fetch(`${env.url}/revoke`, { method: "POST", body: new URLSearchParams({ token: "x", ...form }) });
        expect(await outcome(elsewhere)).toMatchObject(refusal("client_assertion_replayed"));
        env.clock.advance(359_000);
        expect(await outcome(() => ask(form))).toMatchObject(refusal("client_assertion_replayed"));
      });

      test("of eight at once one counts", async () => {
        const form = robot.assertion(claims());
        const statuses = await Promise.all(Array.from({ length: 8 }, async () => (await ask(form)).status));
        expect(statuses.toSorted()).toEqual([200, ...Array(7).fill(401)]);
      });

      test("a wrong assertion uses nobody's jti up, and another client's same jti neither", async () => {
        const { outcome } = arena();
        const jti = "j".repeat(40);
        const forged = mallory.assertion(claims("robot", { jti }));
        expect(await outcome(() => ask(forged))).toMatchObject(refusal("client_assertion_invalid"));
        const elsewhere = robot.assertion(claims("robot", { jti, aud: "https://other.example" }));
        expect(await outcome(() => ask(elsewhere))).toMatchObject(refusal("client_assertion_invalid"));
        expect((await ask(mallory.assertion(claims("other+robot", { jti })))).status).toBe(200);
        expect((await ask(robot.assertion(claims("robot", { jti })))).status).toBe(200);
      });
    });

    describe("an assertion that is wrong: 401", () => {
      const now = (): number => Math.floor(arena().env.clock.now() / 1000);
      test.each<[string, () => Record<string, string>]>([
        ["another server's audience", () => robot.assertion(claims("robot", { aud: "https://other.example" }))],
        ["the issuer in a list", () => robot.assertion(claims("robot", { aud: [arena().env.url] }))],
        [
          "two audiences, ours among them",
          () => robot.assertion(claims("robot", { aud: [arena().env.url, "https://other.example"] })),
        ],
        ["the resource as audience", () => robot.assertion(claims("robot", { aud: `${arena().env.url}/clock/mcp` }))],
        ["another client's key", () => mallory.assertion(claims("robot"))],
        ["another client's key, named", () => mallory.assertion(claims("robot"), { kid: "rsa" })],
        ["another issuer than subject", () => robot.assertion(claims("robot", { iss: "other+robot" }))],
        ["expired", () => robot.assertion(claims("robot", { iat: now() - 300, exp: now() - 61 }))],
        ["far ahead", () => robot.assertion(claims("robot", { iat: undefined, exp: now() + 3600 }))],
        ["no expiry", () => robot.assertion(claims("robot", { exp: undefined }))],
        ["no jti", () => robot.assertion(claims("robot", { jti: undefined }))],
        ["a jti of 10,000 characters", () => robot.assertion(claims("robot", { jti: "j".repeat(5000) }))],
        ["not valid yet", () => robot.assertion(claims("robot", { nbf: now() + 120 }))],
        ["a critical extension", () => robot.assertion(claims(), { crit: ["b64"], b64: false })],
        ["an access token's type", () => robot.assertion(claims(), { typ: "at+jwt" })],
        ["alg none, no signature", () => asForm(jwt({ alg: "none" }, claims(), () => Buffer.alloc(0)))],
        ["alg none, some signature", () => asForm(jwt({ alg: "none" }, claims(), () => Buffer.from("x")))],
        [
          "HS256 with the public key's text as secret",
          () =>
            asForm(
              jwt({ alg: "HS256" }, claims(), (input) =>
                createHmac("sha256", rsaRobot.publicKey.export({ type: "spki", format: "pem" }))
                  .update(input)
                  .digest(),
              ),
            ),
        ],
        [
          "HS256 with the public JWK as secret",
          () =>
            asForm(
              jwt({ alg: "HS256" }, claims(), (input) =>
                createHmac("sha256", JSON.stringify(robot.jwk)).update(input).digest(),
              ),
            ),
        ],
        [
          "a key of the assertion's own header",
          () => mallory.assertion(claims("robot"), { jwk: mallory.jwk, jku: "https://evil.example/jwks" }),
        ],
        ["no assertion at all", () => ({ client_id: "robot" })],
      ])("%s", async (_, form) => {
        const { outcome } = arena();
        const answer = await outcome(() => ask(form()));
        expect(answer).toMatchObject({ status: 401, error: "invalid_client", ended: [] });
        expect(answer.reasons).toEqual([
          expect.stringMatching(/^client_(?:assertion_invalid|auth_(?:malformed|failed))$/),
        ]);
        // What is told is about the assertion; nothing of what it held comes back.
        expect(answer.body).not.toContain("evil.example");
        expect((await ask(robot.assertion(claims()))).status).toBe(200);
      });

      test.each<[string, () => Record<string, string>, string]>([
        ["no type", () => ({ client_assertion: robot.assertion(claims()).client_assertion }), "client_auth_malformed"],
        [
          "SAML's type",
          () => ({
            ...robot.assertion(claims()),
            client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
          }),
          "client_auth_malformed",
        ],
        [
          "another client_id beside it",
          () => ({ ...robot.assertion(claims()), client_id: "app" }),
          "client_auth_malformed",
        ],
        ["no client of this name", () => robot.assertion(claims("nobody")), "client_auth_failed"],
        ["a name that every object has", () => robot.assertion(claims("constructor")), "client_auth_failed"],
      ])("%s", async (_, form, reason) => {
        expect(await arena().outcome(() => ask(form()))).toMatchObject(refusal(reason));
      });
    });

    describe("two ways at once: 400, and the assertion is not used up", () => {
      test.each<[string, Record<string, string>, Record<string, string>]>([
        ["a secret in the form", { client_secret: "x" }, {}],
        ["Basic", {}, { authorization: `Basic ${Buffer.from("robot:x").toString("base64")}` }],
        ["a bearer token", {}, { authorization: "Bearer x" }],
      ])("%s", async (_, form, headers) => {
        const { outcome } = arena();
        const assertion = robot.assertion(claims());
        expect(await outcome(() => ask({ ...assertion, ...form }, headers))).toMatchObject({
          status: 400,
          error: "invalid_request",
          reasons: ["client_auth_ambiguous"],
        });
        expect((await ask(assertion)).status).toBe(200);
      });
    });

    describe("each machine has one way", () => {
      test("a secret from a machine with keys, and Cognito is not asked", async () => {
        const { env, outcome } = arena();
        const calls = env.cognito.requests.length;
        const form = { client_id: "robot", client_secret: "anything" };
        expect(await outcome(() => ask(form))).toMatchObject(refusal("client_auth_failed"));
        expect(env.cognito.requests).toHaveLength(calls);
      });

      test("an assertion from a machine of Cognito's, and Cognito is not asked", async () => {
        const { env, outcome } = arena();
        const calls = env.cognito.requests.length;
        const form = robot.assertion(claims(env.machine.clientId));
        expect(await outcome(() => ask(form))).toMatchObject(refusal("client_auth_failed"));
        expect(env.cognito.requests).toHaveLength(calls);
      });

      test("whoever fails too often is told so, and the right key is never refused", async () => {
        const { outcome } = arena();
        for (let i = 0; i < failuresAMinute; i++) await ask(mallory.assertion(claims()));
        expect(await outcome(() => ask(mallory.assertion(claims())))).toMatchObject({
          status: 429,
          error: "invalid_client",
          reasons: ["rate_limited"],
        });
        expect((await ask(robot.assertion(claims()))).status).toBe(200);
        expect((await outcome(() => ask(robot.assertion(claims("publisher"))))).status).toBe(401);
      });
    });

    describe("a machine that the configuration has no more: its token counts no more, whatever it came with", () => {
      const { robot: withKeys, ...others } = machines;
      test.each<[string, () => Promise<Response>, (configured: Machines) => Machines]>([
        ["its keys are gone", () => ask(robot.assertion(claims())), (all) => ({ ...all, robot: machine })],
        ["it is gone", () => ask(robot.assertion(claims())), () => others],
        ["it is gone, and was Cognito's", () => ask(cognitoForm()), () => machines],
        ["it has keys now, and was Cognito's", () => ask(cognitoForm()), (all) => ({ ...all, demomachine: withKeys })],
      ])("%s", async (_, come, change) => {
        const { env, store } = arena();
        const { access_token } = await tokenAnswer(await come());
        const { settings, clock } = env;
        const request = new Request(`${env.url}/clock/mcp`, { headers: { authorization: `Bearer ${access_token}` } });
        const before = await libraryBeside({ settings, clock }, store);
        expect(await before.verify(request)).toMatchObject({ kind: "machine", doors: { token: true, grant: true } });
        const after = await libraryBeside(
          { settings: { ...settings, machines: change(settings.machines ?? {}) }, clock },
          store,
        );
        await expect(after.verify(request)).rejects.toMatchObject({ status: 401, reason: "machine_unknown" });
      });
    });

    describe("published keys", () => {
      test("a spray of kids, keys and signatures makes one fetch in 30 s", async () => {
        const { env } = arena();
        expect((await ask(publisher.assertion(claims("publisher")))).status).toBe(200);
        env.clock.advance(30_000);
        const before = host.requestsFor(jwksUri);
        const spray = Array.from({ length: 15 }, (_, i) =>
          i % 2 === 0
            ? publisher.assertion(claims("publisher"), { kid: `kid-${i}` })
            : mallory.assertion(claims("publisher"), { kid: "published" }),
        );
        for (const form of spray) expect((await ask(form)).status).toBe(401);
        expect(host.requestsFor(jwksUri) - before).toBe(1);
        env.clock.advance(30_000);
        await Promise.all(spray.map((form) => ask(form)));
        expect(host.requestsFor(jwksUri) - before).toBe(2);
      });

      test("a new key counts at once, and the one that was taken out no more", async () => {
        const { env } = arena();
        expect((await ask(publisher.assertion(claims("publisher")))).status).toBe(200);
        env.clock.advance(30_000);
        const next = clientKeys("ES256");
        host.publish(jwksUri, { keys: [next.jwk] });
        expect((await ask(next.assertion(claims("publisher")))).status).toBe(200);
        expect((await ask(publisher.assertion(claims("publisher")))).status).toBe(401);
      });

      test("while they cannot be had: 503, nothing counts as failed, nothing is used up", async () => {
        const { env, outcome } = arena();
        host.serve(jwksUri, (_, response) => response.writeHead(404).end());
        const form = publisher.assertion(claims("publisher"));
        for (let i = 0; i < 3; i++) {
          expect(await outcome(() => ask(form))).toMatchObject({
            status: 503,
            error: "temporarily_unavailable",
            reasons: ["client_keys_unavailable"],
          });
        }
        host.publish(jwksUri, { keys: [publisher.jwk] });
        env.clock.advance(5_000);
        expect((await ask(form)).status).toBe(200);
      });
    });

    describe("an MCP client with keys", () => {
      test("redeems and refreshes with an assertion each, and with nothing less", async () => {
        const { env, outcome, signIn } = arena();
        const client = { clientId: "app", redirectUri: appRedirect };
        const { code, pair } = await signIn({ client });
        for (const less of [{}, { client_secret: "x" }]) {
          const answer = await outcome(() => redeem(env.url, client, code, pair, less));
          expect(answer).toMatchObject(refusal("client_auth_failed"));
        }
        const anothers = mallory.assertion(claims("app"));
        expect(await outcome(() => redeem(env.url, client, code, pair, anothers))).toMatchObject(
          refusal("client_assertion_invalid"),
        );
        const first = app.assertion(claims("app"));
        const tokens = await tokenAnswer(await redeem(env.url, client, code, pair, first));
        expect(await outcome(() => refresh(env.url, client, tokens.refresh_token, first))).toMatchObject(
          refusal("client_assertion_replayed"),
        );
        const renewed = await refresh(env.url, client, tokens.refresh_token, app.assertion(claims("app")));
        expect(renewed.status).toBe(200);
      });

      test("one that registered its keys itself does so too", async () => {
        const { env, outcome, signIn } = arena();
        const keys = clientKeys("PS256");
        const client = await register(env.url, {
          token_endpoint_auth_method: "private_key_jwt",
          jwks: { keys: [keys.jwk] },
        });
        expect(client).not.toHaveProperty("clientSecret");
        const { code, pair } = await signIn({ client });
        expect(await outcome(() => redeem(env.url, client, code, pair))).toMatchObject(refusal("client_auth_failed"));
        const form = keys.assertion(claims(client.clientId));
        expect((await redeem(env.url, client, code, pair, form)).status).toBe(200);
      });

      test("a public client's assertion is no way in", async () => {
        const { env, outcome, signIn } = arena();
        const { client, code, pair } = await signIn();
        const form = mallory.assertion(claims(client.clientId));
        expect(await outcome(() => redeem(env.url, client, code, pair, form))).toMatchObject(
          refusal("client_auth_failed"),
        );
        expect((await redeem(env.url, client, code, pair)).status).toBe(200);
      });

      test("is no machine, whatever it registered", async () => {
        const { env, outcome } = arena();
        const keys = clientKeys("ES256");
        const client = await register(env.url, {
          token_endpoint_auth_method: "private_key_jwt",
          client_name: "robot",
          client_id: "robot",
          scope: "mcp/read mcp/admin",
          jwks: { keys: [keys.jwk] },
        });
        expect(client.clientId).not.toBe("robot");
        for (const id of [client.clientId, "robot", "app"]) {
          const form = keys.assertion(claims(id));
          expect(await outcome(() => ask(form))).toMatchObject({ status: 401, error: "invalid_client" });
        }
        const body = { redirect_uris: [appRedirect], grant_types: ["client_credentials"], jwks: { keys: [keys.jwk] } };
        const answer = await outcome(() =>
          fetch(`${env.url}/register`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ ...body, token_endpoint_auth_method: "private_key_jwt" }),
          }),
        );
        expect(answer).toMatchObject({ status: 400, error: "invalid_client_metadata" });
      });

      test("and a machine is no MCP client", async () => {
        const { env, outcome } = arena();
        const authorize = () => fetch(authorizeUrl(env.url, { clientId: "robot", redirectUri: appRedirect }, pkce()));
        expect(await outcome(authorize)).toMatchObject({ status: 400, reasons: ["client_unknown"] });
        const form = { client_id: "robot", ...robot.assertion(claims()) };
        expect(
          await outcome(() => postToken(env.url, { grant_type: "refresh_token", refresh_token: "x", ...form })),
        ).toMatchObject({ status: 401, error: "invalid_client" });
      });
    });

    test("the metadata name the method and its algorithms, and none that is refused above", async () => {
      const metadata = Object(await (await fetch(`${arena().env.url}/.well-known/oauth-authorization-server`)).json());
      for (const endpoint of ["token", "revocation"]) {
        expect(metadata[`${endpoint}_endpoint_auth_methods_supported`]).toContain("private_key_jwt");
        expect(metadata[`${endpoint}_endpoint_auth_signing_alg_values_supported`]).toEqual([
          "RS256",
          "PS256",
          "ES256",
          "EdDSA",
        ]);
      }
    });
  },
  {
    network: host.network,
    change: (settings) => ({
      ...settings,
      ...more,
      machines: { ...settings.machines, ...machines },
      limits: { ...settings.limits, failedClientAuth: failuresAMinute },
    }),
  },
);
