import type { CognitoEmulator } from "@sallyport/cognito-emulator";
import { type DemoClients, demoPoolId } from "../packages/cli/src/dev/demo-pool.ts";

const rules = 1000;
const scopes = 10;

/**
 * Settings as in production: both doors, 1,000 rules, SQLite, metrics, limits. Limits are on, and high enough for one
 * principal to measure with.
 * @returns a `sallyport.toml`
 */
export const gatewaySettings = (options: {
  readonly gatewayUrl: string;
  readonly port: number;
  readonly cognito: CognitoEmulator;
  readonly clients: DemoClients;
  readonly secret: string;
  readonly store: string;
  readonly upstream: string;
  readonly servers: number;
}): string => {
  const { gatewayUrl, port, cognito, clients, secret, store, upstream, servers } = options;
  return `
base_url = "${gatewayUrl}"
listen = "127.0.0.1:${port}"
store = "sqlite:${store}"
secret = ["${secret}"]
max_open_requests = 100000
log_level = "warn"

[cognito]
user_pool_id = "${demoPoolId}"
client_id = "${clients.clientId}"
client_secret = "${clients.clientSecret}"
domain = "${cognito.url}"
endpoint = "${cognito.url}"

[telemetry]
metrics = "public"

[connections]
max = 100000
max_per_address = 100000

[limits]
token = 1000000
client = 1000000
principal = 1000000

[groups]
mcp-readers = [${Array.from({ length: scopes }, (_, at) => JSON.stringify(scopeName(at))).join(", ")}]

[machines.${clients.machineId}]
scopes = ["mcp/read"]

${scopeTables(servers)}
${Array.from(
  { length: servers },
  (_, at) => `[[servers]]
name = "server-${at}"
url = "${upstream}/mcp"
required_scopes = ["mcp/read"]
access_ttl = "1h"
`,
).join("\n")}`;
};

const scopeName = (at: number): string => (at === 0 ? "mcp/read" : `mcp/read-${at}`);

/** 1,000 rules at ten scopes, each for another tool; those of the first scope count for the machine. */
function scopeTables(servers: number): string {
  return Array.from({ length: scopes }, (_, scope) => {
    const lines = Array.from({ length: rules / scopes }, (_, rule) => {
      const at = scope * (rules / scopes) + rule;
      const tool = at === 0 ? "now" : `tool-${at}`;
      return `  { servers = ["server-${at % servers}"], tools = ["${tool}"] },`;
    });
    const lifecycle = scope === 0 ? `  { servers = ["*"], methods = ["lifecycle"] },\n` : "";
    return `[scopes."${scopeName(scope)}"]\nallow = [\n${lifecycle}${lines.join("\n")}\n]\n`;
  }).join("\n");
}
