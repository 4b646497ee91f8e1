import { request as httpRequest } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { ConfigError } from "sallyport";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createWalker, signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { authorizeUrl, pkce, postToken, redeem, register, tokenAnswer } from "../support/oauth-client.ts";
import { type FeedServer, startFeedServer } from "./feed-server.ts";

type Settings = TestEnvironment["settings"];

let env: TestEnvironment;
let feed: FeedServer;
let other: FeedServer;
const tokens = new Map<string, string>();
const token = (who: "alice" | "bob" | "machine"): string => tokens.get(who) ?? "";
const url = (server: string): string => `${env.url}/${server}/mcp`;

/** A client that the settings name. */
const partner = { clientId: "partner", redirectUri: "https://partner.example/callback" };

beforeAll(async () => {
  [feed, other] = await Promise.all([startFeedServer(), startFeedServer()]);
  env = await startEnvironment({
    change: (demo) => ({
      ...demo,
      policyTests: [],
      scopes: {
        "mcp/read": { allow: [{ servers: ["*"], tools: ["now"] }] },
        "mcp/admin": { includes: ["mcp/read"], allow: [{ servers: ["*"], tools: ["*"], methods: ["all"] }] },
      },
      groups: { "mcp-admins": ["mcp/admin"], "mcp-readers": ["mcp/read"] },
      servers: [{ name: "feed", url: feed.url, requiredScopes: [] }],
      clients: { [partner.clientId]: { name: "Partner", redirectUris: [partner.redirectUri] } },
    }),
  });
  for (const who of ["alice", "bob"] as const) tokens.set(who, (await signedIn(who)).access_token);
  const { clientId: client_id, clientSecret: client_secret } = env.machine;
  const form = { grant_type: "client_credentials", client_id, client_secret, resource: url("feed") };
  tokens.set("machine", (await tokenAnswer(await postToken(env.url, form))).access_token);
}, 60_000);
beforeEach(() => env.reconfigure((settings) => settings));
afterAll(async () => {
  await env.close();
  await Promise.all([feed.close(), other.close()]);
});

async function signedIn(name: string, client?: { readonly clientId: string; readonly redirectUri: string }) {
  const who = client ?? (await register(env.url));
  const pair = pkce();
  const request = authorizeUrl(env.url, who, pair, { resource: url("feed") });
  const code = new URL(await signIn(request, demoUser(env, name))).searchParams.get("code") ?? "";
  return tokenAnswer(await redeem(env.url, who, code, pair));
}

const ask = (accessToken: string, method: string, params?: Record<string, unknown>, server = "feed") =>
  fetch(statelessRequest(url(server), accessToken, method, params));
const call = (accessToken: string, name: string, server?: string) =>
  ask(accessToken, "tools/call", { name, arguments: {} }, server);

const listed = async (accessToken: string): Promise<string[]> => {
  const answer: unknown = await (await ask(accessToken, "tools/list")).json();
  const { tools } = (answer as { result: { tools: { name: string }[] } }).result;
  return tools.map(({ name }) => name);
};

/** An open stream, and everything that has come over it. */
async function openStream(accessToken: string, server = "feed", more: Record<string, string> = {}) {
  const response = await fetch(url(server), {
    headers: { authorization: `Bearer ${accessToken}`, accept: "text/event-stream", ...more },
  });
  expect(response.status).toBe(200);
  const stream = { text: "", end: undefined as "whole" | "broken" | undefined, cancel: () => {} };
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) throw new Error("no body");
  stream.cancel = () => void reader.cancel().catch(() => {});
  void (async () => {
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) stream.text += part.value;
      stream.end ??= "whole";
    } catch {
      stream.end ??= "broken";
    }
  })();
  return stream;
}

const without = (settings: Settings, name: string): Settings => ({
  ...settings,
  servers: (settings.servers ?? []).filter((server) => server.name !== name),
});
const withScopes = (settings: Settings, scopes: Settings["scopes"]): Settings => ({
  ...settings,
  scopes: { ...settings.scopes, ...scopes },
});

describe("who may what", () => {
  test("a group that loses a tool: the next call is refused and the list shows it no more", async () => {
    expect((await call(token("bob"), "now")).status).toBe(200);
    expect(await listed(token("bob"))).toEqual(["now"]);
    await env.reconfigure((settings) =>
      withScopes(settings, { "mcp/read": { allow: [{ servers: ["feed"], tools: ["wait"] }] } }),
    );
    expect((await call(token("bob"), "now")).status).toBe(403);
    expect(await listed(token("bob"))).toEqual(["wait"]);
    expect((await call(token("alice"), "now")).status).toBe(200);
  });

  test("groups, machines and clients that are gone from the settings lose access with the next request", async () => {
    const viaPartner = (await signedIn("alice", partner)).access_token;
    for (const held of [token("bob"), token("machine"), viaPartner]) expect((await call(held, "now")).status).toBe(200);
    await env.reconfigure((settings) => ({
      ...settings,
      groups: { "mcp-admins": ["mcp/admin"] },
      machines: {},
      clients: {},
    }));
    expect((await call(token("bob"), "now")).status).toBe(403);
    expect((await call(token("machine"), "now")).status).toBe(401);
    expect((await call(viaPartner, "now")).status).toBe(401);
    expect((await call(token("alice"), "now")).status).toBe(200);
    await env.reconfigure((settings) => settings);
    for (const held of [token("bob"), token("machine"), viaPartner]) expect((await call(held, "now")).status).toBe(200);
  });

  test("a client that may have less now has less, whatever its token says", async () => {
    const viaPartner = (await signedIn("alice", partner)).access_token;
    await env.reconfigure((settings) => ({
      ...settings,
      clients: { partner: { name: "Partner", redirectUris: [partner.redirectUri], scopes: ["mcp/read"] } },
    }));
    expect((await call(viaPartner, "now")).status).toBe(200);
    expect((await ask(viaPartner, "tools/call", { name: "other", arguments: {} })).status).toBe(403);
  });

  test("a request that is still being read is judged by the settings of its end", async () => {
    const whole = statelessRequest(url("feed"), token("bob"), "tools/call", { name: "now", arguments: {} });
    const body = await whole.text();
    const slowly = async (change: (settings: Settings) => Settings): Promise<number | undefined> => {
      const { promise, resolve } = Promise.withResolvers<number | undefined>();
      const headers = { ...Object.fromEntries(whole.headers), "content-length": String(body.length) };
      const half = httpRequest(url("feed"), { method: "POST", headers }, (res) => {
        res.resume();
        resolve(res.statusCode);
      });
      half.write(body.slice(0, 20));
      await pause(50);
      await env.reconfigure(change);
      half.end(body.slice(20));
      return promise;
    };
    expect(await slowly((settings) => settings)).toBe(200);
    expect(await slowly((settings) => ({ ...settings, groups: {} }))).toBe(403);
    expect(await slowly((settings) => settings)).toBe(200);
    expect(await slowly((settings) => without(settings, "feed"))).toBe(404);
  });
});

describe("what is open", () => {
  test("a stream that is no longer allowed ends at once; one that is stays open, and no byte is lost", async () => {
    const [alices, bobs] = [await openStream(token("alice")), await openStream(token("bob"))];
    await vi.waitFor(() => expect(feed.streams).toBe(2));
    // Leaves a connection behind for the next one.
    await call(token("alice"), "now").then((answer) => answer.text());
    const { connections } = feed;
    let sent = ": open\n\n";
    for (let n = 0; n < 20; n += 1) {
      feed.send(`before ${n}`);
      await env.reconfigure((settings) => ({
        ...withScopes(settings, { "mcp/read": { allow: [{ servers: ["feed"], tools: [`tool-${n}`] }] } }),
        maxOpenRequests: 100 + n,
        servers: [{ name: "feed", url: feed.url, title: `Feed ${n}`, requiredScopes: [] }],
      }));
      feed.send(`after ${n}`);
      sent += `data: before ${n}\n\ndata: after ${n}\n\n`;
    }
    await vi.waitFor(() => expect(alices.text).toBe(sent));
    expect(bobs.text).toBe(sent);
    await call(token("alice"), "now").then((answer) => answer.text());
    expect(feed.connections).toBe(connections);

    await env.reconfigure((settings) => withScopes(settings, { "mcp/read": { allow: [] } }));
    await vi.waitFor(() => expect(bobs.end).toBe("whole"));
    feed.send("last");
    await vi.waitFor(() => expect(alices.text).toBe(`${sent}data: last\n\n`));
    expect(alices.end).toBeUndefined();
    expect(env.audit.at(-1)).toMatchObject({ action: "stream.closed", reason: "not_permitted", server: "feed" });
    alices.cancel();
    await vi.waitFor(() => expect(feed.streams).toBe(0));
  });

  test("a server that is added answers; one that is removed is gone, its streams end, its call finishes", async () => {
    expect((await call(token("alice"), "now", "other")).status).toBe(404);
    const added = (settings: Settings): Settings => ({
      ...settings,
      servers: [...(settings.servers ?? []), { name: "other", url: other.url, requiredScopes: [] }],
    });
    await env.reconfigure(added);
    expect((await call(token("alice"), "now", "other")).status).toBe(401);
    const metadata = await fetch(`${env.url}/.well-known/oauth-protected-resource/other/mcp`);
    expect(await metadata.json()).toMatchObject({ resource: url("other") });

    const stream = await openStream(token("alice"));
    const running = call(token("alice"), "wait");
    await vi.waitFor(() => expect(feed.waiting).toBe(1));
    await env.reconfigure((settings) => without(added(settings), "feed"));
    await vi.waitFor(() => expect(stream.end).toBe("whole"));
    expect(env.audit.at(-1)).toMatchObject({ action: "stream.closed", reason: "settings_changed", status: 503 });
    expect((await call(token("alice"), "now")).status).toBe(404);
    expect((await fetch(`${env.url}/.well-known/oauth-protected-resource/feed/mcp`)).status).toBe(404);
    // Past every look at what is open.
    env.clock.advance(30_000);
    await pause(20);
    expect(feed.waiting).toBe(1);
    feed.answer();
    expect((await running).status).toBe(200);
  });

  test("a call at a server that is gone has a minute, then it is told to come again", async () => {
    // Its own timeout must not be what ends it.
    await env.reconfigure((settings) => ({
      ...settings,
      servers: [{ name: "feed", url: feed.url, requiredScopes: [], timeout: "1h" }],
    }));
    const running = call(token("alice"), "wait");
    await vi.waitFor(() => expect(feed.waiting).toBe(1));
    await env.reconfigure((settings) => without(settings, "feed"));
    env.clock.advance(59_000);
    await pause(20);
    expect(feed.waiting).toBe(1);
    env.clock.advance(1_100);
    const answer = await running;
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    await vi.waitFor(() => expect(feed.waiting).toBe(0));
  });

  test("a server with another URL: streams end so that clients connect anew, a call there finishes", async () => {
    const stream = await openStream(token("alice"));
    const running = call(token("alice"), "wait");
    await vi.waitFor(() => expect(feed.waiting).toBe(1));
    const before = other.requests;
    await env.reconfigure((settings) => ({
      ...settings,
      servers: [{ name: "feed", url: other.url, requiredScopes: [] }],
    }));
    await vi.waitFor(() => expect(stream.end).toBe("whole"));
    expect((await call(token("alice"), "now")).status).toBe(200);
    expect(other.requests).toBe(before + 1);
    feed.answer();
    expect((await running).status).toBe(200);
  });

  test("a stream that may hold lists ends where the first rule tells people apart; another stays", async () => {
    const withoutRules = (settings: Settings): Settings => ({
      ...settings,
      scopes: { "mcp/read": {}, "mcp/admin": {} },
    });
    await env.reconfigure(withoutRules);
    const plain = await openStream(token("alice"));
    const resumed = await openStream(token("alice"), "feed", { "last-event-id": "7" });
    await env.reconfigure((settings) => settings);
    await vi.waitFor(() => expect(resumed.end).toBe("whole"));
    feed.send("on");
    await vi.waitFor(() => expect(plain.text).toContain("data: on"));
    plain.cancel();
    await vi.waitFor(() => expect(feed.streams).toBe(0));
  });

  test("a sign-in under way goes on", async () => {
    const client = await register(env.url);
    const pair = pkce();
    const walker = createWalker();
    const page = await walker.get(authorizeUrl(env.url, client, pair, { resource: url("feed") }));
    await env.reconfigure((settings) => ({ ...settings, branding: { name: "Another" } }));
    const login = await walker.submit(page, { decision: "approve" });
    await env.reconfigure((settings) => settings);
    const { username, password } = demoUser(env, "alice");
    const atClient = (location: string): boolean => location.startsWith(client.redirectUri);
    const { location } = await walker.submit(login, { username, password }, atClient);
    const code = new URL(location ?? "").searchParams.get("code") ?? "";
    await env.reconfigure((settings) => withScopes(settings, { "mcp/new": {} }));
    expect((await redeem(env.url, client, code, pair)).status).toBe(200);
  });
});

describe("all or nothing", () => {
  test("settings that need a restart are named, and the others beside them are not taken over", async () => {
    const refused = env.reconfigure((settings) => ({
      ...settings,
      groups: {},
      baseUrl: "http://localhost:1",
      store: "sqlite:./elsewhere.db",
      tokens: { grantCheckInterval: "1s" },
    }));
    const error = await refused.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    const { problems } = error as ConfigError;
    expect(problems.map(({ setting }) => setting)).toEqual(["base_url", "tokens.grant_check_interval", "store"]);
    expect((await call(token("bob"), "now")).status).toBe(200);
  });

  test("what only the library can judge is refused as a whole", async () => {
    const refused = env.reconfigure((settings) => ({
      ...without(settings, "feed"),
      clients: { app: { name: "App", redirectUris: ["javascript:alert(1)"] } },
    }));
    await expect(refused).rejects.toThrow(/clients\.app\.redirect_uris\[0\]/);
    expect((await call(token("bob"), "now")).status).toBe(200);
  });

  test("a limit counts on while it stays the same", async () => {
    const limits = { ...env.settings.limits, register: 3 };
    const send = async () => (await fetch(`${env.url}/register`, { method: "POST", body: "{}" })).status;
    await env.reconfigure((settings) => ({ ...settings, limits }));
    for (let n = 0; n < 3; n += 1) expect(await send()).not.toBe(429);
    await env.reconfigure((settings) => ({ ...settings, limits, branding: { name: "Another" } }));
    expect(await send()).toBe(429);
    await env.reconfigure((settings) => settings);
    expect(await send()).not.toBe(429);
  });
});
