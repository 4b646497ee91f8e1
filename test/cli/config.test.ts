import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runCommand, temporaryFolder } from "../support/command.ts";

const clientSecret = "1example-client-secret-value1";
const good = `base_url = "https://mcp.example.com"
[cognito]
user_pool_id = "eu-central-1_AbCdEfGhI"
client_id = "4example"
client_secret = "env:APP_SECRET"
domain = "example"
[scopes]
"mcp/read" = {}
[groups]
readers = ["mcp/read"]
[[servers]]
name = "tool"
url = "http://127.0.0.1:3001/mcp"
required_scopes = ["mcp/read"]
`;
const rootSecret = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const env = { APP_SECRET: clientSecret, SALLYPORT_SECRET: rootSecret };

async function fileWith(text: string): Promise<string> {
  const file = join(await temporaryFolder(), "sallyport.toml");
  await writeFile(file, text);
  return file;
}

describe("sallyport config check", () => {
  test("says that settings can be used, and what is odd about them", async () => {
    const file = await fileWith(good);
    const outcome = await runCommand(["config", "check", "--config", file], {
      env: { ...env, SALLYPORT_LOGLEVEL: "debug" },
    });
    expect(outcome).toEqual({
      code: 0,
      signal: null,
      stdout: `ok: the settings of ${file} can be used\n`,
      lines: [
        "warning: SALLYPORT_LOGLEVEL: is not the name of a setting: it has no effect; did you mean SALLYPORT_LOG_LEVEL?",
      ],
    });
  });

  test("lists every problem", async () => {
    const file = await fileWith(
      good.replace("mcp.example.com", "mcp.example.com/gw").replace('["mcp/read"]\n[[', '["x"]\n[['),
    );
    const { code, stdout, lines } = await runCommand(["config", "check", "--config", file], {
      env: { APP_SECRET: "" },
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(lines).toEqual([
      `sallyport: cognito.client_secret (${file}:5): the environment variable APP_SECRET is empty; set it`,
      `sallyport: groups.readers[0] (${file}:10): there is no scope "x" (known: mcp/read)`,
      `sallyport: base_url (${file}:1): must have no path: the gateway answers at the root of its host name; leave it out`,
      expect.stringContaining(`sallyport: ${file}: secret (default): is missing: set SALLYPORT_SECRET`),
    ]);
  });
});

describe("sallyport config show", () => {
  test("shows every value with its source and no secret", async () => {
    const file = await fileWith(good);
    const { code, stdout, lines } = await runCommand(["config", "show", "--config", file], {
      env: { ...env, SALLYPORT_LOG_LEVEL: "debug" },
    });
    expect({ code, lines }).toEqual({ code: 0, lines: [] });
    const rows = stdout.split("\n").map((line) => line.split(/ {2,}/));
    expect(rows).toContainEqual(["base_url", "https://mcp.example.com", `${file}:1`]);
    expect(rows).toContainEqual(["cognito.client_secret", "••••", `${file}:5`]);
    expect(rows).toContainEqual(["secret", "••••", "SALLYPORT_SECRET"]);
    expect(rows).toContainEqual(["log_level", "debug", "SALLYPORT_LOG_LEVEL"]);
    expect(rows).toContainEqual(["listen", "127.0.0.1:8000", "default"]);
    expect(rows).toContainEqual(["servers[0].name", "tool", `${file}:12`]);
    for (const hidden of [clientSecret, rootSecret]) expect(stdout).not.toContain(hidden);
  });

  test("--json gives the same as a list", async () => {
    const { code, stdout } = await runCommand(["config", "show", "--json", "--config", await fileWith(good)], { env });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toContainEqual({ setting: "log_level", value: "info", source: "default" });
    for (const hidden of [clientSecret, rootSecret]) expect(stdout).not.toContain(hidden);
  });

  test("names what is missing from the environment", async () => {
    const { code, lines } = await runCommand(["config", "show"]);
    expect(code).toBe(1);
    expect(lines).toContain(
      "sallyport: base_url (default): is missing: set base_url, or the variable SALLYPORT_BASE_URL",
    );
  });
});
