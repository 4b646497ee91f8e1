import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deriveRootKeys } from "sallyport";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { main } from "../../packages/cli/src/main.ts";
import { signIn } from "../support/browser-walk.ts";
import { runCommand, temporaryFolder } from "../support/command.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, redeem, register, tokenAnswer } from "../support/oauth-client.ts";

const checkInterval = 15_000;

let folder: string;
let env: TestEnvironment;
beforeAll(async () => {
  folder = await temporaryFolder();
  env = await startEnvironment({ store: `sqlite:${join(folder, "store.db")}` });
});
afterAll(() => env.close());

/** The settings of the running server. */
const settings = (): Readonly<Record<string, string>> => ({
  COGNITO_USER_POOL_ID: env.cognito.userPoolId,
  COGNITO_CLIENT_ID: "app",
  COGNITO_CLIENT_SECRET: "none",
  COGNITO_DOMAIN: env.cognito.url,
  SALLYPORT_BASE_URL: env.url,
  SALLYPORT_SECRET: rootSecret(),
  SALLYPORT_STORE: env.settings.store ?? "",
  SALLYPORT_SERVERS: '[{"name": "clock", "url": "http://127.0.0.1:9/mcp"}]',
});

/** Runs `sallyport keys …` in this process, with the settings of the running server, or others. */
async function keys(args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const written = { stdout: "", stderr: "" };
  for (const [name, value] of Object.entries({ ...settings(), ...more })) vi.stubEnv(name, value);
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      written[name] += String(text);
      return true;
    });
  }
  try {
    const code = await main(["keys", ...args]);
    return { code, stdout: written.stdout, lines: written.stderr.split("\n").filter((line) => line !== "") };
  } finally {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  }
}

function rootSecret(): string {
  const [secret] = env.settings.secret ?? [];
  if (secret === undefined) throw new Error("no root secret");
  return secret;
}

/** What `keys status --json` says. */
async function status(...args: readonly string[]) {
  const { code, stdout, lines } = await keys(["status", "--json", ...args]);
  expect({ code, lines }).toEqual({ code: 0, lines: [] });
  return JSON.parse(stdout);
}

async function token(): Promise<{ readonly token: string; readonly kid: string }> {
  const client = await register(env.url);
  const pair = pkce();
  const resource = `${env.url}/clock/mcp`;
  const location = new URL(await signIn(authorizeUrl(env.url, client, pair, { resource }), demoUser(env, "alice")));
  const answer = await redeem(env.url, client, location.searchParams.get("code") ?? "", pair, { resource });
  const { access_token } = await tokenAnswer(answer);
  const { kid } = JSON.parse(Buffer.from(access_token.split(".")[0] ?? "", "base64url").toString());
  return { token: access_token, kid };
}

/** What an `initialize` of the clock is answered with. */
const call = async ({ token }: { readonly token: string }): Promise<number> => {
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
  };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  return (await fetch(`${env.url}/clock/mcp`, { method: "POST", headers, body })).status;
};

const published = async (): Promise<string[]> => {
  const { keys } = Object(await (await fetch(`${env.url}/.well-known/jwks.json`)).json());
  return keys.map(({ kid }: { kid: string }) => kid);
};

describe("sallyport keys", () => {
  test("status: each key with what comes next, and the root secret that seals them; as JSON too, by the settings of a file", async () => {
    const [kid] = await published();
    const file = join(folder, "sallyport.toml");
    await writeFile(file, "[keys]\nrotate_every = '10d'\n");
    const newer = "n3wer-root-secret-ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const text = await keys(["status"]);
    const json = await status("--config", file);
    const during = await keys(["status"], { SALLYPORT_SECRET: `${newer} ${rootSecret()}` });
    const root = deriveRootKeys([rootSecret()]).active.kid;
    expect({ code: text.code, lines: text.lines }).toEqual({ code: 0, lines: [] });
    expect(text.stdout).toMatch(
      new RegExp(`^${kid}\\s+active\\s+\\S+ \\S+ UTC\\s+its successor is published \\S+ \\S+ UTC$`, "m"),
    );
    expect(text.stdout).toContain(`sealed under root secret 1 of 1 (${root}), the one that writes\n`);
    expect(during.stdout).toContain(`sealed under root secret 2 of 2 (${root}): leave it in the settings until`);

    const change = { what: "successor_published", at: expect.any(String) };
    expect(json).toEqual({
      keys: [{ kid, state: "active", since: expect.any(String), next_change: change }],
      sealed_under: root,
      sealed_by_active: true,
      root_secrets: [{ id: root, active: true, records: 1, refresh_tokens: 0, free_from: null }],
      records_sealed_under: { [root]: 1 },
      unreadable_records: 0,
    });
    const [{ since, next_change }] = json.keys;
    expect(Date.parse(next_change.at) - Date.parse(since)).toBe(9 * 86_400_000);
  });

  test("rotate: publishes the next key, says from when it signs, and changes nothing twice", async () => {
    const [before = ""] = await published();
    const first = await keys(["rotate"]);
    expect({ code: first.code, lines: first.lines }).toEqual({ code: 0, lines: [] });
    expect(await keys(["rotate"])).toEqual(first);
    env.clock.advance(checkInterval);
    const [signing, next = ""] = await published();
    expect(signing).toBe(before);
    const [, when = ""] =
      /^(\S+) is published and signs from (.*) UTC; (\S+) is retired then\.$/m.exec(first.stdout)?.slice(1) ?? [];
    expect(first.stdout).toContain(`${next} is published`);
    const inMinutes = (Date.parse(`${when.replace(" ", "T")}Z`) - Date.now()) / 60_000;
    expect(inMinutes).toBeGreaterThan(24 * 60 - 3);
    expect(inMinutes).toBeLessThanOrEqual(24 * 60);
    expect((await status()).keys).toMatchObject([
      { kid: before, state: "active", next_change: { what: "retires" } },
      { kid: next, state: "next", next_change: { what: "signs" } },
    ]);
    expect((await token()).kid).toBe(before);
  });

  test("rotate --now --keep: a running server signs with the other key, and what the old one signed still holds", async () => {
    const old = await token();
    const audit = join(folder, "audit.jsonl");
    const { code, stdout } = await keys(["rotate", "--now", "--keep", "--audit", audit]);
    expect(code).toBe(0);
    env.clock.advance(checkInterval);
    const young = await token();
    expect(young.kid).not.toBe(old.kid);
    expect(stdout).toContain(`${young.kid} signs from now on; ${old.kid} is retired`);
    expect([await call(old), await call(young)]).toEqual([200, 200]);
    expect(await published()).toEqual([young.kid, old.kid]);
    expect(JSON.parse((await readFile(audit, "utf8")).split("\n")[1] ?? "")).toMatchObject({
      action: "keys.rotated",
      key: young.kid,
    });
  });

  test("rotate --now: what was signed before is refused, by a running server within the check interval", async () => {
    const old = await token();
    expect(await call(old)).toBe(200);
    const { code, stdout } = await runCommand(["keys", "rotate", "--now"], { env: settings() });
    expect(code).toBe(0);
    expect(stdout).toContain("Running servers know it within 15 s of use");
    expect(stdout).toContain("Sign-ins stay");
    env.clock.advance(checkInterval);
    expect(await call(old)).toBe(401);
    const young = await token();
    expect(stdout).toContain(`${young.kid} signs from now on; dropped: `);
    expect(await call(young)).toBe(200);
    expect(await published()).toEqual([young.kid]);
  });

  test("what cannot be is refused in one line, and changes nothing", async () => {
    const before = await published();
    const refused: [string[], Record<string, string>, RegExp][] = [
      [["status"], { SALLYPORT_STORE: "memory:" }, /^sallyport: store is memory:, which the running process alone has/],
      [["rotate"], { SALLYPORT_STORE: "sqlite:./no.db" }, /^sallyport: there is no store at \.\/no\.db/],
      [
        ["rotate", "--now"],
        { SALLYPORT_SECRET: "another-root-secret-ABCDEFGHIJKLMNOPQRSTUV" },
        /^sallyport: a stored keyring cannot be read: it was sealed under root secret \S+, which is not in the setting/,
      ],
      [["rotate", "--keep"], {}, /^sallyport: --keep goes with --now/],
    ];
    for (const [args, more, message] of refused) {
      const outcome = await keys(args, more);
      expect(outcome).toEqual({ code: 1, stdout: "", lines: [expect.stringMatching(message)] });
    }
    env.clock.advance(checkInterval);
    expect(await published()).toEqual(before);
  });
});

test("keys of identity assertions come with the first server that wants some, and are shown and rotated with the others", async () => {
  const before = await published();
  await env.reconfigure((settings) => ({
    ...settings,
    servers: settings.servers?.map((server) => ({ ...server, identityAssertion: {} })) ?? [],
  }));
  const identities = async () => (await published()).filter((kid) => kid.startsWith("identity-"));
  await expect.poll(identities).toHaveLength(1);
  const [kid = ""] = await identities();
  expect(await published()).toEqual([...before, kid]);
  expect((await keys(["status"])).stdout).toMatch(new RegExp(`^${kid}\\s+active\\s`, "m"));
  const rotated = await keys(["rotate", "--now"]);
  expect(rotated.code).toBe(0);
  const [, next = ""] =
    /^Identity assertions: (identity-\S+) signs from \S+ \S+ UTC, after (\S+)\.$/m.exec(rotated.stdout) ?? [];
  expect(next).not.toBe(kid);
  env.clock.advance(checkInterval);
  await expect.poll(identities).toEqual([next]);
});
