import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { startCognitoEmulator } from "@sallyport/cognito-emulator";
import { expect, onTestFinished, test } from "vitest";
import { signIn } from "../support/browser-walk.ts";
import { freePort } from "../support/environment.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";
import { spawnSource } from "../support/source-condition.ts";
import { codeUnder, replaceOnce, root } from "./markdown.ts";

const reader = { username: "alice", password: "Password-1" };
const stranger = { username: "carol", password: "Password-1" };

/** Runs the README's code, with two addresses changed: its own port, and the local Cognito's in place of AWS's. */
async function startReadme(): Promise<string> {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const cognito = await startCognitoEmulator({
    port: 0,
    pool: {
      id: "eu-central-1_AbCdEfGhI",
      groups: [{ name: "readers" }],
      users: [{ ...reader, groups: ["readers"] }, stranger],
      clients: [{ id: "4example", scopes: ["openid", "email", "profile"], callbackUrls: [`${url}/auth/callback`] }],
    },
  });
  onTestFinished(() => cognito.close());

  let code = codeUnder("README.md", "## The library", "ts");
  code = replaceOnce(code, 'domain: "my-app"', `domain: "${cognito.url}", endpoint: "${cognito.url}"`);
  code = replaceOnce(code, 'baseUrl: "http://localhost:3000"', `baseUrl: "${url}"`);
  code = replaceOnce(code, "port: 3000", `hostname: "127.0.0.1", port: ${port}`);

  // Inside the checkout, so that its imports resolve as they would in an app.
  mkdirSync(`${root}artifacts`, { recursive: true });
  const folder = mkdtempSync(`${root}artifacts/readme-`);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(`${folder}/app.ts`, code);
  const child = spawnSource(`${folder}/app.ts`, [], {
    cwd: folder,
    env: { SALLYPORT_SECRET: randomBytes(32).toString("base64url") },
  });
  let over = false;
  void child.exited.then(() => {
    over = true;
  });
  await expect
    .poll(
      () => {
        if (over) throw new Error(`the README's code ended:\n${child.output("stderr")}`);
        return fetch(`${url}/.well-known/oauth-authorization-server`).then(
          ({ status }) => status,
          () => 0,
        );
      },
      { timeout: 20_000, interval: 25 },
    )
    .toBe(200);
  return url;
}

const callWhoami = (url: string, token?: string): Promise<Response> =>
  fetch(`${url}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2025-11-25",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "whoami", arguments: {} } }),
  });

test("the README's library code signs a user in and knows who calls its tool", async () => {
  const url = await startReadme();
  const refused = await callWhoami(url);
  expect(refused.status).toBe(401);
  expect(refused.headers.get("www-authenticate")).toContain(`${url}/.well-known/oauth-protected-resource/mcp`);

  const client = await register(url);
  const pair = pkce();
  const toMcp = { resource: `${url}/mcp` };
  const location = new URL(await signIn(authorizeUrl(url, client, pair, toMcp), reader));
  const tokens = await tokenAnswer(await redeem(url, client, location.searchParams.get("code") ?? "", pair));
  expect(tokens).toMatchObject({ scope: "hello" });
  const answer = await callWhoami(url, tokens.access_token);
  expect(await answer.text()).toContain("You are alice");

  const sentBack = new URL(await signIn(authorizeUrl(url, client, pkce(), toMcp), stranger));
  expect(sentBack.searchParams.get("error")).toBe("access_denied");
});
