import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { spawnSource } from "../support/source-condition.ts";
import { type ScriptedBrowser, scriptedBrowser } from "./scripted-browser.ts";

const program = new URL(
  "../../node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js",
  import.meta.url,
);

const minutes = 60_000;

let env: TestEnvironment;
let callback: string;
beforeAll(async () => {
  env = await startEnvironment();
  callback = `http://127.0.0.1:${await freePort()}/oauth/callback`;
});
afterAll(() => env.close());

/** Runs `mcp-inspector --cli` to its end. */
async function inspect(browser: ScriptedBrowser, server: string, args: readonly string[]) {
  const url = `${env.url}/${server}/mcp`;
  const always = ["--cli", url, "--transport", "http", "--callback-url", callback, "--format", "json", "-q"];
  const child = spawnSource(program, [...always, ...args], { env: browser.env });
  const { code } = await child.exited;
  return { code, stdout: child.output("stdout"), stderr: child.output("stderr") };
}

/**
 * Writes the authorization server's metadata into what the Inspector keeps of its sign-ins. Its web client does so; its
 * CLI reads them there for a revocation and sends none without them.
 */
async function keepMetadata(browser: ScriptedBrowser): Promise<void> {
  const file = join(browser.env.HOME ?? "", ".mcp-inspector/storage/oauth.json");
  const kept: { servers: Record<string, object> } = JSON.parse(await readFile(file, "utf8"));
  const metadata = await fetch(`${env.url}/.well-known/oauth-authorization-server`);
  Object.assign(kept.servers[`${env.url}/clock/mcp`] ?? {}, { serverMetadata: await metadata.json() });
  await writeFile(file, JSON.stringify(kept));
}

const callNow = ["--method", "tools/call", "--tool-name", "now"];

describe("the Inspector's CLI", () => {
  test("signs in through the browser and calls a tool, and later again with what it kept", async () => {
    const browser = await scriptedBrowser(env, "alice");
    const first = await inspect(browser, "clock", callNow);
    expect(first, first.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('"epoch_ms"') });
    await expect.poll(browser.done).toEqual(["signed in: 200"]);

    env.clock.advance(11 * minutes);
    const second = await inspect(browser, "clock", ["--stored-auth-only", ...callNow]);
    expect(second, second.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('"epoch_ms"') });
    expect(await browser.done()).toHaveLength(1);
  });

  test("signs in again, and revokes what it had unless told not to", async () => {
    const browser = await scriptedBrowser(env, "alice");
    const from = env.audit.length;
    const grants = () =>
      env.audit.slice(from).flatMap(({ action, grant }) => (action === "token.issued" && grant ? [grant] : []));
    const ended = () => env.audit.slice(from).filter(({ action }) => action === "grant.ended");
    const signIn = async (...args: string[]) => {
      const run = await inspect(browser, "clock", [...args, ...callNow]);
      expect(run, run.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('"epoch_ms"') });
      await keepMetadata(browser);
    };
    await signIn();
    await signIn("--relogin", "--no-revoke");
    expect(ended()).toEqual([]);
    await signIn("--relogin");
    expect(new Set(grants()).size).toBe(3);
    expect(ended()).toEqual([expect.objectContaining({ grant: grants()[1], reason: "grant_revoked" })]);
    expect(await browser.done()).toHaveLength(3);
  });

  test("speaks the modern era and hands arguments through", async () => {
    const browser = await scriptedBrowser(env, "alice");
    const from = env.audit.length;
    const add = ["--method", "tools/call", "--tool-name", "add_note", "--tool-arg", "text=from the Inspector"];
    const added = await inspect(browser, "notes", ["--protocol-era", "modern", ...add]);
    expect(added, added.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining("from the Inspector") });
    const methods = env.audit.slice(from).flatMap(({ method, action }) => (action === "request.allowed" ? method : []));
    expect(methods).toContain("server/discover");
    expect(methods).not.toContain("initialize");
  });

  test("tells a user who may do nothing that the sign-in was refused", async () => {
    const browser = await scriptedBrowser(env, "carol");
    const run = await inspect(browser, "clock", callNow);
    expect(run.code).not.toBe(0);
    expect(run.stdout).not.toContain("epoch_ms");
    expect(run.stderr).toContain("carol@example.com");
    await expect.poll(browser.done).toEqual([expect.stringMatching(/^access_denied: /)]);
  });
});
