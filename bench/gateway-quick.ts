/**
 * The gateway against a bare proxy on small JSON requests: requests a second, and their ratio. Upstream, proxy and
 * load generator each run in a process of their own.
 *
 * node --conditions=sallyport-source bench/gateway-quick.ts [rounds]
 */
import { type ChildProcess, fork } from "node:child_process";
import { createServer } from "node:http";
import { createGateway } from "@sallyport/gateway";
import { type BearerVerifier, noAudit, type Principal, silentLogger, systemClock, systemRandom } from "sallyport";
import { type LoadResult, runLoad } from "./load.ts";
import { listen, type Running, startBareProxy, startSmallUpstream } from "./proxy-peers.ts";

const token = "Bearer bench-token";
const path = "/clock/mcp";

/** Both doors cached, as under steady traffic: the check itself costs nothing here. */
const cachedVerifier: BearerVerifier = (() => {
  let known: Principal | undefined;
  const principalFor = (resource: string): Principal => ({
    kind: "user",
    subject: "bench",
    groups: ["mcp-readers"],
    claims: {},
    clientId: "bench-client",
    grantId: "bench-grant",
    resource,
    tokenScopes: ["mcp/read"],
    scopes: ["mcp/read"],
    entitled: ["mcp/read"],
    expiresAt: Date.now() + 3_600_000,
    doors: { token: true, grant: true },
  });
  return {
    check(authorization, resource) {
      if (authorization !== token) throw new Error("the benchmark sends one token only");
      known ??= principalFor(resource);
      return known;
    },
    recheck: async (principal) => principal,
    challenge: () => ({ scope: "mcp/read", resourceMetadata: "" }),
  };
})();

async function startGateway(upstream: string): Promise<Running> {
  const server = createServer((req, res) => gateway.handle(req, res));
  const gateway = createGateway({
    servers: [{ name: "clock", url: `${upstream}/mcp`, requiredScopes: ["mcp/read"], timeout: 60_000 }],
    baseUrl: "http://127.0.0.1",
    verifier: cachedVerifier,
    allowedOrigins: [],
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    audit: noAudit,
    sessionKeys: [systemRandom.bytes(32)],
    maxRequestBody: 4 * 1024 ** 2,
    maxOpenRequests: 1000,
    grantCheckInterval: 15_000,
    next: (_req, res) => res.writeHead(404).end(),
  });
  return listen(server, () => void gateway.close(0));
}

const load = (url: string): Promise<LoadResult> =>
  runLoad({
    url: `${url}${path}`,
    headers: { Authorization: token, "MCP-Protocol-Version": "2025-11-25" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "now", arguments: {} } }),
    concurrency: 16,
    requests: 20_000,
    warmUp: 5_000,
  });

async function runRole(role: string, argument: string): Promise<void> {
  const report = (message: unknown): void => void process.send?.(message);
  if (role === "upstream") return report((await startSmallUpstream()).url);
  if (role === "bare") return report((await startBareProxy(argument)).url);
  if (role === "gateway") return report((await startGateway(argument)).url);
  report(await load(argument));
  process.disconnect();
}

/** Starts a role in its own process and waits for what it reports. */
function start<T>(role: string, argument: string): Promise<{ child: ChildProcess; reported: T }> {
  const child = fork(import.meta.filename, [role, argument], { execArgv: process.execArgv });
  return new Promise((resolve, reject) => {
    child.once("message", (reported) => resolve({ child, reported: reported as T }));
    child.once("exit", (code) => reject(new Error(`${role} ended with status ${code}`)));
  });
}

async function compare(rounds: number): Promise<void> {
  const upstream = await start<string>("upstream", "");
  const bare = await start<string>("bare", upstream.reported);
  const gateway = await start<string>("gateway", upstream.reported);
  const ratios: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const plain = (await start<LoadResult>("load", bare.reported)).reported;
    const gated = (await start<LoadResult>("load", gateway.reported)).reported;
    ratios.push(gated.requestsPerSecond / plain.requestsPerSecond);
    console.log(`round ${round}  bare ${text(plain)}  gateway ${text(gated)}  ratio ${ratios.at(-1)?.toFixed(2)}`);
  }
  ratios.sort((a, b) => a - b);
  console.log(`median ratio ${ratios[Math.floor(ratios.length / 2)]?.toFixed(2)}`);
  for (const { child } of [upstream, bare, gateway]) child.kill();
}

const text = (result: LoadResult): string =>
  `${result.requestsPerSecond.toFixed(0)}/s p50 ${result.p50.toFixed(2)} p99 ${result.p99.toFixed(2)} ms`;

const [role, argument] = process.argv.slice(2);
if (argument !== undefined && role !== undefined) await runRole(role, argument);
else await compare(Number(role ?? 3));
