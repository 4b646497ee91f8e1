import type { GatewayConfigInput } from "@sallyport/gateway";
import type { CoreConfigInput } from "sallyport";
import { describe, expect, it } from "vitest";
import { loadGatewayConfig } from "../../src/config/load-gateway-config.ts";
import { CommandFailure } from "../../src/process/failure.ts";

const head = `base_url = "https://mcp.example.com"
[cognito]
user_pool_id = "eu-central-1_AbCdEfGhI"
client_id = "4example"
client_secret = "none"
domain = "example"
[groups]
readers = ["mcp/read"]
[machines.robot]
scopes = ["mcp/read"]
[[servers]]
name = "notes"
url = "http://127.0.0.1:3001/mcp"
[scopes."mcp/read"]
`;

async function judge(text: string, overrides: Partial<CoreConfigInput & GatewayConfigInput> = {}) {
  try {
    const { warnings } = await loadGatewayConfig({ env: {}, text: head + text, file: "sallyport.toml", overrides });
    return {
      lines: [],
      warnings: warnings.map(({ setting, source, message }) => `${setting} (${source}): ${message}`),
    };
  } catch (error) {
    if (error instanceof CommandFailure) return { lines: error.lines, warnings: [] };
    throw error;
  }
}

const good = `allow = [{ servers = ["notes"], tools = ["list_notes"] }]\n`;

describe("the rules of a policy", () => {
  it.each([
    ["a rule at a scope", good],
    ["none at all", ""],
    [
      "deny rules",
      `${good}[[deny]]\nservers = ["*"]\ntools = ["delete_note"]\ngroups = ["readers", "suspended"]\nmachines = ["robot"]\n`,
    ],
  ])("let %s pass", async (_, text) => {
    const groups = text.includes("suspended") ? { readers: ["mcp/read"], suspended: [] } : { readers: ["mcp/read"] };
    expect(await judge(text, { groups })).toEqual({ lines: [], warnings: [] });
  });

  it("are refused all at once, each with its line", async () => {
    const { lines } = await judge(`[[scopes."mcp/read".allow]]
servers = ["nots"]
tools = ["list_notes"]
[[scopes."mcp/read".allow]]
servers = ["notes"]
methods = []
[[scopes."mcp/read".allow]]
servers = ["notes"]
tools = ["delete_note"]
methods = ["tools/call"]
[[deny]]
servers = ["notes"]
[[deny]]
servers = ["*"]
tools = ["delete_note"]
[[deny]]
servers = ["clock"]
tools = ["now"]
machines = ["robt"]
`);
    expect(lines).toEqual([
      'scopes."mcp/read".allow[0].servers[0] (sallyport.toml:16): there is no server "nots"; did you mean notes? (known: notes)',
      'deny[2].servers[0] (sallyport.toml:31): there is no server "clock" (known: notes)',
      'deny[2].machines[0] (sallyport.toml:33): there is no machine "robt"; did you mean robot? (known: robot)',
      "deny[0] (sallyport.toml:25): denies nothing; add tools or methods",
      'scopes."mcp/read".allow[1] (sallyport.toml:18): can never match: it names no tool and no method that could be used',
      'scopes."mcp/read".allow[2] (sallyport.toml:21): can never match: deny[1] denies it to everyone',
    ]);
  });

  it.each([
    ['methods = ["reed"]', "methods[0] (sallyport.toml:15): is neither a preset (lifecycle, read, all)"],
    ['tools = ["list_*"]', "tools[0] (sallyport.toml:15): write the tool's whole name, or * alone"],
    ['tool = ["list_notes"]', "tool (sallyport.toml:15): is not a setting; did you mean"],
  ])("%s is refused", async (rest, message) => {
    const { lines } = await judge(`allow = [{ servers = ["notes"], ${rest} }]\n`);
    expect(lines[0]).toContain(`scopes."mcp/read".allow[0].${message}`);
  });

  it("warn of what is hardly meant", async () => {
    const { lines, warnings } = await judge(
      `allow = [{ servers = ["notes"], methods = ["lifecycle", "tools/call"] }]
[scopes."mcp/free"]
[scopes."mcp/lost"]
allow = [{ servers = ["notes"] }]
[[servers]]
name = "clock"
url = "http://127.0.0.1:3002/mcp"
[[deny]]
servers = ["notes"]
tools = ["x"]
groups = ["reeders"]
[[claims]]
claim = "custom:team"
values = ["x"]
scopes = ["mcp/free"]
`,
      { groups: { readers: ["mcp/read"], idle: ["mcp/free"], empty: [] } },
    );
    expect(lines).toEqual([]);
    expect(warnings).toEqual([
      "groups.empty (code): gives nothing, as if the group were not here",
      "deny[0].groups[0] (sallyport.toml:25): groups has no such group: it concerns nobody unless Cognito has it; did you mean readers?",
      'scopes."mcp/read".allow[0].methods (sallyport.toml:15): tools/call gives nothing by itself; name the tools',
      'scopes."mcp/lost".allow (sallyport.toml:18): nobody has this scope: no group, no claim and no machine gives it',
      "groups.idle (code): gives nothing: none of its scopes allows anything at a server",
      "claims[0].scopes (sallyport.toml:29): give nothing: none of these scopes allows anything at a server",
      "servers[1] (sallyport.toml:19): nobody may use clock: no scope allows anything there",
    ]);
  });
});
