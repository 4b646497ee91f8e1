// One process of the gateway benchmark; tells its parent a target or a result.
import { startCognitoEmulator } from "@sallyport/cognito-emulator";
import { gatewaySection } from "@sallyport/gateway";
import { combine, coreSection, loadConfig } from "sallyport";
import { demoPool } from "../packages/cli/src/dev/demo-pool.ts";
import { demoSettings } from "../packages/cli/src/dev/demo-settings.ts";
import { startServer } from "../packages/cli/src/serve/start-server.ts";
import { freePort } from "../test/support/environment.ts";
import type { Target } from "./gateway.ts";
import { runLoad } from "./load.ts";
import { startBareProxy, startSmallUpstream } from "./proxy-peers.ts";

const secret = "bench-secret-0123456789-abcdefghijklmnop";
const path = "/clock/mcp";

async function startGateway(upstream: Target): Promise<Target> {
  const port = await freePort();
  const gatewayUrl = `http://localhost:${port}`;
  const clients = { clientId: "web", clientSecret: secret, machineId: "machine", machineSecret: secret };
  const cognito = await startCognitoEmulator({ port: 0, pool: demoPool(gatewayUrl, clients) });
  const overrides = demoSettings({
    gatewayUrl,
    port,
    cognitoUrl: cognito.url,
    clients,
    secret,
    store: "memory:",
    servers: [{ name: "clock", url: `${upstream.url}${path}` }],
  });
  const { config } = await loadConfig({ schema: combine([coreSection, gatewaySection]), env: {}, overrides });
  await startServer(config);
  const body = new URLSearchParams({ grant_type: "client_credentials", client_id: "machine", client_secret: secret });
  const answer: unknown = await (await fetch(`${gatewayUrl}/token`, { method: "POST", body })).json();
  if (!answer || typeof answer !== "object" || !("access_token" in answer))
    throw new Error("no token for the benchmark");
  return { url: `http://127.0.0.1:${port}`, authorization: `Bearer ${answer.access_token}` };
}

const roles: Readonly<Record<string, (argument: Target) => Promise<unknown>>> = {
  upstream: async () => ({ url: (await startSmallUpstream()).url, authorization: "Bearer none" }),
  bare: async ({ url, authorization }) => ({ url: (await startBareProxy(url)).url, authorization }),
  gateway: startGateway,
  load: ({ url, authorization }) =>
    runLoad({
      url: `${url}${path}`,
      headers: { Authorization: authorization, "MCP-Protocol-Version": "2025-11-25" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "now", arguments: {} } }),
      concurrency: 16,
      requests: 10_000,
      warmUp: 3_000,
    }),
};

const [role = "", argument = "null"] = process.argv.slice(2);
process.send?.(await roles[role]?.(JSON.parse(argument)));
