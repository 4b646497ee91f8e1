import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { authorizeUrl, pkce, redeem, refresh, register, tokenAnswer } from "../support/oauth-client.ts";

const minute = 60_000;
/** Longer than what Cognito said of a user is taken for true. */
const staleAfter = 16 * minute;

let env: TestEnvironment;
beforeAll(async () => {
  env = await startEnvironment({
    change: (settings) => ({
      ...settings,
      claims: [
        { claim: "custom:team", values: ["writers"], scopes: ["mcp/write"] },
        { claim: "email", values: ["carol@example.com"], scopes: ["mcp/read"] },
      ],
    }),
  });
});
afterEach(() =>
  env.cognito.pool.setAttributes("carol@example.com", { "custom:team": undefined, email_verified: "true" }),
);
afterAll(() => env.close());

/** Carol, who is in no group, with these attributes at Cognito. */
async function carolWith(attributes: Readonly<Record<string, string>>) {
  env.cognito.pool.setAttributes("carol@example.com", attributes);
  const client = await register(env.url);
  const pair = pkce();
  const url = authorizeUrl(env.url, client, pair, { resource: `${env.url}/notes/mcp` });
  const back = new URL(await signIn(url, demoUser(env, "carol")));
  const error = back.searchParams.get("error");
  const tokens =
    error === null
      ? await tokenAnswer(await redeem(env.url, client, back.searchParams.get("code") ?? "", pair))
      : undefined;
  return { client, error, tokens };
}

const call = async (token: string | undefined, tool: string): Promise<number> => {
  const response = await fetch(
    statelessRequest(`${env.url}/notes/mcp`, token, "tools/call", { name: tool, arguments: { text: "x" } }),
  );
  await response.text();
  return response.status;
};

test("a claim gives its scopes at the sign-in, and nothing more", async () => {
  const { tokens } = await carolWith({ "custom:team": "writers" });
  expect(tokens?.scope).toBe("mcp/read mcp/write");
  expect(await call(tokens?.access_token, "add_note")).toBe(200);
  expect(await call(tokens?.access_token, "delete_note")).toBe(403);
});

test("another value gives nothing; a verified address gives its scopes, and none once it is not verified", async () => {
  expect((await carolWith({ "custom:team": "readers" })).tokens?.scope).toBe("mcp/read");
  const unverified = await carolWith({ "custom:team": "readers", email_verified: "false" });
  expect(unverified).toMatchObject({ error: "access_denied", tokens: undefined });
});

test("a claim that Cognito no longer has gives nothing after a renewal, whatever the token says", async () => {
  const { client, tokens } = await carolWith({ "custom:team": "writers" });
  env.clock.advance(9 * minute);
  const { access_token: token } = await tokenAnswer(await refresh(env.url, client, tokens?.refresh_token ?? ""));
  expect(await call(token, "add_note")).toBe(200);
  env.cognito.pool.setAttributes("carol@example.com", { "custom:team": undefined });
  env.clock.advance(7 * minute);
  expect(await call(token, "add_note")).toBe(403);
  expect(await call(token, "list_notes")).toBe(200);
});

test("a claim that Cognito no longer has gives nothing at a refresh", async () => {
  const { client, tokens } = await carolWith({ "custom:team": "writers" });
  env.cognito.pool.setAttributes("carol@example.com", { "custom:team": undefined });
  env.clock.advance(staleAfter);
  const narrower = await tokenAnswer(await refresh(env.url, client, tokens?.refresh_token ?? ""));
  expect(narrower.scope).toBe("mcp/read");
  expect(await call(narrower.access_token, "add_note")).toBe(403);
  env.cognito.pool.setAttributes("carol@example.com", { email_verified: "false" });
  env.clock.advance(staleAfter);
  const refused = await refresh(env.url, client, narrower.refresh_token ?? "");
  expect([refused.status, await refused.json()]).toMatchObject([400, { error: "invalid_grant" }]);
});
