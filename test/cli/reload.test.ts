import { randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CognitoEmulator, startCognitoEmulator } from "@sallyport/cognito-emulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { demoPool } from "../../packages/cli/src/dev/demo-pool.ts";
import { type FeedServer, startFeedServer } from "../reload/feed-server.ts";
import { ready, startCommand, temporaryFolder } from "../support/command.ts";
import { freePort } from "../support/free-port.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { postToken, tokenAnswer } from "../support/oauth-client.ts";

const secret = (): string => randomBytes(32).toString("base64url");
const clients = { clientId: "app", clientSecret: secret(), machineId: "machine", machineSecret: secret() };

let port: number;
let url: string;
let cognito: CognitoEmulator;
let feed: FeedServer;
beforeAll(async () => {
  port = await freePort();
  url = `http://localhost:${port}`;
  [cognito, feed] = await Promise.all([
    startCognitoEmulator({ pool: demoPool(url, clients), port: 0 }),
    startFeedServer(),
  ]);
});
afterAll(() => Promise.all([cognito.close(), feed.close()]));

const environment = (): Record<string, string> => ({
  COGNITO_USER_POOL_ID: cognito.userPoolId,
  COGNITO_CLIENT_ID: clients.clientId,
  COGNITO_CLIENT_SECRET: clients.clientSecret,
  COGNITO_DOMAIN: cognito.url,
  SALLYPORT_COGNITO_ENDPOINT: cognito.url,
  SALLYPORT_BASE_URL: url,
  SALLYPORT_LISTEN: `127.0.0.1:${port}`,
  SALLYPORT_SECRET: secret(),
});

const settings = (tool: string): string => `
[scopes."mcp/read"]
allow = [{ servers = ["feed"], tools = ["${tool}"] }]

[machines.machine]
scopes = ["mcp/read"]

[[servers]]
name = "feed"
url = "${feed.url}"
`;

const machineToken = async (): Promise<string> => {
  const form = { grant_type: "client_credentials", client_id: "machine", client_secret: clients.machineSecret };
  return (await tokenAnswer(await postToken(url, { ...form, resource: `${url}/feed/mcp` }))).access_token;
};
const statusOf = async (token: string, name: string): Promise<number> => {
  const request = statelessRequest(`${url}/feed/mcp`, token, "tools/call", { name, arguments: {} });
  return (await fetch(request)).status;
};

describe("sallyport serve", () => {
  test("follows its file and SIGHUP; a broken file keeps the old settings; a stream stays open through all of it", async () => {
    const folder = await temporaryFolder();
    const file = join(folder, "sallyport.toml");
    const events = join(folder, "audit.jsonl");
    await writeFile(file, settings("now"));
    const command = startCommand(["serve", "--config", file, "--audit", events], {
      env: { ...environment(), SALLYPORT_STORE: "memory:" },
    });
    await ready(command);
    const token = await machineToken();
    expect(await statusOf(token, "now")).toBe(200);
    const stream = await fetch(`${url}/feed/mcp`, {
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
    });
    let heard = "";
    const end = (async () => {
      for await (const text of stream.body?.pipeThrough(new TextDecoderStream()) ?? []) heard += text;
    })();

    // The watch tells at once; the look every 5 s would be too late.
    const before = performance.now();
    await writeFile(`${file}.new`, settings("wait"));
    await rename(`${file}.new`, file);
    expect(await command.waitForLine((line) => line.includes("reloaded"))).toContain(
      'changes="scope changed: mcp/read"',
    );
    expect(performance.now() - before).toBeLessThan(3000);
    expect(await statusOf(token, "now")).toBe(403);

    await writeFile(file, `${settings("now")}\n[[servers]]\nname = "feed"\n`);
    const refused = await command.waitForLine((line) => line.includes("stay as they are"));
    expect(refused).toContain(`(${file}:`);
    expect(refused).toContain("error");
    expect(await statusOf(token, "now")).toBe(403);
    expect(await (await fetch(`${url}/readyz`)).text()).toBe("ready\n");

    await writeFile(file, settings("now"));
    command.child.kill("SIGHUP");
    await command.waitForLine((line) => line.includes("reloaded"));
    expect(await statusOf(token, "now")).toBe(200);
    command.child.kill("SIGHUP");
    await command.waitForLine((line) => line.includes("nothing has changed"));

    feed.send("still here");
    await expect.poll(() => heard).toBe(": open\n\ndata: still here\n\n");
    command.child.kill("SIGTERM");
    expect(await command.exited).toEqual({ code: 0, signal: null });
    await end;
    expect(heard).toBe(": open\n\ndata: still here\n\n");
    const actions = (await readFile(events, "utf8")).match(/"config\.\w+"/g);
    expect(actions).toEqual(['"config.reloaded"', '"config.reload_refused"', '"config.reloaded"']);
  });

  test("with several workers SIGHUP reaches each; without a file it says so and ends nothing", async () => {
    const store = `sqlite:${join(await temporaryFolder(), "store.db")}`;
    const servers = JSON.stringify([{ name: "feed", url: feed.url }]);
    const env = {
      ...environment(),
      SALLYPORT_STORE: store,
      SALLYPORT_SERVERS: servers,
      SALLYPORT_SCOPES: '{"mcp/read": {}}',
      SALLYPORT_MACHINES: '{"machine": {"scopes": ["mcp/read"]}}',
    };
    const command = startCommand(["serve", "--workers", "2"], { env });
    await ready(command);
    command.child.kill("SIGHUP");
    await command.waitForLine((line) => line.includes("no file of settings"));
    await command.waitForLine((line) => line.includes("no file of settings"));
    expect(await statusOf(await machineToken(), "now")).toBe(200);
    command.child.kill("SIGTERM");
    expect(await command.exited).toEqual({ code: 0, signal: null });
    expect(command.output("stderr")).not.toContain("a worker ended");
  });
});
