import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { part } from "../attacks/access-tokens.ts";
import { signIn } from "../support/browser-walk.ts";
import { runCommand, temporaryFolder } from "../support/command.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";

let env: TestEnvironment;
let folder: string;
let settings: Record<string, string>;
beforeAll(async () => {
  folder = await temporaryFolder();
  env = await startEnvironment({
    store: `sqlite:${join(folder, "store.db")}`,
    // The command goes by the machine's own clock, which no test may turn.
    change: (demo) => ({ ...demo, tokens: { grantCheckInterval: "0s" } }),
  });
  const { baseUrl, cognito, secret = [], store = "" } = env.settings;
  settings = {
    SALLYPORT_BASE_URL: baseUrl,
    SALLYPORT_SECRET: secret[0] ?? "",
    SALLYPORT_STORE: store,
    COGNITO_USER_POOL_ID: cognito.userPoolId,
    COGNITO_CLIENT_ID: cognito.clientId,
    COGNITO_CLIENT_SECRET: cognito.clientSecret ?? "",
    COGNITO_DOMAIN: cognito.domain,
  };
});
afterAll(() => env.close());

const end = (args: readonly string[], more: Record<string, string> = {}) =>
  runCommand(["grants", "end", ...args], { env: { ...settings, ...more }, cwd: folder });

async function signedIn(name: "alice" | "bob") {
  const client = await register(env.url);
  const pair = pkce();
  const location = new URL(await signIn(authorizeUrl(env.url, client, pair), demoUser(env, name)));
  const answer = await redeem(env.url, client, location.searchParams.get("code") ?? "", pair);
  const { access_token: token } = await tokenAnswer(answer);
  return { client, token, sub: String(part(token, 1).sub) };
}

async function status(token: string): Promise<number> {
  const accept = "application/json, text/event-stream";
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", accept };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  const response = await fetch(`${env.url}/clock/mcp`, { method: "POST", body, headers });
  await response.body?.cancel();
  return response.status;
}

describe("sallyport grants end, while the gateway runs", () => {
  test("a user, then a client, then everyone: whom it concerns is out, with a line that says so", async () => {
    const [alice, bob] = [await signedIn("alice"), await signedIn("bob")];
    const until = "that has begun until now; it holds everywhere within 15 s";

    const user = await end(["--user", alice.sub, "--audit", "-"]);
    expect(user).toMatchObject({ code: 0, lines: [] });
    const [, event = "", , said] = user.stdout.split("\n");
    expect(JSON.parse(event)).toMatchObject({ action: "grants.ended", user: alice.sub });
    expect(said).toBe(`ended: every grant of the user ${alice.sub} ${until}`);
    expect([await status(alice.token), await status(bob.token)]).toEqual([401, 200]);

    const client = await end(["--client", bob.client.clientId]);
    const stdout = `ended: every grant of the client ${bob.client.clientId} ${until}\n`;
    expect(client).toMatchObject({ code: 0, lines: [], stdout });
    expect(await status(bob.token)).toBe(401);

    const later = await signedIn("alice");
    expect(await status(later.token)).toBe(200);
    expect(await end(["--all"])).toMatchObject({ code: 0, stdout: `ended: every grant of everyone ${until}\n` });
    expect(await status(later.token)).toBe(401);
  });

  test("with another root secret than the gateway's it ends nothing, and says so", async () => {
    const { token } = await signedIn("bob");
    const { code, stdout, lines } = await end(["--all"], {
      SALLYPORT_SECRET: "0123456789abcdefghijklmnopqrstuvwxyzAB",
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(lines.join("\n")).toContain('which is not in the setting "secret"');
    expect(await status(token)).toBe(200);
  });
});
