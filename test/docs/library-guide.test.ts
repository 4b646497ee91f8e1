import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { startCognitoEmulator } from "@sallyport/cognito-emulator";
import { expect, onTestFinished, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { freePort } from "../support/environment.ts";
import { statelessRequest } from "../support/mcp-call.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";
import { spawnSource } from "../support/source-condition.ts";
import { codeBlocks, codeUnder, replaceOnce, root } from "./markdown.ts";

const guide = "docs/guide/library.md";
const editor = { username: "alice", password: "Password-1" };
const reader = { username: "bob", password: "Password-1" };

/** Inside the checkout, so that imports resolve as they would in an app. */
function folderFor(files: Readonly<Record<string, string>>): string {
  mkdirSync(`${root}artifacts`, { recursive: true });
  const folder = mkdtempSync(`${root}artifacts/library-`);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(`${folder}/${name}`, text);
  return folder;
}

/** The guide's blocks are one app, pasted one after another. */
const pasted = (): string => codeBlocks(readFileSync(root + guide, "utf8"), "ts").join("\n");

test("the code of the README, of the package's page and of the guide compiles", () => {
  const blocks = codeBlocks(readFileSync(`${root}packages/core/README.md`, "utf8"), "ts");
  const folder = folderFor({
    "readme.ts": codeUnder("README.md", "## The library", "ts"),
    ...Object.fromEntries(blocks.map((code, i) => [`package-${i}.ts`, code])),
    "guide.ts": pasted(),
    "tsconfig.json": JSON.stringify({
      extends: "../../tsconfig.json",
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["*.ts"],
    }),
  });
  let said = "";
  try {
    execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, "-p", folder], { encoding: "utf8" });
  } catch (error) {
    said = error instanceof Error && "stdout" in error ? String(error.stdout) : String(error);
  }
  expect(said).toBe("");
});

/** Runs the guide's code, with the addresses changed and a server around its `app`. */
async function startGuide(): Promise<string> {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const cognito = await startCognitoEmulator({
    port: 0,
    pool: {
      id: "eu-central-1_AbCdEfGhI",
      groups: [{ name: "readers" }, { name: "editors" }],
      users: [
        { ...editor, groups: ["editors"], attributes: { "custom:department": "sales" } },
        { ...reader, groups: ["readers"] },
      ],
      clients: [{ id: "4example", scopes: ["openid", "email", "profile"], callbackUrls: [`${url}/auth/callback`] }],
    },
  });
  onTestFinished(() => cognito.close());
  let code = pasted();
  code = replaceOnce(code, 'domain: "my-app"', `domain: "${cognito.url}", endpoint: "${cognito.url}"`);
  code = replaceOnce(code, '"https://mcp.example.com"', `"${url}"`);
  code += `\nimport { serve } from "@hono/node-server";\nserve({ port: ${port}, hostname: "127.0.0.1", fetch: app });\n`;
  // What the last block makes of settings is started and ended, too.
  code += `\nconst tried = await forTests({ baseUrl: "http://localhost:1", cognito, resources: [{ path: "/mcp", scopes: ["notes/read"] }], secret: [process.env.SALLYPORT_SECRET ?? ""], machines });\nawait tried.close();\n`;
  const folder = folderFor({ "app.ts": code });
  const child = spawnSource(`${folder}/app.ts`, [], {
    cwd: folder,
    env: { SALLYPORT_SECRET: randomBytes(32).toString("base64url") },
  });
  let over = false;
  void child.exited.then(() => {
    over = true;
  });
  const answers = async (): Promise<number> => {
    if (over) throw new Error(`the guide's code ended:\n${child.output("stderr")}`);
    return fetch(`${url}/.well-known/oauth-authorization-server`).then(
      ({ status }) => status,
      () => 0,
    );
  };
  await expect.poll(answers, { timeout: 20_000, interval: 25 }).toBe(200);
  return url;
}

test("the guide's code serves tools that know who calls, and asks for more where more can be had", async () => {
  const url = await startGuide();
  const client = await register(url);
  const tokenOf = async (user: typeof editor): Promise<string> => {
    const pair = pkce();
    const asked = authorizeUrl(url, client, pair, { resource: `${url}/mcp`, scope: "notes/read" });
    const code = new URL(await signIn(asked, user)).searchParams.get("code") ?? "";
    return (await tokenAnswer(await redeem(url, client, code, pair))).access_token;
  };
  const call = (token: string, name: string) =>
    fetch(statelessRequest(`${url}/mcp`, token, "tools/call", { name, arguments: {} }));

  const [alice, bob] = [await tokenOf(editor), await tokenOf(reader)];
  expect(await (await call(alice, "whoami")).text()).toContain("alice of sales, in editors");
  expect(await (await call(bob, "whoami")).text()).toContain("bob of no department, in readers");
  const challenge = (await call(alice, "add_note")).headers.get("www-authenticate");
  expect(challenge).toContain('scope="notes/read notes/write"');
  const refused = await call(bob, "add_note");
  expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([403, null]);
});
