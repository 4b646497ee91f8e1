import { sign } from "node:crypto";
import { createServer } from "node:http";
import { createRemoteJWKSet, decodeProtectedHeader, type JWTPayload, jwtVerify } from "jose";
import { deriveRootKeys, type Store, silentLogger, systemRandom } from "sallyport";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openKeyring } from "../../packages/core/src/keys/index.ts";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { authorizeUrl, pkce, postToken, redeem, register, tokenAnswer } from "../support/oauth-client.ts";

let env: TestEnvironment;
let store: Store;
/** What reached the server behind the gateway: the assertion, and every header. */
const seen: { assertion: string; headers: NodeJS.Dict<string | string[]> }[] = [];
const upstream = createServer((req, res) => {
  req.resume().on("end", () => {
    seen.push({ assertion: String(req.headers["x-sallyport-identity"]), headers: req.headers });
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify({ jsonrpc: "2.0", id: 5, result: {} }));
  });
});
let upstreamUrl: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const address = upstream.address();
  upstreamUrl = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
  env = await startEnvironment({
    wrapStore: (opened) => {
      store = opened;
      return opened;
    },
    change: (settings) => ({
      ...settings,
      servers: [
        ...(settings.servers ?? []),
        { name: "who", url: `${upstreamUrl}/mcp`, requiredScopes: ["mcp/write"], identityAssertion: {} },
        { name: "what", url: `${upstreamUrl}/mcp`, identityAssertion: { audience: "what-service" } },
      ],
    }),
  });
}, 60_000);
afterAll(async () => {
  await env.close();
  upstream.close();
});

async function userToken(who: string, server = "who"): Promise<string> {
  const resource = `${env.url}/${server}/mcp`;
  const client = await register(env.url);
  const pair = pkce();
  const location = new URL(await signIn(authorizeUrl(env.url, client, pair, { resource }), demoUser(env, who)));
  return (await tokenAnswer(await redeem(env.url, client, location.searchParams.get("code") ?? "", pair))).access_token;
}

const call = (token: string, server = "who", headers: Readonly<Record<string, string>> = {}) => {
  const request = statelessRequest(`${env.url}/${server}/mcp`, token, "tools/call", { name: "x", arguments: {} });
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
  return fetch(request);
};

/** What the guide tells an upstream to do. */
const verified = async (assertion: string, audience = upstreamUrl): Promise<JWTPayload> => {
  const keys = createRemoteJWKSet(new URL(`${env.url}/.well-known/jwks.json`));
  const { payload } = await jwtVerify(assertion, keys, {
    typ: "sallyport-identity+jwt",
    algorithms: ["ES256"],
    issuer: env.url,
    audience,
    currentDate: new Date(env.clock.now()),
  });
  return payload;
};

describe("a server that wants to know who asks", () => {
  test("gets an assertion that it can verify by our key set, for 60 s and for itself", async () => {
    const token = await userToken("alice");
    expect(
      (await call(token, "who", { "X-Sallyport-Identity": "forged", "X-User": "mallory", Cookie: "a=b" })).status,
    ).toBe(200);
    const { assertion, headers } = seen.at(-1) ?? { assertion: "", headers: {} };
    const claims = await verified(assertion);
    expect(claims).toEqual({
      iss: env.url,
      sub: "5a11e000-0000-4000-8000-000000000001",
      aud: upstreamUrl,
      iat: Math.floor(env.clock.now() / 1000),
      exp: Math.floor(env.clock.now() / 1000) + 60,
      jti: expect.stringMatching(/^[\w-]{43}$/),
      principal: "user",
      client_id: expect.any(String),
      groups: ["mcp-admins", "mcp-developers"],
      scope: "mcp/read mcp/write mcp/admin",
    });
    expect(JSON.stringify(headers)).not.toMatch(/forged|mallory|a=b/);
    expect(JSON.stringify(headers)).not.toContain(token);
    await expect(verified(assertion, "http://127.0.0.1:1")).rejects.toThrow(/aud/);
  });

  test("of a machine it says that it is one", async () => {
    const { clientId: client_id, clientSecret: client_secret } = env.machine;
    const form = { grant_type: "client_credentials", client_id, client_secret, resource: `${env.url}/what/mcp` };
    const { access_token } = await tokenAnswer(await postToken(env.url, form));
    // The demo's policy gives a machine nothing there: the server is not asked.
    const before = seen.length;
    expect((await call(access_token, "what")).status).toBe(403);
    expect(seen).toHaveLength(before);
    await env.reconfigure((settings) => ({
      ...settings,
      scopes: { ...settings.scopes, "mcp/read": { allow: [{ servers: ["what"], tools: ["*"] }] } },
    }));
    expect((await call(access_token, "what")).status).toBe(200);
    expect(await verified(seen.at(-1)?.assertion ?? "", "what-service")).toMatchObject({
      sub: client_id,
      client_id,
      principal: "machine",
      groups: [],
      scope: "mcp/read",
    });
  });

  test("the same assertion serves the requests of half a minute; then there is another", async () => {
    const token = await userToken("alice");
    const assertionNow = async () => {
      expect((await call(token)).status).toBe(200);
      return seen.at(-1)?.assertion;
    };
    const first = await assertionNow();
    expect(await assertionNow()).toBe(first);
    env.clock.advance(31_000);
    expect(await assertionNow()).not.toBe(first);
  });

  test("is told nothing where the request is refused", async () => {
    const before = seen.length;
    expect((await call(await userToken("alice", "notes"))).status).toBe(401);
    expect(seen).toHaveLength(before);
  });
});

describe("assertions and access tokens never stand for each other", () => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

  /** The deployment's own keys, as an attacker would love to have them. */
  const ring = async (use: "access_token" | "identity_assertion") => {
    const keys = deriveRootKeys(env.settings.secret ?? []);
    const { clock } = env;
    return openKeyring({ store, keys, clock, random: systemRandom, logger: silentLogger, checkInterval: 15_000, use });
  };
  const signedBy = async (use: "access_token" | "identity_assertion", typ: string, claims: object): Promise<string> => {
    const { kid, privateKey } = (await ring(use)).active();
    const input = `${part({ alg: "ES256", typ, kid })}.${part(claims)}`;
    return `${input}.${sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  };
  const payloadOf = (token: string): Record<string, unknown> =>
    JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  const statusOf = async (token: string) => (await call(token)).status;

  test("keys have one use each, and their names say which", async () => {
    const answer = await fetch(`${env.url}/.well-known/jwks.json`);
    const { keys } = (await answer.json()) as { keys: { kid: string; use: string; alg: string }[] };
    expect(keys).toHaveLength(2);
    expect(keys.map(({ use, alg }) => [use, alg])).toEqual([
      ["sig", "ES256"],
      ["sig", "ES256"],
    ]);
    expect(keys.filter(({ kid }) => kid.startsWith("identity-"))).toHaveLength(1);
    await call(await userToken("alice"));
    expect(decodeProtectedHeader(seen.at(-1)?.assertion ?? "")).toEqual({
      alg: "ES256",
      typ: "sallyport-identity+jwt",
      kid: keys.find(({ kid }) => kid.startsWith("identity-"))?.kid,
    });
  });

  test("an assertion opens nothing here, even with our own resource as its audience", async () => {
    const token = await userToken("alice");
    await call(token);
    expect(await statusOf(seen.at(-1)?.assertion ?? "")).toBe(401);
    const access = payloadOf(token);
    // By its type, by its key, by both; the control is right in both.
    expect(await statusOf(await signedBy("identity_assertion", "sallyport-identity+jwt", access))).toBe(401);
    expect(await statusOf(await signedBy("identity_assertion", "at+jwt", access))).toBe(401);
    expect(await statusOf(await signedBy("access_token", "sallyport-identity+jwt", access))).toBe(401);
    expect(await statusOf(await signedBy("access_token", "at+jwt", access))).toBe(200);
    const assertion = await signedBy("identity_assertion", "at+jwt", access);
    const answer = await postToken(env.url, {
      grant_type: "refresh_token",
      client_id: String(access.client_id),
      refresh_token: assertion,
    });
    expect(answer.status).toBe(400);
  });

  test("an access token is no assertion, even with the server as its audience", async () => {
    const token = await userToken("alice");
    await expect(verified(token, `${env.url}/who/mcp`)).rejects.toThrow(/typ/);
    await call(token);
    const { assertion } = seen.at(-1) ?? { assertion: "" };
    await expect(verified(await signedBy("access_token", "at+jwt", payloadOf(assertion)))).rejects.toThrow(/typ/);
  });
});
