import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCommand, startCommand, temporaryFolder } from "../support/command.ts";

const settings = `base_url = "https://mcp.example.com"
[cognito]
user_pool_id = "eu-central-1_AbCdEfGhI"
client_id = "4example"
client_secret = "none"
domain = "example"
[groups]
readers = ["mcp/read"]
writers = ["mcp/write"]
[machines.robot]
scopes = ["mcp/read"]
[[servers]]
name = "notes"
url = "http://127.0.0.1:3001/mcp"
[scopes."mcp/read"]
allow = [{ servers = ["notes"], tools = ["list_notes"] }]
[scopes."mcp/write"]
includes = ["mcp/read"]
allow = [{ servers = ["notes"], tools = ["*"], methods = ["all"] }]
[[deny]]
servers = ["notes"]
tools = ["delete_note"]
`;

test("sallyport policy: explain, matrix and test, each by its exit status and what it prints", async () => {
  const cwd = await temporaryFolder();
  const file = join(cwd, "sallyport.toml");
  await writeFile(file, `${settings}[[policy_tests]]\ngroups = ["writers"]\nallow = ["notes/delete_note"]\n`);
  const policy = (...args: readonly string[]) => runCommand(["policy", ...args, "--config", file], { cwd });
  const [explained, matrix, tested] = await Promise.all([
    policy("explain", "--group", "readers", "writers", "--tool", "notes/delete_note"),
    policy("matrix", "--csv"),
    policy("test"),
  ]);
  expect(explained).toMatchObject({ code: 0, lines: [] });
  expect(explained.stdout).toContain(`may not use notes/delete_note: deny[0] (${file}:20) denies it`);
  expect(matrix).toMatchObject({ code: 0, lines: [] });
  expect(matrix.stdout).toContain("notes/delete_note,group,writers,no,");
  expect(tested).toMatchObject({ code: 1, stdout: "" });
  expect(tested.lines[0]).toContain(`sallyport: policy_tests[0].allow[0] (${file}:25): a user in writers may not call`);
});

test("sallyport policy import writes settings to stdout that config check takes, and its report to stderr", async () => {
  const cwd = await temporaryFolder();
  await writeFile(
    join(cwd, "scopes.yml"),
    "group_mappings:\n  leads: [billing/use, gone]\nbilling/use:\n  - server: billing\n    methods: [ping]\n    tools: [look]\n",
  );
  const { code, stdout, lines } = await runCommand(
    ["policy", "import", "scopes.yml", "--server", "billing=http://127.0.0.1:3001/mcp"],
    { cwd },
  );
  expect(code).toBe(0);
  expect(lines).toContain("dropped: scopes.yml:2: leads: there is no scope gone, so it gave nothing");
  const [head = ""] = settings.split("[groups]");
  await writeFile(join(cwd, "sallyport.toml"), `${head}${stdout}`);
  const env = { SALLYPORT_SECRET: "0123456789abcdefghijklmnopqrstuvwxyz" };
  expect(await runCommand(["config", "check", "--config", "sallyport.toml"], { cwd, env })).toMatchObject({
    code: 0,
    lines: [],
  });
});

test("sallyport policy explain --token reads standard input", async () => {
  const cwd = await temporaryFolder();
  const file = join(cwd, "sallyport.toml");
  await writeFile(file, settings);
  const claims = { sub: "5a11", aud: "https://mcp.example.com/notes/mcp", scope: "mcp/read", principal: "user" };
  const command = startCommand(["policy", "explain", "--config", file, "--token", "--tool", "notes/list_notes"], {
    cwd,
  });
  command.child.stdin?.end(["e30", Buffer.from(JSON.stringify(claims)).toString("base64url"), "x"].join("."));
  expect(await command.exited).toEqual({ code: 0, signal: null });
  expect(command.output("stdout")).toContain("5a11 may use notes/list_notes");
});
