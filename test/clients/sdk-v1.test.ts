import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport, StreamableHTTPError } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { demoUser, type TestEnvironment } from "../support/environment.ts";
import { type InMemoryProvider, inMemoryProvider } from "./in-memory-provider.ts";
import { startWithServerForWriters } from "./server-for-writers.ts";

const minutes = 60_000;

let env: TestEnvironment;
beforeAll(async () => {
  env = await startWithServerForWriters();
});
afterAll(() => env.close());

const newClient = (): Client => new Client({ name: "sdk-v1", version: "1" });

interface SignedIn {
  readonly url: URL;
  readonly provider: InMemoryProvider;
}

const transportOf = ({ url, provider }: SignedIn): Transport => {
  const transport = new StreamableHTTPClientTransport(url, { authProvider: provider });
  // The 1.x transport declares `sessionId` in a way that its own interface refuses under exactOptionalPropertyTypes.
  return transport as Transport;
};

/** From the first refused request to a stored token, as the SDK's documentation tells its users to do it. */
async function signInAs(server: string, who: string): Promise<SignedIn> {
  const url = new URL(`${env.url}/${server}/mcp`);
  const provider = inMemoryProvider(`${who}'s old client`);
  const refused = new StreamableHTTPClientTransport(url, { authProvider: provider });
  await expect(newClient().connect(refused as Transport)).rejects.toBeInstanceOf(UnauthorizedError);
  const location = new URL(await signIn(provider.takeAuthorizationUrl(), demoUser(env, who)));
  expect(location.searchParams.get("state")).toBe(provider.lastState());
  await refused.finishAuth(location.searchParams.get("code") ?? "");
  return { url, provider };
}

async function connect(signedIn: SignedIn): Promise<Client> {
  const client = newClient();
  onTestFinished(() => client.close());
  const from = env.audit.length;
  await client.connect(transportOf(signedIn));
  // It opens its stream for news behind connect's back; a test that moves the clock must not race with it.
  const streamOpened = () =>
    env.audit.slice(from).some(({ method, action }) => method === "GET" && action === "request.allowed");
  await expect.poll(streamOpened, { interval: 5 }).toBe(true);
  return client;
}

const toolNames = async (client: Client): Promise<string[]> => (await client.listTools()).tools.map(({ name }) => name);

describe("SDK 1.x's client", () => {
  test("signs in from a 401, lists tools and calls them on two servers", async () => {
    const clock = await connect(await signInAs("clock", "alice"));
    expect(await toolNames(clock)).toEqual(["now", "sleep"]);
    const now = await clock.callTool({ name: "now", arguments: { timezone: "Asia/Tokyo" } });
    expect(now.structuredContent).toMatchObject({ timezone: "Asia/Tokyo" });

    const notes = await connect(await signInAs("notes", "alice"));
    await notes.callTool({ name: "add_note", arguments: { text: "from SDK 1.x" } });
    const listed = await notes.callTool({ name: "list_notes", arguments: {} });
    expect(JSON.stringify(listed.structuredContent)).toContain("from SDK 1.x");
  });

  test("renews its token by itself when it has run out, without a browser", async () => {
    const signedIn = await signInAs("clock", "alice");
    const { provider } = signedIn;
    const client = await connect(signedIn);
    const before = provider.tokens();
    env.clock.advance(11 * minutes);
    expect(await toolNames(client)).toContain("now");
    expect(provider.timesSaved()).toBe(2);
    expect(provider.tokens()?.access_token).not.toBe(before?.access_token);
    expect(provider.tokens()?.refresh_token).not.toBe(before?.refresh_token);
    expect(() => provider.takeAuthorizationUrl()).toThrow("no browser");
  });

  test("two clients at once, with two users, are two users to the server", async () => {
    const signedIn = await Promise.all([signInAs("clock", "alice"), signInAs("clock", "bob")]);
    const clients = await Promise.all(signedIn.map(connect));
    const from = env.audit.length;
    await Promise.all(clients.map((client) => client.callTool({ name: "now", arguments: {} })));
    const subjects = signedIn.map(({ provider }) => decodeJwt(provider.tokens()?.access_token ?? "").sub);
    const users = env.audit.slice(from).flatMap(({ method, user }) => (method === "tools/call" ? [user] : []));
    expect(users.toSorted()).toEqual(subjects.toSorted());
    expect(new Set(users).size).toBe(2);
  });

  test("a user without the scope of a server signs in and is refused, with no second browser", async () => {
    const signedIn = await signInAs("everything", "bob");
    const refused: unknown = await newClient()
      .connect(transportOf(signedIn))
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StreamableHTTPError);
    expect(refused).toMatchObject({ code: 403 });
    expect(() => signedIn.provider.takeAuthorizationUrl()).toThrow("no browser");
  });
});
