import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { startCognitoEmulator } from "@sallyport/cognito-emulator";
import { checkStore, deriveRootKeys, openStore, silentLogger, systemClock, systemRandom } from "sallyport";
import { expect, onTestFinished, test } from "vitest";
import { demoPool } from "../../packages/cli/src/dev/demo-pool.ts";
import { createWalker, signIn } from "../support/browser-walk.ts";
import { ready, startCommand, temporaryFolder } from "../support/command.ts";
import { freePort } from "../support/free-port.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";
import { describeWithRedis, startRedis } from "../support/redis-server.ts";

const newSecret = (): string => randomBytes(32).toString("base64url");
const alice = { username: "alice@example.com", password: "Sallyport-demo-1" };

/** An MCP server with a stream that never ends. */
async function streamingServer(): Promise<string> {
  const server = createServer((req, res) => {
    req.resume();
    res.writeHead(200, { "content-type": "text/event-stream" }).write(": hello\n\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`;
}

describeWithRedis("sallyport serve over redis, stopped by SIGTERM", () => {
  test("a sign-in under way is finished and written, a stream ends in order, everything is closed, status 0", async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.close());
    const port = await freePort();
    const url = `http://localhost:${port}`;
    const clients = { clientId: "app", clientSecret: newSecret(), machineId: "machine", machineSecret: newSecret() };
    const cognito = await startCognitoEmulator({ pool: demoPool(url, clients), port: 0 });
    onTestFinished(() => cognito.close());
    const secret = newSecret();
    const events = join(await temporaryFolder(), "audit.jsonl");
    const command = startCommand(["serve", "--audit", events], {
      env: {
        COGNITO_USER_POOL_ID: cognito.userPoolId,
        COGNITO_CLIENT_ID: clients.clientId,
        COGNITO_CLIENT_SECRET: clients.clientSecret,
        COGNITO_DOMAIN: cognito.url,
        SALLYPORT_COGNITO_ENDPOINT: cognito.url,
        SALLYPORT_BASE_URL: url,
        SALLYPORT_LISTEN: `127.0.0.1:${port}`,
        SALLYPORT_STORE: redis.url,
        SALLYPORT_SECRET: secret,
        SALLYPORT_SCOPES: '{"mcp/read": {}}',
        SALLYPORT_GROUPS: '{"mcp-admins": ["mcp/read"]}',
        SALLYPORT_SERVERS: JSON.stringify([{ name: "tool", url: await streamingServer() }]),
      },
    });
    await ready(command);
    const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
    const store = await openStore(redis.url, deps);
    onTestFinished(() => store.close());
    const check = () => checkStore({ ...deps, store, keys: deriveRootKeys([secret]) });

    const resource = `${url}/tool/mcp`;
    const client = await register(url);
    const pair = pkce();
    const request = authorizeUrl(url, client, pair, { resource });
    const code = new URL(await signIn(request, alice)).searchParams.get("code") ?? "";
    const { access_token: token } = await tokenAnswer(await redeem(url, client, code, pair, { resource }));
    const stream = await fetch(resource, {
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
    });
    const wholeStream = stream.text();

    // Another sign-in is at the callback, and Cognito takes its time.
    cognito.faults.set({ path: "/oauth2/token", grantType: "authorization_code", latencyMs: 1500 });
    const walker = createWalker();
    const login = await walker.submit(await walker.get(request), { decision: "approve" });
    expect((await check()).records.transaction).toBe(1);
    const finishing = walker.submit(login, alice, (location) => location.startsWith(client.redirectUri));
    while ((await check()).records.transaction !== undefined) await after(5);

    const before = performance.now();
    command.child.kill("SIGTERM");
    expect(await wholeStream).toBe(": hello\n\n");
    expect(new URL((await finishing).location ?? "").searchParams.get("code")).toMatch(/^\S{43}\.0\./);
    expect(await command.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - before).toBeLessThan(5000);

    expect(await check()).toMatchObject({ records: { grant: 2 }, faults: [] });
    const written = (await readFile(events, "utf8")).trim().split("\n");
    expect(written.slice(-3).map((line) => JSON.parse(line))).toMatchObject([
      { action: "stream.closed", reason: "gateway_closing" },
      { action: "signin.completed" },
      { action: "audit.closed" },
    ]);
  });
});
