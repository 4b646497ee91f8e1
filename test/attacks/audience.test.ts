import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { startCognitoEmulator } from "@sallyport/cognito-emulator";
import { deriveRootKeys, systemRandom } from "sallyport";
import { describe, expect, test } from "vitest";
import { demoPool } from "../../packages/cli/src/dev/demo-pool.ts";
import { openKeyring } from "../../packages/core/src/keys/index.ts";
import { postToken, register, type TokenAnswer, tokenAnswer } from "../support/oauth-client.ts";
import { type Arena, type ArenaOptions, expectRedirectedError, found, onEachStore } from "./arena.ts";

type Json = Readonly<Record<string, unknown>>;

const encode = (value: Json): string => Buffer.from(JSON.stringify(value)).toString("base64url");

const part = (token: string, index: number): Record<string, unknown> =>
  Object(JSON.parse(Buffer.from(found(token.split(".")[index], "no JWT"), "base64url").toString("utf8")));

/** A token signed by a P-256 key, as RFC 7518 §3.4 has it. */
function es256(header: Json, payload: Json, key: KeyObject): string {
  const input = `${encode(header)}.${encode(payload)}`;
  const signature = sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}

/** The signing key itself, as a thief of the root secret and the store would have it. */
async function signingKey({ env, store }: Arena) {
  const [secret] = env.settings.secret ?? [];
  const keys = deriveRootKeys([found(secret, "no root secret")]);
  const keyring = await openKeyring({ store, keys, clock: env.clock, random: systemRandom });
  return keyring.active();
}

const secretOf = (name: string): string => `${name}-secret-of-the-audience-tests`;

/** Two further machines in the pool: one that is not configured here, one whose scope is mapped to nothing. */
const options: ArenaOptions = {
  pool: (pool) => ({
    ...pool,
    resourceServers: [
      ...(pool.resourceServers ?? []),
      { identifier: "billing", name: "Billing", scopes: [{ name: "pay" }] },
    ],
    clients: [
      ...(pool.clients ?? []),
      {
        id: "stranger",
        secret: secretOf("stranger"),
        allowedOAuthFlows: ["client_credentials"],
        scopes: ["mcp/read"],
      },
      {
        id: "unmapped",
        secret: secretOf("unmapped"),
        allowedOAuthFlows: ["client_credentials"],
        scopes: ["billing/pay"],
      },
    ],
  }),
  change: (settings) => ({
    ...settings,
    machines: { ...settings.machines, unmapped: { scopes: ["mcp/read"] } },
    // A neighbour whose path begins like the clock's, for admins.
    servers: [
      ...(settings.servers ?? []),
      ...(settings.servers ?? [])
        .slice(0, 1)
        .map(({ url }) => ({ name: "clock-x", url, requiredScopes: ["mcp/admin"] })),
    ],
  }),
};

/** A machine's token straight from Cognito. */
async function fromCognito(cognitoUrl: string, id: string, secret: string): Promise<string> {
  const response = await fetch(`${cognitoUrl}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({ grant_type: "client_credentials" }),
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` },
  });
  expect(response.status).toBe(200);
  return (await tokenAnswer(response)).access_token;
}

onEachStore(
  "attacks §1 audience",
  (arena) => {
    const refused = async (token: string, reason: string, path?: string): Promise<void> => {
      const answer = await arena().outcome(() => arena().mcp(token, path));
      expect(answer).toMatchObject({ status: 401, error: "invalid_token", reasons: [reason], ended: [] });
      expect(answer.headers.get("www-authenticate")).toContain('error="invalid_token"');
    };

    describe("our own tokens elsewhere", () => {
      test.each([
        ["another resource", "/notes/mcp"],
        ["a resource whose path begins alike", "/clock-x/mcp"],
      ])("at %s", async (_, path) => {
        const { mcp, session } = arena();
        const { tokens } = await session();
        // Cold, and once it is remembered as good for its own resource.
        await refused(tokens.access_token, "token_audience_mismatch", path);
        expect((await mcp(tokens.access_token)).status).toBe(200);
        await refused(tokens.access_token, "token_audience_mismatch", path);
      });

      test.each([
        "/clock/mcp-x",
        "/clock/mc",
        "/clock",
        "/clock/mcp/x",
        "/clock/mcp//",
        "/CLOCK/mcp",
        "/clock/%6dcp",
        "/notes/../clock/mcp",
        "/clock/mcp#x",
        "//clock/mcp",
        "/clock\\mcp",
      ])("resource %s is none of ours", async (path) => {
        const { authorize, env } = arena();
        const client = await register(env.url);
        const outcome = await authorize(client, { resource: `${env.url}${path}` });
        expectRedirectedError(outcome, { client, error: "invalid_target", issuer: env.url });
        expect(outcome.reasons).toEqual(["resource_unknown"]);
      });

      test.each([
        ["another scheme", (url: string) => url.replace("http:", "https:")],
        ["another host", (url: string) => url.replace("localhost", "localhost.evil.example")],
        ["another port", (url: string) => url.replace(/:\d+$/, ":1")],
        ["userinfo", (url: string) => url.replace("//", "//user@")],
      ])("resource with %s is none of ours", async (_, bend) => {
        const { authorize, env } = arena();
        const client = await register(env.url);
        const outcome = await authorize(client, { resource: `${bend(env.url)}/clock/mcp` });
        expectRedirectedError(outcome, { client, error: "invalid_target", issuer: env.url });
      });

      test("two resources in one request: neither", async () => {
        const { env, outcome } = arena();
        const client = await register(env.url);
        const query = new URLSearchParams({ client_id: client.clientId, redirect_uri: client.redirectUri });
        for (const name of ["clock", "notes"]) query.append("resource", `${env.url}/${name}/mcp`);
        const answer = await outcome(() => fetch(`${env.url}/authorize?${query}`, { redirect: "manual" }));
        expect(answer).toMatchObject({ status: 400, error: "invalid_target", location: undefined });
        expect(answer.reasons).toEqual(["repeated_parameter"]);
      });
    });

    describe("tokens of Cognito's", () => {
      const userTokens = async (user: "alice" | "bob" = "alice"): Promise<Record<string, string>> => {
        const { cognito, signIn } = arena();
        const seen = cognito.tokenRequests.length;
        await signIn({ user });
        const answer = found(cognito.tokenRequests[seen]?.answer, "nothing came from Cognito");
        return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, String(value)]));
      };

      test("a configured machine's access token: accepted where its scope is mapped (control)", async () => {
        const { env, mcp } = arena();
        const { clientId, clientSecret } = env.machine;
        const token = await fromCognito(env.cognito.url, clientId, clientSecret);
        expect((await mcp(token)).status).toBe(200);
        env.clock.advance(3_600_000 + 61_000);
        await refused(token, "token_signature_invalid");
      });

      test("a user's ID token as access token (attacks §3)", async () => {
        const { id_token } = await userTokens();
        await refused(found(id_token, "no ID token"), "token_signature_invalid");
      });

      test("a user's access token straight from Cognito", async () => {
        const { access_token } = await userTokens();
        await refused(found(access_token, "no access token"), "token_type_invalid");
      });

      test("Cognito's refresh token", async () => {
        const { refresh_token } = await userTokens();
        const answer = await arena().outcome(() => arena().mcp(found(refresh_token, "no refresh token")));
        expect(answer).toMatchObject({ status: 401, error: "invalid_token" });
      });

      test("a machine's of another app client of the pool (attacks §4 FastMCP #3406)", async () => {
        const { env } = arena();
        await refused(await fromCognito(env.cognito.url, "stranger", secretOf("stranger")), "machine_unknown");
      });

      test("a configured machine's without a mapped scope", async () => {
        const { env } = arena();
        await refused(await fromCognito(env.cognito.url, "unmapped", secretOf("unmapped")), "token_scope_unmapped");
      });

      test("of another pool, whatever pool and region the request names (attacks §2 R5): no question to it", async () => {
        const { env, mcp, outcome } = arena();
        const clients = {
          clientId: "sallyportdemo",
          clientSecret: secretOf("foreign"),
          machineId: env.machine.clientId,
          machineSecret: secretOf("foreign"),
        };
        const foreign = await startCognitoEmulator({ pool: demoPool(env.url, clients), port: 0, clock: env.clock });
        try {
          const token = await fromCognito(foreign.url, env.machine.clientId, secretOf("foreign"));
          const asked = foreign.requests.length;
          await refused(token, "token_signature_invalid");
          const headers = {
            "x-user-pool-id": foreign.userPoolId,
            "x-region": "us-east-1",
            "x-amz-cognito-issuer": foreign.issuer,
          };
          const named = await outcome(() => mcp(token, "/clock/mcp", headers));
          expect(named).toMatchObject({ status: 401, reasons: ["token_signature_invalid"] });
          expect(foreign.requests).toHaveLength(asked);
        } finally {
          await foreign.close();
        }
      });

      test("200 with an unknown kid: at most one further key set is fetched (attacks §3)", async () => {
        const { env, mcp } = arena();
        const { clientId, clientSecret } = env.machine;
        const token = await fromCognito(env.cognito.url, clientId, clientSecret);
        expect((await mcp(token)).status).toBe(200);
        const fetches = () => env.cognito.requests.filter(({ path }) => path.endsWith("/jwks.json")).length;
        const before = fetches();
        env.clock.advance(31_000);
        const [, body, signature] = token.split(".");
        for (let n = 0; n < 200; n += 1) {
          const head = encode({ alg: "RS256", kid: `spray-${n}` });
          expect((await mcp(`${head}.${body}.${signature}`)).status).toBe(401);
        }
        expect(fetches() - before).toBe(1);
      });
    });

    describe("forged in our name", () => {
      let current: TokenAnswer | undefined;
      /** A good token, the same for as long as it is one. */
      const mine = async () => {
        const { env, session } = arena();
        const ends = current === undefined ? 0 : Number(part(current.access_token, 1).exp) * 1000;
        if (ends - env.clock.now() < 60_000) current = (await session()).tokens;
        const token = found(current, "no session").access_token;
        return { token, header: part(token, 0), payload: part(token, 1) };
      };

      test("alg none with our kid, with and without a signature", async () => {
        const { token, header, payload } = await mine();
        for (const alg of ["none", "None", "NONE", ""]) {
          const input = `${encode({ ...header, alg })}.${encode(payload)}`;
          await refused(`${input}.`, "token_malformed");
          await refused(`${input}.${token.split(".")[2]}`, "token_signature_invalid");
        }
      });

      test("HS256 keyed with our public key, in every spelling of it (attacks §4 Hono CVE-2026-22817)", async () => {
        const { env } = arena();
        const { header, payload } = await mine();
        const jwks = Object(await (await fetch(`${env.url}/.well-known/jwks.json`)).json());
        const [jwk] = jwks.keys;
        const key = createPublicKey({ key: jwk, format: "jwk" });
        const spellings = [
          key.export({ format: "pem", type: "spki" }).toString(),
          key.export({ format: "der", type: "spki" }),
          JSON.stringify(jwk),
          jwk.x,
        ];
        for (const secret of spellings) {
          const input = `${encode({ ...header, alg: "HS256" })}.${encode(payload)}`;
          const signature = createHmac("sha256", secret).update(input).digest("base64url");
          await refused(`${input}.${signature}`, "token_signature_invalid");
        }
      });

      test.each([
        ["our kid", {}],
        ["its own key in jwk", { jwk: true }],
        ["its own key set in jku", { jku: "https://evil.example/jwks.json" }],
        ["its own certificate in x5u", { x5u: "https://evil.example/cert" }],
        ["an unknown critical header", { crit: ["x"], x: 1 }],
      ])("a foreign key with %s", async (_, extra) => {
        const { header, payload } = await mine();
        const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
        const more = "jwk" in extra ? { jwk: publicKey.export({ format: "jwk" }) } : extra;
        await refused(es256({ ...header, ...more }, payload, privateKey), "token_signature_invalid");
      });

      test.each([
        [
          "the payload is another",
          (token: string, payload: Json) =>
            [token.split(".")[0], encode({ ...payload, scope: "mcp/admin" }), token.split(".")[2]].join("."),
        ],
        [
          "the signature is all zeros",
          (token: string) => token.replace(/[^.]+$/, Buffer.alloc(64).toString("base64url")),
        ],
        ["the signature is cut", (token: string) => token.slice(0, -10)],
        [
          "the signature is in DER",
          (token: string) => token.replace(/[^.]+$/, Buffer.from("3006020101020101", "hex").toString("base64url")),
        ],
      ])("with our kid, %s", async (_, bend) => {
        const { token, payload } = await mine();
        await refused(bend(token, payload), "token_signature_invalid");
      });

      test("200 of an unknown kid: the keyring is read at most once", async () => {
        const { env, mcp, store } = arena();
        const { header, payload } = await mine();
        const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
        env.clock.advance(31_000);
        const seen = store.calls.length;
        const answers = await Promise.all(
          Array.from({ length: 200 }, (_, n) => mcp(es256({ ...header, kid: `spray-${n}` }, payload, privateKey))),
        );
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
        expect(store.calls.slice(seen).filter(({ key }) => key.startsWith("keyring:")).length).toBeLessThanOrEqual(1);
      });

      test.each([
        [
          "a list of audiences, ours and a foreign one",
          (p: Json) => ({ ...p, aud: [p.aud, "https://other.example/mcp"] }),
          "token_malformed",
        ],
        ["a list with ours alone", (p: Json) => ({ ...p, aud: [p.aud] }), "token_malformed"],
        ["no audience", ({ aud: _, ...p }: Json) => p, "token_malformed"],
        ["a foreign audience", (p: Json) => ({ ...p, aud: "https://other.example/mcp" }), "token_audience_mismatch"],
        ["a foreign issuer", (p: Json) => ({ ...p, iss: "https://other.example" }), "token_issuer_mismatch"],
        ["no expiry (attacks §3)", ({ exp: _, ...p }: Json) => p, "token_malformed"],
        ["an expiry in the past", (p: Json) => ({ ...p, exp: Number(p.iat) - 1 }), "token_expired"],
        ["an expiry that is a text", (p: Json) => ({ ...p, exp: String(p.exp) }), "token_malformed"],
        ["issued in the future", (p: Json) => ({ ...p, iat: Number(p.iat) + 3600 }), "token_not_yet_valid"],
        [
          "not before a later time (attacks §3)",
          (p: Json) => ({ ...p, nbf: Number(p.iat) + 3600 }),
          "token_not_yet_valid",
        ],
        ["no grant", ({ sid: _, ...p }: Json) => p, "token_malformed"],
        ["a grant that is not there", (p: Json) => ({ ...p, sid: "A".repeat(43) }), "grant_revoked"],
        ["another client than its grant's", (p: Json) => ({ ...p, client_id: "other" }), "grant_user_mismatch"],
        ["another user than its grant's", (p: Json) => ({ ...p, sub: "other" }), "grant_user_mismatch"],
        ["a machine where the grant is a user's", (p: Json) => ({ ...p, principal: "machine" }), "grant_user_mismatch"],
      ])("signed by our own key, with %s", async (_, change, reason) => {
        const { header, payload } = await mine();
        const { privateKey } = await signingKey(arena());
        await refused(es256(header, change(payload), privateKey), reason);
      });

      test.each([
        ["JWT", "JWT"],
        ["none", undefined],
        ["of another use", "session+jwt"],
        ["with the media type's prefix", "application/at+jwt"],
      ])("signed by our own key, typ %s", async (_, typ) => {
        const { header, payload } = await mine();
        const { privateKey } = await signingKey(arena());
        await refused(es256({ ...header, typ }, payload, privateKey), "token_signature_invalid");
      });

      test("signed by our own key: more scope than the groups give counts for nothing", async () => {
        const { env, mcp, outcome, session } = arena();
        const resource = `${env.url}/clock-x/mcp`;
        const { tokens } = await session({ user: "bob", params: { resource } });
        const { privateKey } = await signingKey(arena());
        const payload = part(tokens.access_token, 1);
        const token = es256(part(tokens.access_token, 0), { ...payload, scope: "mcp/read mcp/admin" }, privateKey);
        const answer = await outcome(() => mcp(token, "/clock-x/mcp"));
        expect(answer).toMatchObject({ status: 403, reasons: ["not_permitted"], ended: [] });
        expect(answer.headers.has("www-authenticate")).toBe(false);
      });

      test("our key signs what it signs (control)", async () => {
        const { header, payload } = await mine();
        const { privateKey } = await signingKey(arena());
        expect((await arena().mcp(es256(header, payload, privateKey))).status).toBe(200);
      });
    });

    describe("how a token is presented", () => {
      test("no token, no challenge error; a bad cookie is no token (attacks §2 R7)", async () => {
        const { mcp, outcome } = arena();
        for (const headers of [{}, { cookie: "sallyport-session=x; session=x" }]) {
          const answer = await outcome(() => mcp(undefined, "/clock/mcp", headers));
          expect(answer).toMatchObject({ status: 401, reasons: ["token_missing"] });
          expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer scope="[^"]+", resource_metadata="[^"]+"$/);
        }
      });

      test.each([
        ["Basic", (token: string) => `Basic ${token}`],
        ["no scheme", (token: string) => token],
        ["two tokens", (token: string) => `Bearer ${token} ${token}`],
        ["a comma and more", (token: string) => `Bearer ${token}, Bearer ${token}`],
        ["empty", () => "Bearer "],
        ["quotes", (token: string) => `Bearer "${token}"`],
      ])("%s", async (_, authorization) => {
        const { mcp, outcome, session } = arena();
        const { tokens } = await session();
        const headers = { authorization: authorization(tokens.access_token) };
        const answer = await outcome(() => mcp(undefined, "/clock/mcp", headers));
        expect(answer).toMatchObject({ status: 401, error: "invalid_token", reasons: ["token_malformed"] });
      });

      test("in the query or as a form it does not count (RFC 6750 §2.2, §2.3)", async () => {
        const { mcp, outcome, session } = arena();
        const { tokens } = await session();
        const answer = await outcome(() => mcp(undefined, `/clock/mcp?access_token=${tokens.access_token}`));
        expect(answer).toMatchObject({ status: 401, reasons: ["token_missing"] });
      });
    });

    test("a machine's token from our /token is for one resource only", async () => {
      const { env } = arena();
      const { clientId: client_id, clientSecret: client_secret } = env.machine;
      const resource = `${env.url}/clock/mcp`;
      const form = { grant_type: "client_credentials", client_id, client_secret, resource };
      const { access_token } = await tokenAnswer(await postToken(env.url, form));
      expect((await arena().mcp(access_token)).status).toBe(200);
      await refused(access_token, "token_audience_mismatch", "/clock-x/mcp");
    });
  },
  options,
);
