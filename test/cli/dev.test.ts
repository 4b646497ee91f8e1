import { existsSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { signIn } from "../support/browser-walk.ts";
import { ready, runCommand, startCommand, temporaryFolder } from "../support/command.ts";
import { freePort } from "../support/free-port.ts";
import { authorizeUrl, pkce, redeem, refresh, register, tokenAnswer } from "../support/oauth-client.ts";

const alice = { username: "alice@example.com", password: "Sallyport-demo-1" };

async function place() {
  const [port, cognitoPort, folder] = await Promise.all([freePort(), freePort(), temporaryFolder()]);
  const state = join(folder, "state");
  const args = ["dev", "--port", `${port}`, "--cognito-port", `${cognitoPort}`, "--state", state];
  return { args, port, cognitoPort, folder, state, url: `http://localhost:${port}` };
}

async function settingsFile(folder: string, text: string): Promise<string> {
  const file = join(folder, "sallyport.toml");
  await writeFile(file, text);
  return file;
}

async function listening(port: number, answer = "{}"): Promise<Server> {
  const server = createServer((_, res) => res.setHeader("content-type", "application/json").end(answer));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return server;
}

async function signInAs(url: string, user = alice, server = "clock") {
  const client = await register(url);
  const pair = pkce();
  const resource = `${url}/${server}/mcp`;
  const location = new URL(await signIn(authorizeUrl(url, client, pair, { resource }), user));
  const answer = await redeem(url, client, location.searchParams.get("code") ?? "", pair, { resource });
  return { client, location, tokens: await tokenAnswer(answer) };
}

const call = (url: string, token: string, method: string, params: object): Promise<Response> =>
  fetch(url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });

const initialize = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } };

const described = z.object({
  users: z.array(z.object({ username: z.string(), groups: z.array(z.string()) })),
  machine: z.object({ client_id: z.string(), client_secret: z.string() }),
  servers: z.array(z.object({ name: z.string(), url: z.string() })),
});
const devJson = async (state: string) => described.parse(JSON.parse(await readFile(join(state, "dev.json"), "utf8")));

test("tokens survive a restart, and a description that a killed run left behind does not", async () => {
  const { args, url, state } = await place();
  const first = startCommand(args);
  await ready(first);
  const { client, tokens } = await signInAs(url);
  const opened = await call(`${url}/clock/mcp`, tokens.access_token, "initialize", initialize);
  expect(opened.status).toBe(200);
  const { machine } = await devJson(state);
  await first.stop("SIGKILL");
  expect(existsSync(join(state, "dev.json"))).toBe(true);

  const second = startCommand(args);
  await ready(second);
  expect((await devJson(state)).machine).toEqual(machine);
  const again = await call(`${url}/clock/mcp`, tokens.access_token, "initialize", initialize);
  expect(again.status).toBe(200);
  const renewed = await refresh(url, client, tokens.refresh_token);
  expect(renewed.status, await renewed.clone().text()).toBe(200);
  expect(await second.stop()).toEqual({ code: 0, signal: null });
  expect(existsSync(join(state, "dev.json"))).toBe(false);
});

test("open streams and calls do not hold up the end", async () => {
  const { args, url } = await place();
  const command = startCommand([...args, "--ephemeral"]);
  await ready(command);
  const { tokens } = await signInAs(url);
  const opened = await call(`${url}/clock/mcp`, tokens.access_token, "initialize", initialize);
  const session = opened.headers.get("mcp-session-id") ?? "";
  await opened.text();
  const headers = {
    authorization: `Bearer ${tokens.access_token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-session-id": session,
    "mcp-protocol-version": "2025-11-25",
  };
  const stream = await fetch(`${url}/clock/mcp`, { headers: { ...headers, accept: "text/event-stream" } });
  expect(stream.status).toBe(200);
  const params = { name: "sleep", arguments: { ms: 60_000 }, _meta: { progressToken: 1 } };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/call", params });
  const sleeping = await fetch(`${url}/clock/mcp`, { method: "POST", headers, body });
  expect(sleeping.status).toBe(200);

  const before = performance.now();
  expect(await command.stop("SIGTERM", 10_000)).toEqual({ code: 0, signal: null });
  expect(performance.now() - before).toBeLessThan(5000);
  expect(command.output("stderr")).not.toContain("broken off");
  await Promise.allSettled([stream.text(), sleeping.text()]);
});

test("--ephemeral keeps nothing and writes dev.json only; --audit - writes events to stderr", async () => {
  const { args, url, state } = await place();
  const command = startCommand([...args, "--ephemeral", "--audit", "-"]);
  await ready(command);
  expect(await readdir(state)).toEqual(["dev.json"]);
  await fetch(`${url}/clock/mcp`, { method: "POST" });
  await command.waitForLine((line, name) => name === "stderr" && line.includes('"action":"request.refused"'));
  expect(await command.stop()).toEqual({ code: 0, signal: null });
  expect(command.output("stdout")).toBe(`ready ${url}\n`);
  expect(existsSync(state)).toBe(false);
});

test("--audit FILE writes events there", async () => {
  const { args, url, folder, state } = await place();
  const file = join(folder, "events");
  const command = startCommand([...args, "--audit", file]);
  await ready(command);
  await fetch(`${url}/notes/mcp`, { method: "POST" });
  await command.stop();
  const actions = (await readFile(file, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).action);
  expect(actions).toEqual(["audit.opened", "request.refused", "audit.closed"]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(state)).not.toContain("audit.jsonl");
});

describe("--config", () => {
  test("replaces the demo's servers and groups, and puts alice into the file's groups", async () => {
    const { args, url, folder, state, cognitoPort } = await place();
    const upstreamPort = await freePort();
    await listening(upstreamPort, '{"jsonrpc":"2.0","id":1,"result":{"from":"own"}}');
    const file = await settingsFile(
      folder,
      `base_url = "https://mcp.example.com"
log_level = "warn"
[cognito]
client_secret = "env:NOT_SET_HERE"
[scopes."own/use"]
description = "Use it"
[groups]
engineering = ["own/use"]
[[servers]]
name = "own"
url = "http://127.0.0.1:${upstreamPort}/mcp"
required_scopes = ["own/use"]
`,
    );
    const env = { COGNITO_DOMAIN: "https://elsewhere.example.com", SALLYPORT_STORE: "sqlite:/nowhere/store.db" };
    const command = startCommand([...args, "--config", file], { env });
    await ready(command);
    expect(command.output("stderr")).toContain(
      "dev has its own base_url, [cognito] (but for resource_server, claims and user_info); what stands in the file is not used",
    );
    const { users, servers } = await devJson(state);
    expect(servers).toEqual([{ name: "own", url: `${url}/own/mcp` }]);
    expect(users.map(({ groups }) => groups)).toEqual([
      ["mcp-admins", "mcp-developers", "engineering"],
      ["mcp-readers"],
      [],
    ]);
    expect((await fetch(`${url}/clock/mcp`, { method: "POST" })).status).toBe(404);
    const { tokens } = await signInAs(url, alice, "own");
    expect(tokens.scope).toBe("own/use");
    const answer = await call(`${url}/own/mcp`, tokens.access_token, "initialize", initialize);
    expect(await answer.json()).toMatchObject({ result: { from: "own" } });
    const { location } = await signInAs(url, { ...alice, username: "bob@example.com" }, "own");
    expect(location.searchParams.get("error")).toBe("access_denied");
    expect((await fetch(`http://localhost:${cognitoPort}/login`)).status).toBeLessThan(500);
    await command.stop();
  });

  test("leaves the rest of the demo as it is, and takes variables", async () => {
    const { args, folder, state } = await place();
    const file = await settingsFile(folder, '[groups]\nmcp-admins = ["mcp/read"]\n');
    const command = startCommand([...args, "--ephemeral", "--config", file], { env: { SALLYPORT_LOG_FORMAT: "yaml" } });
    expect((await command.exited).code).toBe(1);
    expect(command.output("stderr")).toBe("sallyport: log_format (SALLYPORT_LOG_FORMAT): must be text or json\n");
    const right = startCommand([...args, "--ephemeral", "--config", file]);
    await ready(right);
    expect((await devJson(state)).servers.map(({ name }) => name)).toEqual(["clock", "notes", "everything"]);
    await right.stop();
  });
});

describe("fails with status 1, one clear line for each problem, and nothing left", () => {
  const failure = async (args: readonly string[], state: string, env: Record<string, string> = {}) => {
    const { code, stdout, lines } = await runCommand(args, { env });
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(existsSync(state)).toBe(false);
    return lines;
  };

  test("a taken port", async () => {
    const { args, port, cognitoPort, state } = await place();
    await Promise.all([listening(port), listening(cognitoPort)]);
    const other = args.with(2, `${await freePort()}`);
    const [gateway, cognito] = await Promise.all([failure(args, state), failure(other, state)]);
    expect(gateway).toEqual([
      `sallyport: port ${port} on 127.0.0.1 cannot be used: it is taken; choose another with --port`,
    ]);
    expect(cognito).toEqual([
      `sallyport: port ${cognitoPort} on 127.0.0.1 cannot be used: it is taken; choose another with --cognito-port`,
    ]);
  });

  test("the same port twice", async () => {
    const { args, port, state } = await place();
    expect(await failure(args.with(4, `${port}`), state)).toEqual([
      "sallyport: --port and --cognito-port must be two different ports",
    ]);
  });

  test("a state folder that cannot be made", async () => {
    const { args, folder } = await place();
    await writeFile(join(folder, "file"), "");
    const inFile = join(folder, "file", "state");
    const [line, ...more] = await failure(args.with(6, inFile), inFile);
    expect(line).toBe(
      `sallyport: the state folder ${inFile} cannot be used: a part of the path is no folder; choose another with --state`,
    );
    expect(more).toEqual([]);
  });

  test("a file that is no TOML, or is not there", async () => {
    const { args, folder, state } = await place();
    const file = await settingsFile(folder, "log_level = warn\n");
    const [[line, ...more], missing] = await Promise.all([
      failure([...args, "--config", file], state),
      failure([...args, "--config", `${file}.old`], state),
    ]);
    expect(line).toMatch(/sallyport\.toml.*is not valid TOML: .*line 1, column/);
    expect(more).toEqual([]);
    expect(missing).toEqual([`sallyport: ${file}.old: cannot be read: there is no such file`]);
  });

  test("a file with several problems", async () => {
    const { args, folder, state } = await place();
    const file = await settingsFile(
      folder,
      'log_levle = "warn"\n[groups]\nmcp-admins = ["mcp/rite"]\n[[servers]]\nname = "console"\nurl = "x"\n',
    );
    const lines = await failure([...args, "--config", file], state);
    expect(lines).toEqual([
      `sallyport: log_levle (${file}:1): is not a setting; did you mean log_level?`,
      expect.stringMatching(/^sallyport: servers\[0\]\.name \(.*sallyport\.toml:5\): this name is taken/),
      expect.stringMatching(/^sallyport: servers\[0\]\.url \(.*sallyport\.toml:6\): write a full URL/),
      expect.stringMatching(
        /^sallyport: groups\.mcp-admins\[0\] \(.*sallyport\.toml:3\): there is no scope "mcp\/rite"/,
      ),
    ]);
  });

  test("secrets that are none, without a word of them, and a store that belongs to others", async () => {
    const { args, state } = await place();
    const first = startCommand(args);
    await ready(first);
    await first.stop();
    await writeFile(join(state, "secrets.json"), '{"root": "hunter2hunter2"}');
    const unreadable = await runCommand(args);
    expect(unreadable.code).toBe(1);
    expect(unreadable.lines).toEqual([
      `sallyport: ${join(state, "secrets.json")} does not hold the demo's secrets; remove the folder ${state} to start afresh`,
    ]);

    await writeFile(
      join(state, "secrets.json"),
      JSON.stringify(
        Object.fromEntries(["root", "client", "machine"].map((name) => [name, name.padEnd(43, "0123456789abc")])),
      ),
    );
    const { code, lines } = await runCommand(args);
    expect(code).toBe(1);
    expect(lines.at(-1)).toBe(
      `sallyport: ${join(state, "store.db")} was written with other secrets than ${join(state, "secrets.json")} has; remove ${state} to start afresh`,
    );
    expect(existsSync(join(state, "dev.json"))).toBe(false);
  });
});
