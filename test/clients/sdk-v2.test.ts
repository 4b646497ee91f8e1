import { Client, SdkHttpError, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { type InMemoryProvider, inMemoryProvider } from "./in-memory-provider.ts";
import { startWithServerForWriters } from "./server-for-writers.ts";

const minutes = 60_000;

let env: TestEnvironment;
beforeAll(async () => {
  env = await startWithServerForWriters();
});
afterAll(() => env.close());

type Era = "legacy" | "modern";
const eras: readonly Era[] = ["legacy", "modern"];

const newClient = (era: Era): Client =>
  new Client(
    { name: "sdk-v2", version: "1" },
    era === "modern" ? { versionNegotiation: { mode: { pin: "2026-07-28" } } } : {},
  );

interface Connected {
  readonly client: Client;
  readonly provider: InMemoryProvider;
}

/** From the first refused request to a connected client, as the SDK's documentation tells its users to do it. */
async function signInAndConnect(era: Era, server: string, who: string): Promise<Connected> {
  const url = new URL(`${env.url}/${server}/mcp`);
  const provider = inMemoryProvider(`${who}'s client`);
  const refused = new StreamableHTTPClientTransport(url, { authProvider: provider });
  await expect(newClient(era).connect(refused)).rejects.toBeInstanceOf(UnauthorizedError);
  const location = new URL(await signIn(provider.takeAuthorizationUrl(), demoUser(env, who)));
  expect(location.searchParams.get("state")).toBe(provider.lastState());
  await refused.finishAuth(location.searchParams);
  const client = newClient(era);
  onTestFinished(() => client.close());
  const from = env.audit.length;
  await client.connect(new StreamableHTTPClientTransport(url, { authProvider: provider }));
  // A legacy client opens its stream for news behind connect's back; a test that moves the clock must not race with it.
  const streamOpened = () =>
    env.audit.slice(from).some(({ method, action }) => method === "GET" && action === "request.allowed");
  if (era === "legacy") await expect.poll(streamOpened, { interval: 5 }).toBe(true);
  return { client, provider };
}

const toolNames = async (client: Client): Promise<string[]> => (await client.listTools()).tools.map(({ name }) => name);

describe.each(eras)("SDK v2's client, %s era", (era) => {
  test("signs in from a 401, lists tools and calls them on two servers", async () => {
    const { client } = await signInAndConnect(era, "clock", "alice");
    expect(client.getNegotiatedProtocolVersion()).toBe(era === "modern" ? "2026-07-28" : "2025-11-25");
    expect(await toolNames(client)).toEqual(["now", "sleep"]);
    const now = await client.callTool({ name: "now", arguments: { timezone: "Europe/Berlin" } });
    expect(now.structuredContent).toMatchObject({ timezone: "Europe/Berlin" });

    const { client: notes } = await signInAndConnect(era, "notes", "alice");
    const added = await notes.callTool({ name: "add_note", arguments: { text: `from the ${era} era` } });
    expect(added.isError ?? false).toBe(false);
    const listed = await notes.callTool({ name: "list_notes", arguments: {} });
    expect(JSON.stringify(listed.structuredContent)).toContain(`from the ${era} era`);
    const missing = await notes.callTool({ name: "delete_note", arguments: { id: "no-such-note" } });
    expect(missing.isError).toBe(true);
  });

  test("tells progress while a call runs", async () => {
    const { client } = await signInAndConnect(era, "clock", "alice");
    const told: number[] = [];
    await client.callTool(
      { name: "sleep", arguments: { ms: 120 } },
      { onprogress: ({ progress }) => told.push(progress) },
    );
    expect(told.length).toBeGreaterThanOrEqual(2);
    expect(told.at(-1)).toBe(120);
  });

  test("renews its token by itself when it has run out, without a browser", async () => {
    const { client, provider } = await signInAndConnect(era, "clock", "alice");
    const before = provider.tokens();
    env.clock.advance(11 * minutes);
    expect(await toolNames(client)).toContain("now");
    const after = provider.tokens();
    expect(provider.timesSaved()).toBe(2);
    expect(after?.access_token).not.toBe(before?.access_token);
    expect(after?.refresh_token).not.toBe(before?.refresh_token);
    expect(() => provider.takeAuthorizationUrl()).toThrow("no browser");
    // The successor renews as well.
    env.clock.advance(11 * minutes);
    await client.callTool({ name: "now", arguments: {} });
    expect(provider.timesSaved()).toBe(3);
  });

  test("several calls that meet the end of a token at once all pass, and the client can go on", async () => {
    const { client, provider } = await signInAndConnect(era, "clock", "alice");
    env.clock.advance(11 * minutes);
    const calls = Array.from({ length: 4 }, () => client.callTool({ name: "now", arguments: {} }));
    for (const result of await Promise.all(calls)) expect(result.isError ?? false).toBe(false);
    env.clock.advance(11 * minutes);
    expect(await toolNames(client)).toContain("now");
    expect(() => provider.takeAuthorizationUrl()).toThrow("no browser");
  });

  test("two clients at once, with two users, are two users to the server", async () => {
    const [alice, bob] = await Promise.all([
      signInAndConnect(era, "clock", "alice"),
      signInAndConnect(era, "clock", "bob"),
    ]);
    const from = env.audit.length;
    const calls = [alice, bob, alice, bob].map(({ client }) => client.callTool({ name: "now", arguments: {} }));
    for (const result of await Promise.all(calls)) expect(result.isError ?? false).toBe(false);

    const claims = [alice, bob].map(({ provider }) => decodeJwt(provider.tokens()?.access_token ?? ""));
    expect(claims.map(({ scope }) => scope)).toEqual(["mcp/read mcp/write mcp/admin", "mcp/read"]);
    const users = env.audit.slice(from).flatMap(({ method, user }) => (method === "tools/call" ? [user] : []));
    const [aliceSub, bobSub] = claims.map(({ sub }) => sub);
    expect(users.toSorted()).toEqual([aliceSub, aliceSub, bobSub, bobSub].toSorted());
  });

  test("a user without the scope of a server signs in and is refused, with no second browser", async () => {
    const url = new URL(`${env.url}/everything/mcp`);
    const provider = inMemoryProvider("bob's client");
    const refused = new StreamableHTTPClientTransport(url, { authProvider: provider });
    await expect(newClient(era).connect(refused)).rejects.toBeInstanceOf(UnauthorizedError);
    const location = new URL(await signIn(provider.takeAuthorizationUrl(), demoUser(env, "bob")));
    await refused.finishAuth(location.searchParams);
    const again = new StreamableHTTPClientTransport(url, { authProvider: provider });
    const error: unknown = await newClient(era)
      .connect(again)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SdkHttpError);
    expect(error).toMatchObject({ status: 403 });
    expect(() => provider.takeAuthorizationUrl()).toThrow("no browser");

    const { client } = await signInAndConnect(era, "everything", "alice");
    expect(await toolNames(client)).toContain("test_simple_text");
  });
});

describe.each(eras)("SDK v2's client, %s era, where a server needs a scope marked step_up", (era) => {
  test("signs in without it, is asked once more, and then passes", async () => {
    const strict = await startEnvironment({
      change: (settings) => ({
        ...settings,
        scopes: Object.fromEntries(
          Object.entries(settings.scopes ?? {}).map(([name, scope]) => [
            name,
            { ...scope, stepUp: name !== "mcp/read" },
          ]),
        ),
        servers: settings.servers?.map((server) => ({ ...server, requiredScopes: ["mcp/write"] })),
      }),
    });
    onTestFinished(() => strict.close());
    const url = new URL(`${strict.url}/notes/mcp`);
    const provider = inMemoryProvider("careful client");
    const scopes: (string | null)[] = [];
    const meetTheBrowser = async (): Promise<void> => {
      const transport = new StreamableHTTPClientTransport(url, { authProvider: provider });
      await expect(newClient(era).connect(transport)).rejects.toBeInstanceOf(UnauthorizedError);
      const asked = provider.takeAuthorizationUrl();
      scopes.push(new URL(asked).searchParams.get("scope"));
      await transport.finishAuth(new URL(await signIn(asked, demoUser(strict, "alice"))).searchParams);
    };
    await meetTheBrowser();
    const token = provider.tokens();
    expect(token?.scope).toBe("mcp/read");
    // What is held and what is missing, in one challenge, for clients that do not put the two together themselves.
    const ping = await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${token?.access_token}`, "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
    });
    expect(ping.status).toBe(403);
    expect(ping.headers.get("www-authenticate")).toMatch(/error="insufficient_scope".*scope="mcp\/read mcp\/write"/);
    await meetTheBrowser();
    expect(provider.tokens()?.scope).toBe("mcp/read mcp/write");
    expect(scopes.map((scope) => scope?.replace(" offline_access", ""))).toEqual(["mcp/read", "mcp/read mcp/write"]);

    const client = newClient(era);
    onTestFinished(() => client.close());
    await client.connect(new StreamableHTTPClientTransport(url, { authProvider: provider }));
    expect(await toolNames(client)).toContain("add_note");
  });
});
