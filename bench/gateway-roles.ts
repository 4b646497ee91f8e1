// One process of the gateway benchmark; tells its parent a target or a result and ends with it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startCognitoEmulator } from "@sallyport/cognito-emulator";
import { demoPool } from "../packages/cli/src/dev/demo-pool.ts";
import { systemClock, systemRandom } from "../packages/core/src/runtime/index.ts";
import { memoryStore } from "../packages/core/src/store/index.ts";
import { testReplica } from "../packages/core/test/grants/test-replica.ts";
import { testPool } from "../packages/core/test/support/test-pool.ts";
import { freePort } from "../test/support/free-port.ts";
import { gatewaySettings } from "./gateway-settings.ts";
import { sealedGrants } from "./growth-grants.ts";
import { fillSqlite } from "./growth-stores.ts";
import { startNginx, startSmallUpstream, startUndiciProxy } from "./proxy-peers.ts";

/** Where requests go. */
export interface Target {
  readonly url: string;
  /** Access tokens; the gateway asks for them, the others ignore them. */
  readonly tokens: readonly string[];
  /** Of the process that serves, where its memory matters. */
  readonly pid?: number;
}

/** What a gateway of the benchmark is like. */
export interface GatewayPlan {
  readonly upstream: string;
  readonly servers: number;
  /** Live grants in the store besides those of the tokens. */
  readonly grants: number;
  readonly tokens: number;
}

const secret = "bench-secret-0123456789-abcdefghijklmnop";
const clients = { clientId: "web", clientSecret: secret, machineId: "machine", machineSecret: secret };
const cleanUps: (() => Promise<void>)[] = [];

async function startGateway(plan: GatewayPlan): Promise<Target> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-bench-"));
  cleanUps.push(() => rm(folder, { recursive: true, force: true }));
  const port = await freePort();
  const gatewayUrl = `http://localhost:${port}`;
  const cognito = await startCognitoEmulator({ port: 0, pool: demoPool(gatewayUrl, clients) });
  const store = join(folder, "store.db");
  await fill(store, plan.grants);
  const file = join(folder, "sallyport.toml");
  const settings = {
    ...plan,
    gatewayUrl,
    port,
    cognito,
    clients,
    secret,
    store,
    accessLog: join(folder, "access.log"),
  };
  await writeFile(file, gatewaySettings(settings));
  const child = await serve(file, join(folder, "audit.jsonl"));
  const tokens: string[] = [];
  for (let count = 0; count < plan.tokens; count += 1) tokens.push(await machineToken(gatewayUrl));
  return { url: `http://127.0.0.1:${port}`, tokens, ...(child.pid === undefined ? {} : { pid: child.pid }) };
}

/** `sallyport serve` itself, in a process of its own, with its audit trail in a file. */
async function serve(config: string, audit: string): Promise<ChildProcess> {
  const main = fileURLToPath(new URL("../packages/cli/src/main.ts", import.meta.url));
  const flags = (process.env.SALLYPORT_BENCH_NODE_FLAGS ?? "").split(" ").filter((flag) => flag !== "");
  const options = ["--conditions=sallyport-source", ...flags, main, "serve", "--config", config, "--audit", audit];
  const child = spawn(process.execPath, options, { stdio: ["ignore", "pipe", "inherit"] });
  cleanUps.push(async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    if (child.exitCode === null && child.kill()) await ended;
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (text: Buffer) => text.toString().startsWith("ready") && resolve());
    child.once("exit", () => reject(new Error("the gateway does not start")));
  });
  return child;
}

async function fill(path: string, grants: number): Promise<void> {
  if (grants === 0) return;
  const filling = await fillSqlite(path, systemClock);
  const store = memoryStore({ clock: systemClock, random: systemRandom });
  const { deps } = testReplica({ clock: systemClock, pool: testPool(systemClock), store });
  for await (const rows of sealedGrants(deps, { from: 0, to: grants, batch: 500 })) await filling.write(rows);
  const filled = await filling.open();
  await filled.store.close();
}

/** Each token has a grant of its own. */
async function machineToken(gatewayUrl: string): Promise<string> {
  const resource = `${gatewayUrl}/server-0/mcp`;
  const ask = { grant_type: "client_credentials", client_id: "machine", client_secret: secret, resource };
  const response = await fetch(`${gatewayUrl}/token`, { method: "POST", body: new URLSearchParams(ask) });
  const answer: unknown = await response.json();
  if (answer && typeof answer === "object" && "access_token" in answer) return String(answer.access_token);
  throw new Error(`no token for the benchmark: ${JSON.stringify(answer)}`);
}

/** Opens event streams and holds them; bare sockets, so that as many as possible fit. */
async function holdStreams(plan: { readonly target: Target; readonly streams: number }): Promise<number> {
  const { target, streams } = plan;
  const url = new URL(target.url);
  const token = target.tokens[0] ?? "";
  const head = `GET /server-0/mcp HTTP/1.1\r\nHost: ${url.host}\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${token}\r\nMCP-Protocol-Version: 2025-11-25\r\n\r\n`;
  let left = streams;
  const openOne = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: url.hostname, port: Number(url.port) });
      let seen = "";
      const onData = (text: Buffer): void => {
        seen += text.toString("latin1");
        if (!seen.includes(": hello")) return;
        socket.off("data", onData);
        socket.resume();
        if (seen.startsWith("HTTP/1.1 200")) resolve();
        else reject(new Error(seen));
      };
      socket.on("data", onData);
      socket.on("error", reject);
      socket.on("close", () => reject(new Error(`a stream was closed: ${seen}`)));
      socket.write(head);
    });
  const run = async (): Promise<void> => {
    while (left-- > 0) await openOne();
  };
  await Promise.all(Array.from({ length: 50 }, run));
  return streams;
}

const roles: Readonly<Record<string, (argument: never) => Promise<unknown>>> = {
  upstream: async () => ({ url: (await startSmallUpstream()).url, tokens: [] }),
  undici: async (url: string) => ({ url: (await startUndiciProxy(url)).url, tokens: [] }),
  async nginx({ url, program }: { readonly url: string; readonly program: string }) {
    const nginx = await startNginx(url, program);
    cleanUps.push(nginx.close);
    return { url: nginx.url, tokens: [] };
  },
  gateway: startGateway,
  streams: holdStreams,
};

process.on("disconnect", () => {
  void (async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
    process.exit();
  })();
});
const [role = "", argument = "null"] = process.argv.slice(2);
process.send?.(await roles[role]?.(JSON.parse(argument) as never));
