import { createServer } from "node:http";
import { type Random, type Store, StoreUnavailable, systemRandom } from "sallyport";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createWalker, type Page, signIn, type Walker } from "../support/browser-walk.ts";
import { demoUser, freePort, startEnvironment, type TestEnvironment } from "../support/environment.ts";
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
import { type Exchange, recordingFetch } from "./recorded-exchanges.ts";
import { collectSecrets, findLeaks, type Output, outputsOf, type Secrets } from "./secrets.ts";

const realFetch = globalThis.fetch;
/** What browsers and clients sent and got. */
const exchanges: Exchange[] = [];
/** What the gateway sent to Cognito and got. */
const upstreamExchanges: Exchange[] = [];
/** What reached the MCP server behind the gateway. */
const forwarded: Output[] = [];
/** What was written past the logger. */
const printed: Output[] = [];
const randomValues = new Set<string>();

const random: Random = {
  ...systemRandom,
  bytes(length) {
    const bytes = systemRandom.bytes(length);
    if (length >= 16) {
      randomValues.add(Buffer.from(bytes).toString("base64url"));
      randomValues.add(Buffer.from(bytes).toString("hex"));
    }
    return bytes;
  },
};

const planted = "planted-0123456789abcdefghijklmnop";

let storeFails: Error | undefined;
/** A store that can be told to fail. */
const failing = (store: Store): Store =>
  new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]): unknown => {
        if (storeFails && name !== "close") throw storeFails;
        return Reflect.apply(member, target, args);
      };
    },
  });

/** An MCP server that writes down what it is sent. */
async function startListener(): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((req, res) => {
    let body = "";
    req.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    req.on("end", () => {
      forwarded.push({ place: "request to the MCP server", text: `${req.url}\n${req.rawHeaders.join("\n")}\n${body}` });
      res.setHeader("content-type", "application/json");
      res.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: {} }));
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

let env: TestEnvironment;
let listener: Awaited<ReturnType<typeof startListener>>;
const secrets: Secrets = new Map();

const send = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${env.url}${path}`, init);
const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
});

const call = (path: string, token: string, headers: Record<string, string> = {}): Promise<Response> =>
  send(path, {
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
async function fullSignIn(client: TestClient, server: string): Promise<{ code: string; tokens: TokenAnswer }> {
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
async function atCognito(client: TestClient): Promise<{ walker: Walker; login: Page }> {
  const walker = createWalker();
  const consent = await walker.get(authorizeUrl(env.url, client, pkce()));
  return { walker, login: await walker.submit(consent, { decision: "approve" }) };
}

const alicesForm = () => {
  const { username, password } = demoUser(env, "alice");
  return { username, password };
};

async function browserFailures(client: TestClient): Promise<void> {
  const { walker, login } = await atCognito(client);
  const wrong = await walker.submit(login, { username: "alice@example.com", password: "not-the-right-password" });
  const atCallback = (location: string) => location.startsWith(`${env.url}/auth/callback`);
  const done = await walker.submit(wrong, alicesForm(), atCallback);
  // In another browser, then in the right one, then once more.
  await createWalker().get(done.location ?? "");
  const atClient = (location: string) => location.startsWith(client.redirectUri);
  await walker.get(done.location ?? "", atClient);
  await walker.get(done.location ?? "");

  const consent = await walker.get(authorizeUrl(env.url, client, pkce()));
  await createWalker().submit(consent, { decision: "approve" });
  await walker.submit(consent, { decision: "neither" });
  await walker.submit(consent, { decision: "approve", request: `${planted}.${planted}` });
  await walker.submit(consent, { decision: "deny" }, atClient);
  await walker.submit(consent, { decision: "approve" });
  const refused = await atCognito(client);
  const state = new URL(refused.login.url).searchParams.get("state") ?? "";
  const error = new URLSearchParams({ error: "access_denied", error_description: planted, state });
  await refused.walker.get(`${env.url}/auth/callback?${error}`, atClient);
  await walker.get(`${env.url}/authorize?client_id=${planted}&code=${planted}`);
  await walker.get(`${authorizeUrl(env.url, client, pkce(), { redirect_uri: `https://${planted}.example/cb` })}`);
  await walker.get(authorizeUrl(env.url, client, pkce(), { code_challenge: planted, scope: planted }), atClient);
}

async function cognitoFailures(client: TestClient): Promise<void> {
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
    const { walker, login } = await atCognito(client);
    env.cognito.faults.set({ path: "/oauth2/token", ...fault });
    await walker.submit(login, alicesForm(), atClient);
    env.cognito.faults.clear();
  }
}

async function refreshAndReuse(client: TestClient): Promise<void> {
  const { code, tokens } = await fullSignIn(client, "clock");
  expect((await call("/clock/mcp", tokens.access_token)).status).toBe(200);
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
  expect((await call("/clock/mcp", third.access_token)).status).toBe(401);
}

async function tokenFailures(client: TestClient, confidential: TestClient): Promise<void> {
  const { code: used, tokens } = await fullSignIn(client, "notes");
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
  await send("/token", {
    method: "POST",
    body: JSON.stringify({ refresh_token: tokens.refresh_token }),
    headers: { "content-type": "application/json" },
  });
  await send(`/token?refresh_token=${tokens.refresh_token}`);
  await send("/token", { method: "POST", body: `code=${good}&code=${good}&grant_type=authorization_code` });
  await send("/register", { method: "POST", body: `{"client_secret":"${planted}"` });
  for (const uri of [`https://user:${planted}@app.example/`, `https://app.example/#${planted}`]) {
    await send("/register", {
      method: "POST",
      body: JSON.stringify({ redirect_uris: [uri], client_secret: planted }),
      headers: { "content-type": "application/json" },
    });
  }
}

async function machineCalls(): Promise<void> {
  const { clientId, clientSecret } = env.machine;
  const form = { grant_type: "client_credentials", resource: `${env.url}/clock/mcp` };
  const answer = await tokenAnswer(await postToken(env.url, form, basic(clientId, clientSecret)));
  expect(answer.access_token).toBeDefined();
  await call("/clock/mcp", answer.access_token);
  const body = { ...form, client_id: clientId, client_secret: clientSecret };
  await postToken(env.url, body);
  await postToken(env.url, { ...body, client_secret: `${planted}-wrong-secret` });
  env.cognito.faults.set({ path: "/oauth2/token", status: 429, body: planted });
  await postToken(env.url, { ...body, client_secret: `${clientSecret}-wrong` });
  env.cognito.faults.clear();
  // Cognito's own token, offered to the gateway as it is.
  const own = await fetch(env.cognito.tokenUrl, {
    method: "POST",
    body: new URLSearchParams({ grant_type: "client_credentials" }),
    headers: basic(clientId, clientSecret),
  });
  await call("/clock/mcp", (await tokenAnswer(own)).access_token);
}

async function gatewayCalls(client: TestClient): Promise<void> {
  const { tokens } = await fullSignIn(client, "listener");
  const { access_token: token } = tokens;
  expect((await call("/listener/mcp", token)).status).toBe(200);
  expect((await call("/listener/mcp", token, { cookie: `sallyport-session=${planted}` })).status).toBe(200);
  const gone = await fullSignIn(client, "gone");
  expect((await call("/gone/mcp", gone.tokens.access_token)).status).toBe(502);
  await call("/clock/mcp", token);
  await call("/listener/mcp", `${token.slice(0, -4)}abcd`);
  await call("/listener/mcp", tokens.refresh_token);
  await call("/listener/mcp", `${token} ${token}`);
  await call(`/listener/mcp?access_token=${token}`, planted);
  await call("/listener/mcp", token, { origin: `https://${planted}.example` });
  await call("/listener/mcp", token, { "mcp-session-id": planted });
  await send("/listener/mcp", {
    method: "POST",
    body: `[${planted}`,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
  });
  env.clock.advance(11 * 60_000);
  expect((await call("/listener/mcp", token)).status).toBe(401);
}

async function storeFailures(client: TestClient): Promise<void> {
  const pair = pkce();
  const code = new URL(await signIn(authorizeUrl(env.url, client, pair), demoUser(env, "alice"))).searchParams.get(
    "code",
  );
  const { tokens } = await fullSignIn(client, "clock");
  const { walker, login } = await atCognito(client);
  env.clock.advance(20_000);
  for (const failure of [new StoreUnavailable("the store does not answer"), new TypeError("x is not a function")]) {
    storeFails = failure;
    const expected = failure instanceof StoreUnavailable ? 503 : 500;
    expect((await redeem(env.url, client, code ?? "", pair)).status).toBe(expected);
    expect((await refresh(env.url, client, tokens.refresh_token)).status).toBe(expected);
    await call("/clock/mcp", tokens.access_token);
    await walker.get(authorizeUrl(env.url, client, pair));
    await walker.submit(login, alicesForm());
    storeFails = undefined;
  }
}

beforeAll(async () => {
  vi.stubGlobal("fetch", recordingFetch(realFetch, exchanges));
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, "write").mockImplementation((text) => {
      printed.push({ place: "printed", text: String(text) });
      return true;
    });
  }
  for (const level of ["debug", "info", "log", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((...args) => {
      printed.push({ place: `console.${level}`, text: args.map(String).join(" ") });
    });
  }
  listener = await startListener();
  const nobody = `http://127.0.0.1:${await freePort()}/mcp`;
  env = await startEnvironment({
    runtime: { random, fetch: recordingFetch(realFetch, upstreamExchanges) },
    wrapStore: failing,
    change: (settings) => ({
      ...settings,
      servers: [
        ...(settings.servers ?? []),
        { name: "listener", url: listener.url, requiredScopes: ["mcp/read"] },
        { name: "gone", url: nobody, requiredScopes: ["mcp/read"] },
      ],
    }),
  });
  const client = await register(env.url);
  const confidential = await register(env.url, { token_endpoint_auth_method: "client_secret_basic" });
  const posting = await register(env.url, { token_endpoint_auth_method: "client_secret_post" });
  await fullSignIn(posting, "clock");
  await browserFailures(client);
  await cognitoFailures(client);
  await refreshAndReuse(client);
  await tokenFailures(client, confidential);
  await machineCalls();
  await gatewayCalls(client);
  await storeFailures(client);
  await send("/.well-known/oauth-authorization-server");
  await send(`/nowhere?code=${planted}`);
  vi.restoreAllMocks();

  const all = [...exchanges, ...upstreamExchanges];
  collectSecrets(all, env.url, secrets);
  for (const secret of [env.settings.secret ?? []].flat()) secrets.set(secret, "root secret");
  const { clientSecret } = env.settings.cognito;
  if (clientSecret) secrets.set(clientSecret, "client secret");
  secrets.set(env.machine.clientSecret, "client secret");
  secrets.set(planted, "planted");
});
afterAll(async () => {
  vi.unstubAllGlobals();
  await env?.close();
  await listener?.close();
});

const ofServer = () => exchanges.filter(({ url }) => url.origin === env.url);
const logged = (): readonly Output[] => [
  ...env.log.map((text) => ({ place: "log", text })),
  ...env.cognitoLog.map((text) => ({ place: "emulator's log", text })),
  ...env.audit.map((event) => ({ place: `audit ${event.action}`, text: JSON.stringify(event) })),
  ...printed,
];

describe("no token, code, secret, cookie or verifier leaves its place", () => {
  test("the flow was really driven: every kind of secret occurred, and every step and failure is on record", () => {
    expect(new Set(secrets.values())).toEqual(
      new Set([
        "access token",
        "refresh token",
        "authorization code",
        "client secret",
        "PKCE verifier",
        "page cookie",
        "transaction cookie",
        "sealed form",
        "state of the client",
        "state for Cognito",
        "nonce for Cognito",
        "password",
        "root secret",
        "Cognito cookie",
        "Cognito code",
        "Cognito token",
        "Cognito form field",
        "credentials in a header",
        "planted",
      ]),
    );
    const reasons = new Set<string | undefined>(env.audit.map(({ reason }) => reason));
    for (const reason of [
      "consent_denied",
      "consent_form_invalid",
      "consent_form_used",
      "consent_wrong_browser",
      "transaction_cookie_missing",
      "transaction_unknown",
      "provider_denied",
      "provider_refused",
      "provider_unavailable",
      "provider_misconfigured",
      "client_auth_failed",
      "upstream_server_unreachable",
    ]) {
      expect(reasons, reason).toContain(reason);
    }
    const actions = new Set<string>(env.audit.map(({ action }) => action));
    for (const action of ["signin.completed", "token.issued", "token.refreshed", "grant.ended", "request.allowed"]) {
      expect(actions, action).toContain(action);
    }
    expect(env.log.length).toBeGreaterThan(20);
    expect(env.cognitoLog.join("\n")).toContain("sign-in refused");
    expect(forwarded.length).toBeGreaterThan(0);
    const statuses = new Set(ofServer().map(({ status }) => status));
    for (const status of [200, 201, 302, 400, 401, 403, 404, 405, 500, 502, 503]) expect(statuses).toContain(status);
  });

  test("not into logs, audit events or output", () => {
    expect(findLeaks(secrets, logged())).toEqual([]);
  });

  test("not into answers, headers and bodies, where it does not belong", () => {
    expect(findLeaks(secrets, ofServer().flatMap(outputsOf))).toEqual([]);
  });

  test("not to the MCP servers", () => {
    const caller = new Map([...secrets].filter(([, kind]) => kind !== "planted"));
    expect(findLeaks(caller, forwarded)).toEqual([]);
  });

  test("of the random values, logs and errors hold only those that are names: grants and clients", () => {
    const names = new Set<string>();
    for (const { url, status, body } of ofServer()) {
      if (url.pathname === "/register" && status === 201) {
        names.add(/"client_id":"([^"]+)"/.exec(body)?.[1] ?? "");
      }
    }
    for (const [secret, kind] of secrets) {
      if (kind === "authorization code" || kind === "refresh token") names.add(secret.split(".")[0] ?? "");
      if (kind !== "access token") continue;
      const claims = Buffer.from(secret.split(".")[1] ?? "", "base64url").toString();
      names.add(/"sid":"([^"]+)"/.exec(claims)?.[1] ?? "");
    }
    const failures = ofServer().filter(({ status }) => status >= 400);
    const text = [...logged(), ...failures.flatMap(outputsOf)].map((output) => output.text).join("\n");
    const drawn = [...randomValues].filter((value) => !names.has(value));
    expect(drawn.length).toBeGreaterThan(100);
    expect(drawn.filter((value) => text.includes(value))).toHaveLength(0);
  });

  test("and a leak would be found, of a whole secret or of its beginning", () => {
    const kinds = new Map([...secrets].map(([secret, kind]) => [kind, secret]));
    for (const [kind, secret] of kinds) {
      const whole = { place: "log", text: `2026-01-01 info  something happened value="${secret}"` };
      expect(findLeaks(secrets, [whole]), kind).toContain(`${kind} in log`);
    }
    const token = kinds.get("Cognito token") ?? "";
    expect(findLeaks(secrets, [{ place: "log", text: token.slice(0, 24) }])).toContain("Cognito token in log");
    const code = kinds.get("authorization code") ?? "";
    const secretPart = code.split(".")[3] ?? "";
    expect(findLeaks(secrets, [{ place: "log", text: secretPart.slice(0, 24) }])).toContain(
      "authorization code in log",
    );
  });
});
