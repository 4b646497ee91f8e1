import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CognitoEmulator, startCognitoEmulator } from "@sallyport/cognito-emulator";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { demoPool } from "../../packages/cli/src/dev/demo-pool.ts";
import { createWalker } from "../support/browser-walk.ts";
import { listens, ready, runCommand, startCommand, temporaryFolder } from "../support/command.ts";
import { freePort } from "../support/free-port.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";
import type { SourceProcess } from "../support/source-condition.ts";

const secret = (): string => randomBytes(32).toString("base64url");
const clients = { clientId: "app", clientSecret: secret(), machineId: "machine", machineSecret: secret() };
const alice = { username: "alice@example.com", password: "Sallyport-demo-1" };

let port: number;
let url: string;
let cognito: CognitoEmulator;
beforeAll(async () => {
  port = await freePort();
  url = `http://localhost:${port}`;
  cognito = await startCognitoEmulator({ pool: demoPool(url, clients), port: 0 });
});
afterAll(() => cognito.close());

/** Settings in the environment, over a SQLite store of the running test. */
const environment = async (): Promise<Record<string, string>> => ({
  // Compiled once, not by each of the many processes.
  NODE_COMPILE_CACHE: fileURLToPath(new URL("../../node_modules/.cache/replicas", import.meta.url)),
  COGNITO_USER_POOL_ID: cognito.userPoolId,
  COGNITO_CLIENT_ID: clients.clientId,
  COGNITO_CLIENT_SECRET: clients.clientSecret,
  COGNITO_DOMAIN: cognito.url,
  SALLYPORT_COGNITO_ENDPOINT: cognito.url,
  SALLYPORT_BASE_URL: url,
  SALLYPORT_LISTEN: `127.0.0.1:${port}`,
  SALLYPORT_STORE: `sqlite:${join(await temporaryFolder(), "store.db")}`,
  SALLYPORT_SECRET: secret(),
  SALLYPORT_SCOPES: '{"mcp/read": {}}',
  SALLYPORT_GROUPS: '{"mcp-admins": ["mcp/read"]}',
});

/** An MCP server whose answers can be held back. */
async function upstream() {
  let held = Promise.resolve();
  let asked = 0;
  const server = createServer(async (req, res) => {
    req.resume();
    asked += 1;
    await held;
    res.setHeader("content-type", "application/json").end('{"jsonrpc":"2.0","id":1,"result":{}}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  const servers = JSON.stringify([
    { name: "tool", url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp` },
  ]);
  return {
    servers,
    /** From now on nothing is answered; the function that ends it. */
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
    asked: () => asked,
  };
}

/** A token by a whole sign-in, each request over a connection of its own, and so at the next worker. */
async function signIn(): Promise<string> {
  const resource = `${url}/tool/mcp`;
  const client = await register(url);
  const pair = pkce();
  const walker = createWalker();
  const login = await walker.submit(await walker.get(authorizeUrl(url, client, pair, { resource })), {
    decision: "approve",
  });
  const done = await walker.submit(login, alice, (location) => location.startsWith(client.redirectUri));
  const code = new URL(done.location ?? "").searchParams.get("code") ?? "";
  return (await tokenAnswer(await redeem(url, client, code, pair, { resource }))).access_token;
}

const call = (token: string): Promise<Response> =>
  fetch(`${url}/tool/mcp`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      // The next request may go to another worker.
      connection: "close",
    },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  });

const connectionOfItsOwn = async (path: string): Promise<string> =>
  (await fetch(`${url}${path}`, { headers: { connection: "close" } })).text();

const answers = /a worker answers pid=(\d+)/;
const pidsOf = (command: SourceProcess): number[] =>
  [...command.output("stderr").matchAll(new RegExp(answers, "g"))].map(([, pid]) => Number(pid));

const lives = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe("sallyport serve --workers", () => {
  test("one address, one store: a sign-in and its requests meet any worker; SIGTERM lets all finish", async () => {
    const tool = await upstream();
    const settings = { SALLYPORT_SERVERS: tool.servers, SALLYPORT_TELEMETRY_METRICS: "public" };
    const command = startCommand(["serve", "--workers", "3"], { env: { ...(await environment()), ...settings } });
    expect(await ready(command)).toBe(`ready ${url}`);
    expect(pidsOf(command)).toHaveLength(3);
    const token = await signIn();
    const statuses = await Promise.all(Array.from({ length: 60 }, async () => (await call(token)).status));
    expect(statuses).toEqual(Array(60).fill(200));

    // Whichever worker is asked, all are told of.
    const metrics = await Promise.all(Array.from({ length: 4 }, () => connectionOfItsOwn("/metrics")));
    for (const text of metrics) {
      const counts = [...text.matchAll(/^sallyport_requests_total\{.*worker="(\d)"\} (\d+)$/gm)];
      expect(new Set(counts.map(([, worker]) => worker))).toEqual(new Set(["0", "1", "2"]));
      expect(counts.reduce((sum, [, , count]) => sum + Number(count), 0)).toBe(60);
    }
    for (let n = 0; n < 3; n += 1) expect(await connectionOfItsOwn("/readyz")).toBe("ready\n");

    const release = tool.hold();
    const underWay = [call(token), call(token), call(token)];
    await expect.poll(tool.asked, { interval: 5, timeout: 10_000 }).toBe(63);
    command.child.kill("SIGTERM");
    command.child.kill("SIGINT");
    await expect
      .poll(() => command.output("stderr").split("stopping").length, { interval: 5, timeout: 10_000 })
      .toBe(4);
    release();
    for (const answer of underWay) expect((await answer).status).toBe(200);
    expect(await command.exited).toEqual({ code: 0, signal: null });
    expect(pidsOf(command).filter(lives)).toEqual([]);
    expect(await listens(port)).toBe(false);
    const lines = command.output("stdout").trimEnd().split("\n");
    expect(lines.filter((line) => line.startsWith("ready"))).toEqual([`ready ${url}`]);
    const events = lines.filter((line) => !line.startsWith("ready")).map((line) => JSON.parse(line));
    expect(events.filter(({ action }) => action === "request.allowed")).toHaveLength(63);
    // Each process has a chain of its own.
    expect(new Set(events.map(({ chain }) => chain)).size).toBe(3);
    expect(command.output("stderr")).toContain("workers=3");
  });

  test("a worker that dies is replaced, and the others go on; all end in order when their parent is killed", async () => {
    const tool = await upstream();
    const env = { ...(await environment()), SALLYPORT_SERVERS: tool.servers, SALLYPORT_WORKERS: "2" };
    const events = join(await temporaryFolder(), "audit.jsonl");
    const command = startCommand(["serve", "--audit", events], { env });
    await ready(command);
    const token = await signIn();
    const [dies] = pidsOf(command);
    process.kill(dies ?? 0, "SIGKILL");
    await command.waitForLine((line) => line.includes(`a worker ended and is replaced pid=${dies} how="SIGKILL"`));
    expect((await call(token)).status).toBe(200);
    await expect.poll(() => pidsOf(command).length, { interval: 20, timeout: 15_000 }).toBe(3);
    for (let n = 0; n < 6; n += 1) expect((await call(token)).status).toBe(200);

    const before = tool.asked();
    const release = tool.hold();
    const underWay = [call(token), call(token)];
    await expect.poll(tool.asked, { interval: 5, timeout: 10_000 }).toBe(before + 2);
    process.kill(command.child.pid ?? 0, "SIGKILL");
    await expect
      .poll(() => command.output("stderr").split("stopping").length, { interval: 5, timeout: 10_000 })
      .toBe(3);
    release();
    for (const answer of underWay) expect((await answer).status).toBe(200);
    await expect.poll(() => pidsOf(command).filter(lives), { interval: 20, timeout: 15_000 }).toEqual([]);
    expect(await listens(port)).toBe(false);
  });

  describe("does not start, and says once why", () => {
    let env: Record<string, string>;
    beforeEach(async () => {
      env = await environment();
    });

    const failure = async (args: readonly string[], changes: Record<string, string>): Promise<readonly string[]> => {
      const outcome = await runCommand(["serve", ...args], { env: { ...env, ...changes } });
      expect(outcome.code).toBe(1);
      expect(outcome.stdout).not.toContain("ready");
      return outcome.lines.filter((line) => line.startsWith("sallyport: "));
    };

    test("with a store that each process would have for itself", async () => {
      expect(await failure(["--workers", "2"], { SALLYPORT_STORE: "memory:" })).toEqual([
        "sallyport: store (SALLYPORT_STORE): memory: is one process's own, and workers asks for several; take sqlite:./path, redis:// or dynamodb://",
      ]);
    });

    test("with a taken port", async () => {
      const other = createTcpServer();
      await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
      onTestFinished(() => void other.close());
      const [line, ...more] = await failure(["--workers", "3"], {});
      expect(line).toMatch(
        new RegExp(`^sallyport: port ${port} on 127\\.0\\.0\\.1 cannot be used: it is taken; choose`),
      );
      expect(more).toEqual([]);
    });

    test("with an audit file that cannot be written", async () => {
      expect(await failure(["--workers", "2", "--audit", "/nowhere/audit"], {})).toEqual([
        "sallyport: the audit file /nowhere/audit cannot be written: there is no such file or folder",
      ]);
    });

    test("with a number of workers that cannot be", async () => {
      const [line] = await failure(["--workers", "0"], {});
      expect(line).toMatch(/--workers.*It must be a number from 1 to 128, or auto/);
    });
  });
});
