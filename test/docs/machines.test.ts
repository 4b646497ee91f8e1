import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { loadGatewayConfig } from "../../packages/cli/src/config/load-gateway-config.ts";
import { temporaryFolder } from "../support/command.ts";
import { startEnvironment } from "../support/environment.ts";
import { codeBlocks, root } from "./markdown.ts";

const run = promisify(execFile);

test("the guide's machine with a key makes its key, gets a token and calls a tool", async () => {
  const page = readFileSync(`${root}docs/guide/machines.md`, "utf8");
  const [makeKey = "", assertion = "", agent = ""] = codeBlocks(page, "js");
  const folder = await temporaryFolder();
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const node = async (name: string, code: string, ...args: string[]): Promise<string> => {
    await writeFile(join(folder, name), code);
    return (await run(process.execPath, [name, ...args], { cwd: folder })).stdout;
  };

  const line = await node("make-key.mjs", makeKey);
  const example = codeBlocks(page, "toml").find((text) => text.includes("[machines.nightly]")) ?? "";
  const text = example.replace(/^ *\{ kty = .*\n/m, line);
  expect(text).not.toBe(example);
  const cognito = { userPoolId: "eu-central-1_AbCdEfGhI", clientId: "4example", clientSecret: null, domain: "my-app" };
  const { config } = await loadGatewayConfig({
    text,
    env: { SALLYPORT_SECRET: "qZ3v9LtX0cVb7NmKjHgFdSaPoIuYtReWq1w2e3r4t5y" },
    defaults: {
      baseUrl: "http://localhost:8000",
      cognito,
      servers: [{ name: "notes", url: "http://127.0.0.1:3001/mcp" }],
    },
  });
  const env = await startEnvironment({ change: (settings) => ({ ...settings, machines: config.machines }) });
  onTestFinished(() => env.close());

  const signed = await node("assertion.mjs", assertion, "nightly", env.url, "nightly.pem");
  const answer = await fetch(`${env.url}/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      resource: `${env.url}/notes/mcp`,
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: signed.trim(),
    }),
  });
  expect(await answer.json()).toMatchObject({ token_type: "Bearer", scope: "mcp/read" });

  const said = await node("agent.mjs", agent.replaceAll("https://mcp.example.com", env.url));
  expect(said).toContain("structuredContent");
  expect(env.audit.findLast(({ tool }) => tool === "list_notes")).toMatchObject({ client: "nightly" });
});
