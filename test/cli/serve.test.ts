import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { type CognitoEmulator, startCognitoEmulator } from "@sallyport/cognito-emulator";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { demoPool } from "../../packages/cli/src/dev/demo-pool.ts";
import { signIn } from "../support/browser-walk.ts";
import { ready, runCommand, startCommand, temporaryFolder } from "../support/command.ts";
import { freePort } from "../support/free-port.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";

const secret = (): string => randomBytes(32).toString("base64url");
const clients = { clientId: "app", clientSecret: secret(), machineId: "machine", machineSecret: secret() };
const users = {
  alice: { username: "alice@example.com", password: "Sallyport-demo-1" },
  bob: { username: "bob@example.com", password: "Sallyport-demo-1" },
};

let port: number;
let url: string;
let cognito: CognitoEmulator;
beforeAll(async () => {
  port = await freePort();
  url = `http://localhost:${port}`;
  cognito = await startCognitoEmulator({ pool: demoPool(url, clients), port: 0 });
});
afterAll(() => cognito.close());

/** An MCP server that answers when `release` resolves; `asked` resolves with the first request. */
async function upstream(release: Promise<void> = Promise.resolve()) {
  const asked = Promise.withResolvers<void>();
  const server = createServer(async (req, res) => {
    req.resume();
    asked.resolve();
    await release;
    res.setHeader("content-type", "application/json").end('{"jsonrpc":"2.0","id":1,"result":{}}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`;
  return { url, asked: asked.promise, servers: JSON.stringify([{ name: "tool", url }]) };
}

const environment = (): Record<string, string> => ({
  COGNITO_USER_POOL_ID: cognito.userPoolId,
  COGNITO_CLIENT_ID: clients.clientId,
  COGNITO_CLIENT_SECRET: clients.clientSecret,
  COGNITO_DOMAIN: cognito.url,
  SALLYPORT_COGNITO_ENDPOINT: cognito.url,
  SALLYPORT_BASE_URL: url,
  SALLYPORT_LISTEN: `127.0.0.1:${port}`,
  SALLYPORT_STORE: "memory:",
  SALLYPORT_SECRET: secret(),
  SALLYPORT_SCOPES: '{"mcp/read": {}, "mcp/write": {"includes": ["mcp/read"]}}',
  SALLYPORT_GROUPS: '{"mcp-admins": ["mcp/write"], "mcp-readers": ["mcp/read"]}',
});

async function tokenFor(user: { readonly username: string; readonly password: string }): Promise<string> {
  const client = await register(url);
  const pair = pkce();
  const resource = `${url}/tool/mcp`;
  const location = new URL(await signIn(authorizeUrl(url, client, pair, { resource }), user));
  const answer = await redeem(url, client, location.searchParams.get("code") ?? "", pair, { resource });
  return (await tokenAnswer(answer)).access_token;
}

const call = (token: string): Promise<Response> =>
  fetch(`${url}/tool/mcp`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  });

describe("sallyport serve", () => {
  test("serves from the environment alone; events go to stdout, and what is under way may finish", async () => {
    const release = Promise.withResolvers<void>();
    const { servers, asked } = await upstream(release.promise);
    const command = startCommand(["serve"], { env: { ...environment(), SALLYPORT_SERVERS: servers } });
    expect(await ready(command)).toBe(`ready ${url}`);
    const token = await tokenFor(users.alice);
    const underWay = call(token);
    await asked;
    // A connection that asks nothing, and one that has asked half of something, are not waited for.
    const idle = connect(port, "127.0.0.1");
    const half = connect(port, "127.0.0.1", () => half.write("GET /healthz HTTP/1.1\r\nHost: loc"));
    for (const socket of [idle, half]) socket.on("error", () => {});
    await Promise.all([idle, half].map((socket) => new Promise((resolve) => socket.once("ready", resolve))));

    const before = performance.now();
    command.child.kill("SIGTERM");
    await command.waitForLine((line) => line.includes("stopping"));
    release.resolve();
    expect((await underWay).status).toBe(200);
    expect(await command.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - before).toBeLessThan(3000);
    const [first, ...events] = command.output("stdout").trim().split("\n");
    expect(first).toBe(`ready ${url}`);
    expect(events.map((line) => JSON.parse(line).action)).toEqual([
      "audit.opened",
      "client.registered",
      "authorize.shown",
      "consent.approved",
      "signin.completed",
      "token.issued",
      "request.allowed",
      "audit.closed",
    ]);
    const everything = command.output("stdout") + command.output("stderr");
    for (const hidden of [token, clients.clientSecret]) expect(everything).not.toContain(hidden);
  });

  test("takes a file; variables count more; events go to the file named", async () => {
    const folder = await temporaryFolder();
    const file = join(folder, "sallyport.toml");
    await writeFile(
      file,
      `listen = "127.0.0.1:1"\nlog_format = "json"\n[[servers]]\nname = "tool"\nurl = "${(await upstream()).url}"\n`,
    );
    const events = join(folder, "audit.jsonl");
    const command = startCommand(["serve", "--config", file, "--audit", events], { env: environment() });
    await ready(command);
    expect((await call("no-token")).status).toBe(401);
    expect(await command.stop()).toEqual({ code: 0, signal: null });
    expect(command.output("stdout")).toBe(`ready ${url}\n`);
    expect(JSON.parse(command.output("stderr").split("\n")[0] ?? "")).toMatchObject({ message: "listening", port });
    const actions = (await readFile(events, "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).action);
    expect(actions).toEqual(["audit.opened", "request.refused", "audit.closed"]);
  });

  test("scopes required of all resources are required of servers that name none", async () => {
    const { servers } = await upstream();
    const env = { ...environment(), SALLYPORT_SERVERS: servers, SALLYPORT_REQUIRED_SCOPES: "mcp/write openid" };
    const command = startCommand(["serve"], { env });
    await ready(command);
    expect(command.output("stderr")).toContain("required_scopes");
    expect((await call(await tokenFor(users.alice))).status).toBe(200);
    expect((await call(await tokenFor(users.bob))).status).toBe(403);
    await command.stop();
  });

  test.each([
    ["no root secret", { SALLYPORT_SECRET: "" }, /^sallyport: secret \(default\): is missing: set SALLYPORT_SECRET to/],
    [
      "a weak one",
      { SALLYPORT_SECRET: "swordfish" },
      /^sallyport: secret\[0\] \(SALLYPORT_SECRET\): is too weak: take/,
    ],
    ["a folder as store", { SALLYPORT_STORE: "sqlite:/" }, /^sallyport: .*SQLite/],
    [
      "another machine's address",
      { SALLYPORT_LISTEN: "192.0.2.1:8000", SALLYPORT_TRUSTED_PROXIES: "192.0.2.9" },
      /^sallyport: port 8000 on 192\.0\.2\.1 cannot/,
    ],
  ])("does not start with %s", async (_, env, message) => {
    const { code, stdout, lines } = await runCommand(["serve"], { env: { ...environment(), ...env } });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    const own = lines.filter((line) => line.startsWith("sallyport: "));
    expect(own).toEqual([expect.stringMatching(message)]);
    expect(lines.join()).not.toContain("swordfish");
  });

  test("does not start with an audit file that cannot be written", async () => {
    const { code, lines } = await runCommand(["serve", "--audit", "/nowhere/audit"], { env: environment() });
    expect(code).toBe(1);
    expect(lines.at(-1)).toBe(
      "sallyport: the audit file /nowhere/audit cannot be written: there is no such file or folder",
    );
  });
});
