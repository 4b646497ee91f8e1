import { StoreUnavailable } from "sallyport";
import { expect } from "vitest";
import { createWalker, type Page, signIn, type Walker } from "../support/browser-walk.ts";
import { clientKeys, goodClaims } from "../support/client-keys.ts";
import { demoUser, type TestEnvironment } from "../support/environment.ts";
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

/** Something secret that is sent wherever there is room for it. */
export const planted = "planted-0123456789abcdefghijklmnop";

/** A machine's own keys. */
export const robot = clientKeys();

/** Who asks about tokens. */
export const resourceServer = { id: "clock-server", secret: "resource-server-secret-0123456789abcdef" };

/**
 * Goes through every flow, and through every way in which it fails.
 * @param env has, besides the demo's, the servers `listener`, which answers everything, and `gone`, where nobody listens
 * @param failStore makes every operation of the store throw
 */
export async function driveEverything(
  env: TestEnvironment,
  failStore: (failure: Error | undefined) => void,
): Promise<void> {
  const client = await register(env.url);
  const confidential = await register(env.url, { token_endpoint_auth_method: "client_secret_basic" });
  const posting = await register(env.url, { token_endpoint_auth_method: "client_secret_post" });
  await fullSignIn(env, posting, "clock");
  await browserFailures(env, client);
  await cognitoFailures(env, client);
  await refreshAndReuse(env, client);
  await tokenFailures(env, client, confidential);
  await machineCalls(env);
  await remembered(env);
  await afterIssue(env, client);
  await gatewayCalls(env, client);
  await storeFailures(env, client, failStore);
  await send(env, "/.well-known/oauth-authorization-server");
  await send(env, `/nowhere?code=${planted}`);
}

const send = (env: TestEnvironment, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${env.url}${path}`, init);

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
});

const call = (
  env: TestEnvironment,
  path: string,
  token: string,
  headers: Record<string, string> = {},
): Promise<Response> =>
  send(env, path, {
    method: "POST",
    body: initialize,
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
  });

const basic = (id: string, secret: string) => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`,
});

/** Signs alice in for a resource and redeems the code. */
async function fullSignIn(
  env: TestEnvironment,
  client: TestClient,
  server: string,
): Promise<{ code: string; tokens: TokenAnswer }> {
  const pair = pkce();
  const url = authorizeUrl(env.url, client, pair, {
    state: `state-of-the-client-${server}-0123456789`,
    resource: `${env.url}/${server}/mcp`,
  });
  const code = new URL(await signIn(url, demoUser(env, "alice"))).searchParams.get("code") ?? "";
  const more = client.clientSecret === undefined ? {} : { client_secret: client.clientSecret };
  return { code, tokens: await tokenAnswer(await redeem(env.url, client, code, pair, more)) };
}

/** Walks to Cognito's sign-in page; the callback is still to come. */
async function atCognito(env: TestEnvironment, client: TestClient): Promise<{ walker: Walker; login: Page }> {
  const walker = createWalker();
  const consent = await walker.get(authorizeUrl(env.url, client, pkce()));
  return { walker, login: await walker.submit(consent, { decision: "approve" }) };
}

/** A consent page, answered in a browser that has a page of its own open. */
async function refusedElsewhere(env: TestEnvironment, client: TestClient, consent: Page): Promise<void> {
  const other = createWalker();
  await other.get(authorizeUrl(env.url, client, pkce()));
  await other.submit(consent, { decision: "approve" });
}

/** Approvals that are remembered, asked for again, listed and forgotten; another account; signing out. */
async function remembered(env: TestEnvironment): Promise<void> {
  const redirectUri = "https://app.example/callback";
  const client = { ...(await register(env.url, { redirect_uris: [redirectUri] })), redirectUri };
  const atClient = (location: string) => location.startsWith(redirectUri);
  const walker = createWalker();
  const url = (params: Record<string, string> = {}) => authorizeUrl(env.url, client, pkce(), params);
  await signIn(url(), demoUser(env, "alice"), { walker });
  expect((await walker.get(url(), atClient)).location).toBeDefined();
  const { username, password } = demoUser(env, "bob");
  const other = await walker.submit(await walker.get(url({ prompt: "login" })), { username, password });
  expect(other.body).toContain("decision");
  await walker.submit(other, { decision: "approve", another_account: "1" });
  const list = await walker.get(`${env.url}/consent`);
  await createWalker().submit(list, { forget: "all" });
  await walker.submit(list, { forget: planted });
  await walker.submit(list, { forget: "all" });
  await walker.submit(list, { forget: "all", remembered: `${planted}.${planted}` });
  await walker.get(`${env.url}/logout?logout_uri=https://${planted}.example`);
  await walker.submit(await walker.get(`${env.url}/logout`), {});
}

const alicesForm = (env: TestEnvironment) => {
  const { username, password } = demoUser(env, "alice");
  return { username, password };
};

async function browserFailures(env: TestEnvironment, client: TestClient): Promise<void> {
  const { walker, login } = await atCognito(env, client);
  const wrong = await walker.submit(login, { username: "alice@example.com", password: "not-the-right-password" });
  const atCallback = (location: string) => location.startsWith(`${env.url}/auth/callback`);
  const done = await walker.submit(wrong, alicesForm(env), atCallback);
  // In another browser, then in the right one, then once more.
  await createWalker().get(done.location ?? "");
  const atClient = (location: string) => location.startsWith(client.redirectUri);
  await walker.get(done.location ?? "", atClient);
  await walker.get(done.location ?? "");

  const consent = await walker.get(authorizeUrl(env.url, client, pkce()));
  await createWalker().submit(consent, { decision: "approve" });
  await refusedElsewhere(env, client, consent);
  await walker.submit(consent, { decision: "neither" });
  await walker.submit(consent, { decision: "approve", request: `${planted}.${planted}` });
  await walker.submit(consent, { decision: "deny" }, atClient);
  await walker.submit(consent, { decision: "approve" });
  const refused = await atCognito(env, client);
  const state = new URL(refused.login.url).searchParams.get("state") ?? "";
  const error = new URLSearchParams({ error: "access_denied", error_description: planted, state });
  await refused.walker.get(`${env.url}/auth/callback?${error}`, atClient);
  await walker.get(`${env.url}/authorize?client_id=${planted}&code=${planted}`);
  await walker.get(`${authorizeUrl(env.url, client, pkce(), { redirect_uri: `https://${planted}.example/cb` })}`);
  await walker.get(authorizeUrl(env.url, client, pkce(), { code_challenge: planted, scope: planted }), atClient);
}

async function cognitoFailures(env: TestEnvironment, client: TestClient): Promise<void> {
  const atClient = (location: string) => location.startsWith(client.redirectUri);
  const faults = [
    { status: 500, body: planted },
    { status: 400, body: { error: "invalid_grant", error_description: planted } },
    { status: 400, body: { error: "invalid_client", error_description: planted } },
    { status: 200, body: { access_token: planted, token_type: "Bearer", id_token: planted } },
    { status: 200, body: `{"access_token":"${planted}",` },
    { status: 302, headers: { location: `https://elsewhere.example/?code=${planted}` } },
    { dropConnection: true },
  ];
  for (const fault of faults) {
    const { walker, login } = await atCognito(env, client);
    env.cognito.faults.set({ path: "/oauth2/token", ...fault });
    await walker.submit(login, alicesForm(env), atClient);
    env.cognito.faults.clear();
  }
}

async function refreshAndReuse(env: TestEnvironment, client: TestClient): Promise<void> {
  const { code, tokens } = await fullSignIn(env, client, "clock");
  expect((await call(env, "/clock/mcp", tokens.access_token)).status).toBe(200);
  const next = await tokenAnswer(await refresh(env.url, client, tokens.refresh_token));
  expect(next.refresh_token).toBeDefined();
  expect(await tokenAnswer(await refresh(env.url, client, tokens.refresh_token))).toMatchObject({
    refresh_token: next.refresh_token,
  });
  // Cognito is asked again, is down, refuses to be understood, and comes back.
  env.clock.advance(20 * 60_000);
  env.cognito.faults.set({ path: "/oauth2/token", status: 500, body: planted });
  await refresh(env.url, client, next.refresh_token);
  env.clock.advance(10_000);
  env.cognito.faults.set({ path: "/oauth2/token", status: 400, body: { error: "invalid_client", planted } });
  await refresh(env.url, client, next.refresh_token);
  env.clock.advance(10_000);
  env.cognito.faults.clear();
  const third = await tokenAnswer(await refresh(env.url, client, next.refresh_token));
  expect(third.access_token).toBeDefined();
  env.clock.advance(2 * 60_000);
  const reuse = await refresh(env.url, client, tokens.refresh_token);
  expect(reuse.status).toBe(400);
  await refresh(env.url, client, third.refresh_token);
  await redeem(env.url, client, code, pkce());
  env.clock.advance(60_000);
  expect((await call(env, "/clock/mcp", third.access_token)).status).toBe(401);
}

async function tokenFailures(env: TestEnvironment, client: TestClient, confidential: TestClient): Promise<void> {
  const { code: used, tokens } = await fullSignIn(env, client, "notes");
  const pair = pkce();
  const more = { redirect_uri: `https://${planted}.example/` };
  await redeem(env.url, client, `${used.slice(0, -3)}abc`, pair);
  await redeem(env.url, client, tokens.refresh_token, pair);
  await redeem(env.url, client, planted, pair, more);
  const url = authorizeUrl(env.url, client, pair);
  const good = new URL(await signIn(url, demoUser(env, "alice"))).searchParams.get("code") ?? "";
  await redeem(env.url, client, good, pkce());
  await redeem(env.url, client, good, pair, more);
  await redeem(env.url, client, good, pair, { resource: `${env.url}/${planted}/mcp` });
  await redeem(env.url, confidential, good, pair);
  const authorization = basic(confidential.clientId, `${planted}-wrong-secret`);
  await postToken(env.url, { grant_type: "refresh_token", refresh_token: tokens.refresh_token }, authorization);
  await postToken(env.url, { grant_type: "refresh_token" }, { authorization: `Basic ${planted}` });
  await refresh(env.url, client, tokens.access_token);
  await refresh(env.url, client, tokens.refresh_token, { scope: planted, client_secret: planted });
  await send(env, "/token", {
    method: "POST",
    body: JSON.stringify({ refresh_token: tokens.refresh_token }),
    headers: { "content-type": "application/json" },
  });
  await send(env, `/token?refresh_token=${tokens.refresh_token}`);
  await send(env, "/token", { method: "POST", body: `code=${good}&code=${good}&grant_type=authorization_code` });
  await send(env, "/register", { method: "POST", body: `{"client_secret":"${planted}"` });
  await send(env, "/register", {
    method: "POST",
    body: "{}",
    headers: { "content-type": "application/json", authorization: `Bearer ${planted}` },
  });
  for (const uri of [`https://user:${planted}@app.example/`, `https://app.example/#${planted}`]) {
    await send(env, "/register", {
      method: "POST",
      body: JSON.stringify({ redirect_uris: [uri], client_secret: planted }),
      headers: { "content-type": "application/json" },
    });
  }
}

async function machineCalls(env: TestEnvironment): Promise<void> {
  const { clientId, clientSecret } = env.machine;
  const form = { grant_type: "client_credentials", resource: `${env.url}/clock/mcp` };
  const answer = await tokenAnswer(await postToken(env.url, form, basic(clientId, clientSecret)));
  expect(answer.access_token).toBeDefined();
  await call(env, "/clock/mcp", answer.access_token);
  const body = { ...form, client_id: clientId, client_secret: clientSecret };
  await postToken(env.url, body);
  await postToken(env.url, { ...body, client_secret: `${planted}-wrong-secret` });
  env.cognito.faults.set({ path: "/oauth2/token", status: 429, body: planted });
  await postToken(env.url, { ...body, client_secret: `${clientSecret}-wrong` });
  env.cognito.faults.clear();
  const claims = () => goodClaims("robot", env.url, env.clock.now());
  const assertion = robot.assertion(claims());
  expect((await postToken(env.url, { ...form, ...assertion })).status).toBe(200);
  await postToken(env.url, { ...form, ...assertion });
  await postToken(env.url, { ...form, ...robot.assertion({ ...claims(), aud: planted, jti: planted }) });
  await postToken(env.url, { ...form, ...robot.assertion(claims()), client_secret: planted });
  // Cognito's own token, offered to the gateway as it is.
  const own = await fetch(env.cognito.tokenUrl, {
    method: "POST",
    body: new URLSearchParams({ grant_type: "client_credentials" }),
    headers: basic(clientId, clientSecret),
  });
  await call(env, "/clock/mcp", (await tokenAnswer(own)).access_token);
}

async function afterIssue(env: TestEnvironment, client: TestClient): Promise<void> {
  const { tokens } = await fullSignIn(env, client, "clock");
  const post = (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
    send(env, path, { method: "POST", body: new URLSearchParams(form), headers });
  const server = basic(resourceServer.id, resourceServer.secret);
  const active = await post("/introspect", { token: tokens.access_token }, server);
  expect(await active.json()).toMatchObject({ active: true });
  for (const token of [tokens.refresh_token, planted, `${tokens.access_token}x`]) {
    expect(await (await post("/introspect", { token }, server)).json()).toEqual({ active: false });
  }
  await post("/introspect", { token: tokens.access_token }, basic(resourceServer.id, `${planted}-wrong`));
  const other = await register(env.url);
  await post("/revoke", { token: tokens.refresh_token, client_id: other.clientId });
  await post("/revoke", { token: planted, client_id: client.clientId });
  expect((await post("/revoke", { token: tokens.access_token, client_id: client.clientId })).status).toBe(200);
}

async function gatewayCalls(env: TestEnvironment, client: TestClient): Promise<void> {
  const { tokens } = await fullSignIn(env, client, "listener");
  const { access_token: token } = tokens;
  expect((await call(env, "/listener/mcp", token)).status).toBe(200);
  expect((await call(env, "/listener/mcp", token, { cookie: `sallyport-session=${planted}` })).status).toBe(200);
  const gone = await fullSignIn(env, client, "gone");
  expect((await call(env, "/gone/mcp", gone.tokens.access_token)).status).toBe(502);
  await call(env, "/clock/mcp", token);
  await call(env, "/listener/mcp", `${token.slice(0, -4)}abcd`);
  await call(env, "/listener/mcp", tokens.refresh_token);
  await call(env, "/listener/mcp", `${token} ${token}`);
  await call(env, `/listener/mcp?access_token=${token}`, planted);
  await call(env, "/listener/mcp", token, { origin: `https://${planted}.example` });
  await call(env, "/listener/mcp", token, { "mcp-session-id": planted });
  await send(env, "/listener/mcp", {
    method: "POST",
    body: `[${planted}`,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
  });
  env.clock.advance(11 * 60_000);
  expect((await call(env, "/listener/mcp", token)).status).toBe(401);
}

async function storeFailures(
  env: TestEnvironment,
  client: TestClient,
  failStore: (failure: Error | undefined) => void,
): Promise<void> {
  const pair = pkce();
  const code = new URL(await signIn(authorizeUrl(env.url, client, pair), demoUser(env, "alice"))).searchParams.get(
    "code",
  );
  const { tokens } = await fullSignIn(env, client, "clock");
  const { walker, login } = await atCognito(env, client);
  env.clock.advance(20_000);
  for (const failure of [new StoreUnavailable("the store does not answer"), new TypeError("x is not a function")]) {
    failStore(failure);
    const expected = failure instanceof StoreUnavailable ? 503 : 500;
    expect((await redeem(env.url, client, code ?? "", pair)).status).toBe(expected);
    expect((await refresh(env.url, client, tokens.refresh_token)).status).toBe(expected);
    await call(env, "/clock/mcp", tokens.access_token);
    await walker.get(authorizeUrl(env.url, client, pair));
    await walker.submit(login, alicesForm(env));
    failStore(undefined);
  }
}
