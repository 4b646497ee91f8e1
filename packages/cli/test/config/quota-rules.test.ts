import { expect, test } from "vitest";
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
[[quotas]]
per = ["principal", "tool"]
limit = 10
servers = ["notes"]
`;

/** What is said of the settings with these lines at their end: line 18 and on. */
async function judge(text: string): Promise<readonly string[]> {
  try {
    const { warnings } = await loadGatewayConfig({ env: {}, text: head + text, file: "sallyport.toml" });
    return warnings.map(({ setting, source, message }) => `warning: ${setting} (${source}): ${message}`);
  } catch (error) {
    if (error instanceof CommandFailure) return error.lines;
    throw error;
  }
}

test.each([
  ["", []],
  [`groups = ["readers"]\nmachines = ["robot"]\nwindow = "1d"\n`, []],
  [
    `machines = ["robto"]\n`,
    [`quotas[0].machines[0] (sallyport.toml:19): there is no machine "robto"; did you mean robot?`],
  ],
  [
    `groups = ["reader"]\n`,
    [
      "warning: quotas[0].groups[0] (sallyport.toml:19): groups has no such group: it concerns nobody unless Cognito has it; did you mean readers?",
    ],
  ],
  [
    `[[quotas]]\nper = ["server"]\nlimit = 1\nservers = ["note"]\n`,
    [`quotas[1].servers[0] (sallyport.toml:22): there is no server "note"; did you mean notes?`],
  ],
  [
    `[[quotas]]\nper = ["tool", "principal"]\nlimit = 99\nservers = ["notes"]\n`,
    ["quotas[1] (sallyport.toml:19): counts the same as quotas[0]; keep one of the two"],
  ],
  [`[[quotas]]\nper = ["tool", "principal"]\nlimit = 99\nwindow = "1h"\nservers = ["notes"]\n`, []],
  [`window = "90d"\n`, ["quotas[0].window (sallyport.toml:19): must be at most 31d"]],
])("%j", async (text, expected) => {
  expect(await judge(text)).toEqual(expected);
});
