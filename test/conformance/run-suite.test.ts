import { spawn } from "node:child_process";
import { createServer, type RequestListener, type Server, request as send } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { startDemoServers } from "../../packages/cli/src/demo/index.ts";
import { runAuthorizationConformance, runConformance, shortfalls } from "./run-suite.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const opened of open.splice(0)) await opened.close();
});

/** Listens on a free loopback port until the test ends. */
async function listen(listener: RequestListener): Promise<{ server: Server; port: number; origin: string }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { server, port: address.port, origin: `http://127.0.0.1:${address.port}` };
}

/** Passes on what carries the token and answers 401 to the rest, as a gateway would. */
async function wall(upstream: string, token: string): Promise<{ url: string; refused(): number }> {
  let refused = 0;
  const { origin } = await listen((request, response) => {
    if (request.headers.authorization !== `Bearer ${token}`) {
      refused += 1;
      response.writeHead(401, { "www-authenticate": "Bearer" }).end();
      return;
    }
    const onward = send(upstream, { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  return { url: `${origin}/mcp`, refused: () => refused };
}

async function startEverything(): Promise<string> {
  const demo = await startDemoServers();
  open.push(demo);
  const url = demo.servers.find(({ name }) => name === "everything")?.url;
  if (url === undefined) throw new Error("everything is not served");
  return url;
}

describe("runConformance with a token", () => {
  it("sends the token with every request of every scenario, whatever HTTP client the scenario uses", async () => {
    const { url, refused } = await wall(await startEverything(), "s3cret");
    const run = await runConformance({ url, requirements: "2026-07-28", token: "s3cret" });
    expect(shortfalls(run), run.output).toEqual([]);
    expect(refused()).toBe(0);
    // This one uses node:http.
    expect(run.scenarios).toContainEqual(
      expect.objectContaining({ name: "http-header-validation", status: "SUCCESS" }),
    );
  });

  it("reports a server that lets nobody in as failing, not as skipped or absent", async () => {
    const { origin } = await listen((_, response) => void response.writeHead(401).end());
    const run = await runConformance({ url: `${origin}/mcp`, requirements: "2025-11-25" });
    expect(run.exitCode).toBe(1);
    expect(run.scenarios.filter(({ required, status }) => required && status === "SUCCESS")).toEqual([]);
    expect(shortfalls(run).length).toBeGreaterThanOrEqual(30);
  });
});

describe("inject-token.mjs", () => {
  const probe = `
    import { get, request } from "node:http";
    const [own, other] = process.argv.slice(1);
    const read = (make) => new Promise((resolve, reject) => make((answer) => {
      let text = "";
      answer.on("data", (chunk) => { text += chunk; }).on("end", () => resolve(text));
    }).on("error", reject));
    const headers = { Authorization: "Basic mine" };
    const { port } = new URL(own);
    console.log(JSON.stringify({
      fetch: await (await fetch(own)).text(),
      fetchOther: await (await fetch(other)).text(),
      fetchWithOwn: await (await fetch(own, { headers })).text(),
      request: await read((done) => request(own, done).end()),
      requestOptions: await read((done) => request({ host: "127.0.0.1", port, path: "/" }, done).end()),
      get: await read((done) => get(own, done)),
      getOther: await read((done) => get(other, done)),
      requestWithOwn: await read((done) => request(own, { headers }, done).end()),
    }));`;

  it("adds the token for its origin alone, and only where there is no Authorization yet", async () => {
    const echo: RequestListener = (request, response) => void response.end(request.headers.authorization ?? "none");
    const [own, other] = [await listen(echo), await listen(echo)];
    const preload = new URL("./inject-token.mjs", import.meta.url).href;
    const args = ["--import", preload, "--input-type=module", "-e", probe, own.origin, other.origin];
    const env = { ...process.env, SALLYPORT_TEST_ORIGIN: own.origin, SALLYPORT_TEST_TOKEN: "t" };
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) lines.push(line);
    expect(JSON.parse(lines.join(""))).toEqual({
      fetch: "Bearer t",
      fetchOther: "none",
      fetchWithOwn: "Basic mine",
      request: "Bearer t",
      requestOptions: "Bearer t",
      get: "Bearer t",
      getOther: "none",
      requestWithOwn: "Basic mine",
    });
  });

  it("refuses to load without its settings", async () => {
    const args = ["--import", fileURLToPath(new URL("./inject-token.mjs", import.meta.url)), "-e", ""];
    const env = { ...process.env, SALLYPORT_TEST_ORIGIN: "", SALLYPORT_TEST_TOKEN: "" };
    const child = spawn(process.execPath, args, { env, stdio: "ignore" });
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(1);
  });
});

describe("runAuthorizationConformance", () => {
  /** The least an authorization server can be for the suite; it checks nothing itself. */
  async function authorizationServer(tokenHeaders: Record<string, string>): Promise<{ issuer: string }> {
    const served = await listen((request, response) => {
      const { origin } = served;
      const url = new URL(request.url ?? "/", origin);
      const json = { "content-type": "application/json" };
      if (url.pathname === "/.well-known/oauth-authorization-server") {
        const metadata = {
          issuer: origin,
          authorization_endpoint: `${origin}/authorize`,
          token_endpoint: `${origin}/token`,
          response_types_supported: ["code"],
          code_challenge_methods_supported: ["S256"],
          token_endpoint_auth_methods_supported: ["none"],
          client_id_metadata_document_supported: true,
        };
        response.writeHead(200, json).end(JSON.stringify(metadata));
      } else if (url.pathname === "/authorize") {
        const location = new URL(url.searchParams.get("redirect_uri") ?? origin);
        location.search = String(
          new URLSearchParams({ code: "c", state: url.searchParams.get("state") ?? "", iss: origin }),
        );
        response.writeHead(302, { location: location.href }).end();
      } else {
        const token = { access_token: "opaque", token_type: "Bearer" };
        response.writeHead(200, { ...json, ...tokenHeaders }).end(JSON.stringify(token));
      }
    });
    return { issuer: served.origin };
  }

  async function freePort(): Promise<number> {
    const { server, port } = await listen(() => {});
    await new Promise((resolve) => server.close(resolve));
    return port;
  }

  const walk = async (url: string): Promise<void> => {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`The redirect was answered with ${answer.status}`);
  };

  it("walks the URL that the suite prints and reports both scenarios", async () => {
    const { issuer } = await authorizationServer({ "cache-control": "no-store" });
    const run = await runAuthorizationConformance({ issuer, clientId: "c1", port: await freePort(), authorize: walk });
    expect(shortfalls(run), run.output).toEqual([]);
    expect(run.exitCode).toBe(0);
    expect(run.scenarios.map(({ name }) => name)).toEqual([
      "authorization-code-grant",
      "authorization-server-metadata-endpoint",
    ]);
  });

  it("reports what is wrong with a server", async () => {
    const { issuer } = await authorizationServer({ "cache-control": "public" });
    const run = await runAuthorizationConformance({ issuer, clientId: "c1", port: await freePort(), authorize: walk });
    expect(run.exitCode).toBe(1);
    expect(shortfalls(run)).toEqual([expect.stringContaining("Invalid Cache-Control")]);
  });

  it("rejects and ends the suite when the authorization URL cannot be walked", async () => {
    const { issuer } = await authorizationServer({ "cache-control": "no-store" });
    const lost = (): Promise<void> => Promise.reject(new Error("no way through"));
    const run = runAuthorizationConformance({ issuer, clientId: "c1", port: await freePort(), authorize: lost });
    await expect(run).rejects.toThrow("no way through");
  });
});
