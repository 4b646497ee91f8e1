import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { part } from "../attacks/access-tokens.ts";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import {
  authorizeUrl,
  pkce,
  postToken,
  redeem,
  refresh,
  register,
  type TestClient,
  type TokenAnswer,
  tokenAnswer,
} from "../support/oauth-client.ts";

const hashOf = (secret: string): string => `sha256:${createHash("sha256").update(secret).digest("base64url")}`;
// With characters that Basic must encode.
const secrets = { old: "old secret/+%:1", next: "next-secret-1" };
const minute = 60_000;

let env: TestEnvironment;
beforeAll(async () => {
  env = await startEnvironment({
    change: (settings) => ({
      ...settings,
      resourceServers: {
        "clock-server:1": { secretHashes: [hashOf(secrets.old), hashOf(secrets.next)], resources: ["/clock/mcp"] },
        "other-server": { secretHashes: [hashOf("other-secret")], resources: ["/notes/mcp", "/everything/mcp"] },
      },
    }),
  });
});
afterAll(() => env.close());

const basic = (name: string, secret: string): Record<string, string> => {
  const encoded = [name, secret].map((text) => new URLSearchParams({ "": text }).toString().slice(1)).join(":");
  return { authorization: `Basic ${Buffer.from(encoded).toString("base64")}` };
};
const clock = basic("clock-server:1", secrets.old);

const ask = (form: Readonly<Record<string, string>>, headers: Record<string, string> = clock): Promise<Response> =>
  fetch(`${env.url}/introspect`, { method: "POST", body: new URLSearchParams(form), headers });
const answerTo = async (token: string, headers?: Record<string, string>): Promise<unknown> => {
  const response = await ask({ token }, headers);
  expect(response.status).toBe(200);
  return response.json();
};

async function session(server = "clock", client?: TestClient): Promise<TokenAnswer> {
  const who = client ?? (await register(env.url));
  const pair = pkce();
  const url = authorizeUrl(env.url, who, pair, { resource: `${env.url}/${server}/mcp` });
  const location = new URL(await signIn(url, demoUser(env, "alice")));
  return tokenAnswer(await redeem(env.url, who, location.searchParams.get("code") ?? "", pair));
}

describe("POST /introspect (RFC 7662)", () => {
  test("tells a resource server what it may know of a token for it", async () => {
    const { access_token } = await session();
    const response = await ask({ token: access_token, token_type_hint: "access_token" });
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("content-type")).toBe("application/json");
    const { iss, sub, aud, client_id, exp, iat, jti, sid } = part(access_token, 1);
    expect(await response.json()).toEqual({
      active: true,
      token_type: "Bearer",
      scope: "mcp/read mcp/write mcp/admin",
      username: "alice@example.com",
      principal: "user",
      ...{ iss, sub, aud, client_id, exp, iat, jti, sid },
    });
  });

  test("a machine has no user name", async () => {
    const { clientId: client_id, clientSecret: client_secret } = env.machine;
    const form = { grant_type: "client_credentials", client_id, client_secret, resource: `${env.url}/clock/mcp` };
    const { access_token } = await tokenAnswer(await postToken(env.url, form));
    const answer = await answerTo(access_token);
    expect(answer).toMatchObject({ active: true, principal: "machine", sub: client_id, scope: "mcp/read" });
    expect(answer).not.toHaveProperty("username");
  });

  test("a server that is several resources; both secrets while they are changed; by Basic and in the form", async () => {
    const { access_token: token } = await session("everything");
    expect(await answerTo(token, basic("other-server", "other-secret"))).toMatchObject({ active: true });
    const form = { token, client_id: "other-server", client_secret: "other-secret" };
    expect(await (await ask(form, {})).json()).toMatchObject({ active: true });
    for (const secret of Object.values(secrets)) {
      expect(await answerTo(token, basic("clock-server:1", secret))).toEqual({ active: false });
    }
  });

  test.each([
    ["fewer groups: less scope", ["mcp-readers"], { active: true, scope: "mcp/read" }],
    ["none: not active, as a server that looks at nothing else must not let them in", [], { active: false }],
  ])("scope is what counts now; %s", async (_, groups, expected) => {
    const client = await register(env.url);
    const { username, groups: before } = demoUser(env, "alice");
    const first = await session("clock", client);
    env.clock.advance(9 * minute);
    const { access_token } = await tokenAnswer(await refresh(env.url, client, first.refresh_token));
    expect(await answerTo(access_token)).toMatchObject({ active: true, scope: "mcp/read mcp/write mcp/admin" });
    try {
      env.cognito.pool.setGroups(username, groups);
      // Past `upstream_max_age`: Cognito is asked again.
      env.clock.advance(7 * minute);
      expect(await answerTo(access_token)).toMatchObject(expected);
    } finally {
      env.cognito.pool.setGroups(username, [...before]);
    }
  });

  test("is advertised, with the ways in which a resource server may authenticate", async () => {
    for (const path of ["oauth-authorization-server", "openid-configuration"]) {
      const metadata: unknown = await (await fetch(`${env.url}/.well-known/${path}`)).json();
      expect(metadata).toMatchObject({
        introspection_endpoint: `${env.url}/introspect`,
        introspection_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
      });
    }
  });
});
