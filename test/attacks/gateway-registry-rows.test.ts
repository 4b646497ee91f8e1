import { startCognitoEmulator } from "@sallyport/cognito-emulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { demoPool } from "../../packages/cli/src/dev/demo-pool.ts";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";

/** Somebody in one group that the settings do not know. */
const erin = {
  username: "erin@example.com",
  password: "Sallyport-demo-1",
  sub: "5a11e000-0000-4000-8000-000000000092",
  groups: ["mcp-visitors"],
  attributes: { email: "erin@example.com", email_verified: "true" },
};

let env: TestEnvironment;
beforeAll(async () => {
  env = await startEnvironment({
    change: (settings) => ({ ...settings, tokens: { ...settings.tokens, accessTtl: "1h" } }),
    pool: (pool) => ({
      ...pool,
      groups: [...(pool.groups ?? []), { name: "mcp-visitors" }],
      users: [...(pool.users ?? []), erin],
    }),
  });
}, 60_000);
afterAll(() => env.close());

async function signedIn(name: string) {
  const user = name === "erin" ? erin : demoUser(env, name);
  const client = await register(env.url);
  const pair = pkce();
  const url = authorizeUrl(env.url, client, pair, { resource: `${env.url}/notes/mcp` });
  return { client, pair, location: new URL(await signIn(url, user)) };
}

async function tokenOf(name: string): Promise<string> {
  const { client, pair, location } = await signedIn(name);
  return (await tokenAnswer(await redeem(env.url, client, location.searchParams.get("code") ?? "", pair))).access_token;
}

const call = (name: string) => ({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name, arguments: { id: "1" } },
});

/** A POST as those of the table: a session cookie of that system, and whatever credential and body there is. */
const post = (body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${env.url}/notes/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      cookie: "mcp_gateway_session=eyJ1c2VybmFtZSI6ImFkbWluIn0.Zw.c2lnbmF0dXJl",
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
/** A call as it should be. */
const callTool = (name: string, token: string, headers: Readonly<Record<string, string>> = {}) => {
  const request = statelessRequest(`${env.url}/notes/mcp`, token, "tools/call", { name, arguments: { id: "1" } });
  for (const [header, value] of Object.entries(headers)) request.headers.set(header, value);
  return fetch(request);
};
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/**
 * Somebody whose sign-in gave everything once and whose groups have changed since: the token is good, what it gives is
 * nothing, as soon as Cognito has been asked again.
 */
async function nowIn(name: string, groups: readonly string[]): Promise<string> {
  const { username, groups: before } = demoUser(env, name);
  env.cognito.pool.setGroups(username, [...before]);
  const token = await tokenOf(name);
  env.cognito.pool.setGroups(username, [...groups]);
  env.clock.advance(16 * 60_000);
  return token;
}

describe("attacks §2: what the gateway that was broken let pass", () => {
  test("control: a listed tool 200; an unlisted tool, server and method 403", async () => {
    const bob = await tokenOf("bob");
    expect((await callTool("list_notes", bob)).status).toBe(200);
    expect((await callTool("delete_note", bob)).status).toBe(403);
    expect((await post({ jsonrpc: "2.0", id: 1, method: "vendor/method" }, bearer(bob))).status).toBe(403);
    const elsewhere = statelessRequest(`${env.url}/clock/mcp`, bob, "tools/call", { name: "now", arguments: {} });
    expect((await fetch(elsewhere)).status).toBe(401);
  });

  test.each(["carol", "erin"])(
    "R1, R2: no group that gives anything (%s): no token, no tool, whatever cookie there is",
    async (name) => {
      const { location } = await signedIn(name);
      expect(location.searchParams.get("error")).toBe("access_denied");
      expect((await post(call("list_notes"))).status).toBe(401);
    },
  );

  test("R3: a batch with a forbidden tool is 400, in any order and alone", async () => {
    const bob = bearer(await tokenOf("bob"));
    const [allowed, forbidden] = [call("list_notes"), call("delete_note")];
    for (const batch of [[allowed, forbidden], [forbidden, allowed], [forbidden], [allowed], []]) {
      expect((await post(batch, bob)).status).toBe(400);
    }
  });

  test("R4: what is judged is the body, whether it is short or long, and there must be one", async () => {
    const bob = bearer(await tokenOf("bob"));
    expect((await post(undefined, bob)).status).toBe(400);
    for (const more of [0, 10_000, 200_000, 2_000_000]) {
      expect([more, (await post({ ...call("delete_note"), padding: "x".repeat(more) }, bob)).status]).toEqual([
        more,
        403,
      ]);
    }
    // A body that headers tell of is none.
    const told = { "x-body": JSON.stringify(call("list_notes")), "x-original-url": `${env.url}/notes/mcp` };
    expect((await post(call("delete_note"), { ...bob, ...told })).status).toBe(403);
  });

  test("R5: a token of a foreign pool, which the request names itself: 401, and no request to that pool", async () => {
    const clients = {
      clientId: "a",
      clientSecret: "a".repeat(24),
      machineId: "demomachine",
      machineSecret: "b".repeat(24),
    };
    const pool = demoPool("http://localhost:1", clients);
    const foreign = await startCognitoEmulator({ pool: { ...pool, id: "us-east-1_Attacker1" }, port: 0 });
    try {
      const form = { grant_type: "client_credentials", client_id: "demomachine", client_secret: "b".repeat(24) };
      const answer = await fetch(foreign.tokenUrl, { method: "POST", body: new URLSearchParams(form) });
      const { access_token } = await tokenAnswer(answer);
      const named = { "x-user-pool-id": "us-east-1_Attacker1", "x-region": "us-east-1", "x-client-id": "demomachine" };
      const before = foreign.requests.length;
      const refused = await post(call("list_notes"), { ...bearer(access_token), ...named });
      expect(refused.status).toBe(401);
      expect(refused.headers.get("www-authenticate")).toContain('error="invalid_token"');
      expect(foreign.requests).toHaveLength(before);
    } finally {
      await foreign.close();
    }
  });

  test("R6: a tool that nobody lists, whatever scopes and groups the request claims", async () => {
    const bob = await tokenOf("bob");
    const claims = { "x-scopes": "mcp/admin", "x-groups": "mcp-admins", "x-auth-method": "session_cookie" };
    expect((await callTool("no_such_tool", bob, claims)).status).toBe(403);
    expect((await callTool("delete_note", bob, claims)).status).toBe(403);
  });

  test("R7: no credentials, a bad cookie, a bad token: 401 with a challenge", async () => {
    for (const headers of [{}, { cookie: "" }, { authorization: "Bearer x" }, { authorization: "Basic YTpi" }]) {
      const refused = await post(call("list_notes"), headers);
      expect(refused.status).toBe(401);
      expect(refused.headers.get("www-authenticate")).toContain("resource_metadata=");
    }
  });

  test("R8: groups alone decide for a user: 200 or 403 by the mapping", async () => {
    for (const [name, tool, status] of [
      ["alice", "delete_note", 200],
      ["bob", "list_notes", 200],
      ["bob", "add_note", 403],
    ] as const) {
      expect([name, tool, (await callTool(tool, await tokenOf(name))).status]).toEqual([name, tool, status]);
    }
  });

  test.each(["redirect_uri", "logout_uri", "post_logout_redirect_uri"])(
    "R9: a sign-out that leads elsewhere by %s: 400, and Cognito does not hear of it",
    async (name) => {
      for (const target of [
        "https://evil.example/",
        `${env.url}.evil.example/logout`,
        "//evil.example",
        "javascript:alert(1)",
      ]) {
        const before = env.cognitoLog.length;
        const url = new URL(`${env.url}/logout`);
        url.searchParams.set(name, target);
        const refused = await fetch(url, { redirect: "manual" });
        expect([target, refused.status, refused.headers.get("location")]).toEqual([target, 400, null]);
        expect(await refused.text()).not.toContain("evil.example");
        expect(env.cognitoLog).toHaveLength(before);
      }
    },
  );
});

describe("the same with a token from before (R1, R2, R6)", () => {
  test.each([
    ["no group at all", []],
    ["a group that the settings do not know", ["mcp-visitors"]],
  ])("%s: 403 for every tool, without a challenge", async (_what, groups) => {
    const token = await nowIn("bob", groups);
    const refused = await callTool("list_notes", token, { "x-groups": "mcp-admins", "x-scopes": "mcp/admin" });
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([403, null]);
    for (const method of ["GET", "DELETE"]) {
      expect((await fetch(`${env.url}/notes/mcp`, { method, headers: bearer(token) })).status).toBe(403);
    }
  });
});
