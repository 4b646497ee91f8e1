import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { freePort, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { spawnSource } from "../support/source-condition.ts";
import { type ScriptedBrowser, scriptedBrowser } from "./scripted-browser.ts";

const programs = new URL("../../node_modules/mcp-remote/dist/", import.meta.url);
const minutes = 60_000;

let env: TestEnvironment;
beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(() => env.close());

/** A client that believes it talks to a local server: mcp-remote, which it starts. */
async function connectThrough(
  browser: ScriptedBrowser,
  server: string,
  flags: readonly string[] = [],
): Promise<Client> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [fileURLToPath(new URL("proxy.js", programs)), `${env.url}/${server}/mcp`, ...flags],
    env: { ...browser.env },
    stderr: "pipe",
  });
  const client = new Client({ name: "stdio-client", version: "1" });
  onTestFinished(() => client.close());
  let stderr = "";
  transport.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  await client.connect(transport).catch((error: unknown) => {
    throw new Error(`mcp-remote said:\n${stderr}`, { cause: error });
  });
  return client;
}

const toolNames = async (client: Client): Promise<string[]> => (await client.listTools()).tools.map(({ name }) => name);

describe("mcp-remote", () => {
  test("signs in through the browser, passes calls on, and renews its token by itself", async () => {
    const browser = await scriptedBrowser(env, "alice");
    const client = await connectThrough(browser, "clock");
    expect(await toolNames(client)).toEqual(["now", "sleep"]);
    const from = env.audit.length;
    env.clock.advance(11 * minutes);
    const now = await client.callTool({ name: "now", arguments: { timezone: "Europe/Paris" } });
    expect(now.structuredContent).toMatchObject({ timezone: "Europe/Paris" });
    expect(env.audit.slice(from).map(({ action }) => action)).toContain("token.refreshed");
    await expect.poll(browser.done).toEqual(["signed in: 200"]);
  });

  test("two at once, for two users and in two eras, are two users to the server", async () => {
    const from = env.audit.length;
    const [alice, bob] = await Promise.all([
      connectThrough(await scriptedBrowser(env, "alice"), "notes", [String(await freePort()), "--protocol", "auto"]),
      connectThrough(await scriptedBrowser(env, "bob"), "notes", [String(await freePort())]),
    ]);
    await alice.callTool({ name: "add_note", arguments: { text: "seen by both" } });
    const listed = await bob.callTool({ name: "list_notes", arguments: {} });
    expect(JSON.stringify(listed.structuredContent)).toContain("seen by both");
    const events = env.audit.slice(from);
    const userOf = (tool: string) => events.find((event) => event.tool === tool)?.user;
    expect(userOf("add_note")).toMatch(/./);
    expect(userOf("list_notes")).toMatch(/./);
    expect(userOf("add_note")).not.toBe(userOf("list_notes"));
    const methods = (user: string | undefined) => events.flatMap((event) => (event.user === user ? event.method : []));
    expect(methods(userOf("add_note"))).not.toContain("initialize");
    expect(methods(userOf("list_notes"))).toContain("initialize");
  });

  test("comes in as a machine, with no browser at all", async () => {
    const browser = await scriptedBrowser(env, "carol");
    const { clientId, clientSecret } = env.machine;
    const client = await connectThrough(browser, "clock", [
      "--static-oauth-client-info",
      JSON.stringify({ client_id: clientId, client_secret: clientSecret }),
      "--client-credentials",
    ]);
    const now = await client.callTool({ name: "now", arguments: {} });
    expect(now.isError ?? false).toBe(false);
    expect(await browser.done()).toEqual([]);
    expect(env.audit.findLast(({ tool }) => tool === "now")?.client).toBe(clientId);
  });

  test("its one-shot client signs in and lists the tools", async () => {
    const browser = await scriptedBrowser(env, "alice");
    const child = spawnSource(new URL("client.js", programs), [`${env.url}/clock/mcp`], { env: browser.env });
    expect(await child.exited, child.output("stderr")).toEqual({ code: 0, signal: null });
    expect(child.output("stdout") + child.output("stderr")).toContain('"name": "sleep"');
  });
});
