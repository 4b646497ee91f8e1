import { Agent, type ClientRequest, request } from "node:http";
import { connect, createServer } from "node:net";
import {
  memoryStore,
  type SallyportRuntime,
  type Store,
  StoreUnavailable,
  silentLogger,
  systemClock,
  systemRandom,
} from "sallyport";
import { expect, onTestFinished, test } from "vitest";
import { testClock } from "../../../../test/support/test-clock.ts";
import { type GatewaySettings, loadGatewayConfig } from "../../src/config/load-gateway-config.ts";
import { type RunningServer, startServer } from "../../src/serve/start-server.ts";

const store = () => memoryStore({ clock: systemClock, random: systemRandom });

async function settings(more: object = {}): Promise<GatewaySettings> {
  const overrides = {
    baseUrl: "http://localhost:8000",
    listen: "127.0.0.1:0",
    store: "memory:",
    secret: ["0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"],
    cognito: { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "4example", clientSecret: null, domain: "example" },
    scopes: { "mcp/read": {} },
    resources: [{ path: "/own/mcp" }],
    servers: [{ name: "tool", url: "http://127.0.0.1:9/mcp" }],
    ...more,
  };
  return (await loadGatewayConfig({ env: {}, overrides })).config;
}

async function start(
  given: Store = store(),
  more?: object,
  runtime: Partial<SallyportRuntime> = {},
): Promise<RunningServer & { readonly url: string }> {
  const server = await startServer(await settings(more), { store: given, ...runtime });
  onTestFinished(() => server.close(0));
  return { ...server, url: `http://127.0.0.1:${server.port}` };
}

const textOf = async (response: Response) => `${response.status} ${await response.text()}`.trim();

test("both a resource of its own and each server have their metadata", async () => {
  const { url } = await start();
  for (const path of ["/own/mcp", "/tool/mcp"]) {
    const metadata = await fetch(`${url}/.well-known/oauth-protected-resource${path}`);
    expect(await metadata.json()).toMatchObject({ resource: `http://localhost:8000${path}` });
  }
});

test("/healthz and /readyz answer GET and HEAD, a query or not, and nothing else", async () => {
  const { url } = await start();
  expect(await textOf(await fetch(`${url}/healthz`))).toBe("200 ok");
  expect(await textOf(await fetch(`${url}/healthz?from=balancer`))).toBe("200 ok");
  expect(await textOf(await fetch(`${url}/readyz`))).toBe("200 ready");
  expect(await textOf(await fetch(`${url}/readyz`, { method: "HEAD" }))).toBe("200");
  const refused = await fetch(`${url}/readyz`, { method: "POST" });
  expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  expect((await fetch(`${url}/healthz/x`)).status).toBe(404);
});

test("/readyz says so when the store does not answer, /healthz does not mind", async () => {
  let down = false;
  let asked = 0;
  const real = store();
  const failing: Store = {
    ...real,
    get: (key) => {
      asked += 1;
      return down ? Promise.reject(new StoreUnavailable("gone")) : real.get(key);
    },
  };
  const clock = testClock();
  const { url } = await start(failing, {}, { clock });
  down = true;
  clock.advance(1000);
  asked = 0;
  const answers = await Promise.all([1, 2, 3].map(() => fetch(`${url}/readyz`)));
  expect(await Promise.all(answers.map(textOf))).toEqual(Array(3).fill("503 store unavailable"));
  expect(asked, "asked once for all who ask at a time").toBe(1);
  expect(await textOf(await fetch(`${url}/healthz`))).toBe("200 ok");
});

test("what is under way at the authorization server may finish; a half-open connection is not waited for", async () => {
  const real = store();
  let closed = false;
  const slow: Store = {
    ...real,
    close: async () => {
      closed = true;
      await real.close();
    },
  };
  const { url, port, close } = await start(slow);

  const held = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  slow.put = async (...args) => {
    reached.resolve();
    await held.promise;
    return real.put(...args);
  };
  const body = JSON.stringify({ redirect_uris: ["http://127.0.0.1/cb"], token_endpoint_auth_method: "none" });
  const registering = fetch(`${url}/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  await reached.promise;
  const half = connect(port, "127.0.0.1", () => half.write("POST /token HTTP/1.1\r\n"));
  half.on("error", () => {});
  await new Promise((resolve) => half.once("ready", resolve));
  const gone = new Promise((resolve) => half.once("close", resolve));

  const before = performance.now();
  const closing = close(20_000);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  expect(closed).toBe(false);
  held.resolve();
  expect((await registering).status).toBe(201);
  await closing;
  await gone;
  expect(closed).toBe(true);
  expect(performance.now() - before).toBeLessThan(5000);
});

test("a connection that is kept gets one more answer while the server closes, and is told that it ends", async () => {
  const held = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const real = store();
  const slow: Store = { ...real };
  const { port, close } = await start(slow);
  slow.put = async (...args) => {
    reached.resolve();
    await held.promise;
    return real.put(...args);
  };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const body = JSON.stringify({ redirect_uris: ["http://127.0.0.1/cb"], token_endpoint_auth_method: "none" });
  const headers = { "content-type": "application/json", "content-length": body.length };
  const to = { host: "127.0.0.1", port, method: "POST", path: "/register", headers };
  const told = (sent: ClientRequest): Promise<string> =>
    new Promise((resolve, reject) => {
      sent.on("response", (response) => {
        response.resume().on("end", () => resolve(`${response.statusCode} ${response.headers.connection}`));
      });
      sent.on("error", reject);
    });

  // Half a request keeps the server from having closed before the kept connection is used again.
  const half = request(to);
  half.write(body.slice(0, 10));
  const first = request({ ...to, agent });
  const answers = [told(first), told(half)];
  first.end(body);
  await reached.promise;
  const closing = close(20_000);
  const again = request({ host: "127.0.0.1", port, path: "/healthz", agent }).end();
  answers.push(told(again));
  held.resolve();
  expect(await answers[0]).toBe("201 keep-alive");
  expect(await answers[2]).toBe("200 close");
  half.end(body.slice(10));
  expect(await answers[1]).toMatch(/^201 /);
  await closing;
});

test("where it cannot listen, the store and the audit sink are closed", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void taken.close());
  const address = taken.address();
  const port = typeof address === "object" ? address?.port : 0;
  const closed: string[] = [];
  const real = store();
  const starting = startServer(await settings({ listen: `127.0.0.1:${port}` }), {
    logger: silentLogger,
    store: { ...real, close: async () => void closed.push("store") },
    audit: { write: () => {}, close: async () => void closed.push("audit") },
  });
  await expect(starting).rejects.toMatchObject({ code: "EADDRINUSE" });
  expect(closed).toEqual(["store", "audit"]);
});
