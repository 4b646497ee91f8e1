import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { main } from "../../packages/cli/src/main.ts";
import { part } from "../attacks/access-tokens.ts";
import { signIn } from "../support/browser-walk.ts";
import { runCommand, temporaryFolder } from "../support/command.ts";
import { startDynamo } from "../support/dynamo-server.ts";
import { demoUser, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { startKms } from "../support/kms-server.ts";
import {
  authorizeUrl,
  pkce,
  redeem,
  refresh,
  register,
  type TestClient,
  type TokenAnswer,
  tokenAnswer,
} from "../support/oauth-client.ts";
import { describeWithRedis, startRedis } from "../support/redis-server.ts";

const newer = "n3wer-root-secret-ABCDEFGHIJKLMNOPQRSTUVWXYZ";

let folder: string;
let env: TestEnvironment;
let settings: Record<string, string>;
beforeAll(async () => {
  folder = await temporaryFolder();
  env = await startEnvironment({
    store: `sqlite:${join(folder, "store.db")}`,
    change: (demo) => ({
      ...demo,
      // The commands go by the machine's own clock, which no test may turn.
      tokens: { grantCheckInterval: "0s" },
      // As everywhere before the first server writes under the newer one.
      secret: [...(demo.secret ?? []), newer],
    }),
  });
  const { baseUrl, cognito, secret = [], store = "" } = env.settings;
  settings = {
    SALLYPORT_BASE_URL: baseUrl,
    SALLYPORT_SECRET: secret.join(" "),
    SALLYPORT_STORE: store,
    SALLYPORT_SERVERS: '[{"name": "clock", "url": "http://127.0.0.1:9/mcp"}]',
    COGNITO_USER_POOL_ID: cognito.userPoolId,
    COGNITO_CLIENT_ID: cognito.clientId,
    COGNITO_CLIENT_SECRET: cognito.clientSecret ?? "",
    COGNITO_DOMAIN: cognito.domain,
  };
});
afterAll(() => env.close());

/** Runs `sallyport …` in this process, with the settings of the running server, or others. */
async function sallyport(args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const written = { stdout: "", stderr: "" };
  for (const [name, value] of Object.entries({ ...settings, ...more })) vi.stubEnv(name, value);
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      written[name] += String(text);
      return true;
    });
  }
  try {
    const code = await main(args);
    return { code, stdout: written.stdout, lines: written.stderr.split("\n").filter((line) => line !== "") };
  } finally {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  }
}

interface Session {
  readonly client: TestClient;
  readonly tokens: TokenAnswer;
}

async function signedIn(name: "alice" | "bob"): Promise<Session> {
  const client = await register(env.url);
  const pair = pkce();
  const location = new URL(await signIn(authorizeUrl(env.url, client, pair), demoUser(env, name)));
  const answer = await redeem(env.url, client, location.searchParams.get("code") ?? "", pair);
  return { client, tokens: await tokenAnswer(answer) };
}

const refreshed = async ({ client, tokens }: Session): Promise<Session> => ({
  client,
  tokens: await tokenAnswer(await refresh(env.url, client, tokens.refresh_token)),
});

/** What the clock's server answers. */
async function status({ tokens }: Session): Promise<number> {
  const accept = "application/json, text/event-stream";
  const headers = { authorization: `Bearer ${tokens.access_token}`, "content-type": "application/json", accept };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  const response = await fetch(`${env.url}/clock/mcp`, { method: "POST", body, headers });
  await response.body?.cancel();
  return response.status;
}

describe("sallyport store backup and restore, while the gateway runs", () => {
  test("what was then is again, and nothing that has ended since begins again", async () => {
    const [idle, used, revoked, killed] = [
      await signedIn("alice"),
      await signedIn("alice"),
      await signedIn("alice"),
      await signedIn("bob"),
    ];
    const file = join(folder, "backup.db");
    const backup = await sallyport(["store", "backup", file]);
    expect(backup).toMatchObject({ code: 0, lines: [] });
    const { mode, size } = await stat(file);
    expect((mode & 0o777).toString(8)).toBe("600");
    expect(backup.stdout).toMatch(new RegExp(`^wrote ${file} \\(${size} bytes\\), for its owner only\\n`));

    const again = await refreshed(used);
    const form = { token: revoked.tokens.refresh_token, client_id: revoked.client.clientId };
    await fetch(`${env.url}/revoke`, { method: "POST", body: new URLSearchParams(form) });
    const sub = String(part(killed.tokens.access_token, 1).sub);
    await sallyport(["grants", "end", "--user", sub]);
    await sallyport(["keys", "rotate", "--now"]);
    const late = await signedIn("alice");
    const { kid } = part(late.tokens.access_token, 0);
    const keys = await sallyport(["keys", "status", "--json"]);

    const auditFile = join(folder, "audit.jsonl");
    const restore = await runCommand(["store", "restore", file, "--audit", auditFile], { env: settings, cwd: folder });
    expect(restore).toMatchObject({ code: 0, lines: [] });
    expect(restore.stdout).toMatch(/^restored \d+ records; \d+ stay as they are now/);
    expect(await readFile(auditFile, "utf8")).toContain('"action":"store.restored"');
    expect(restore.stdout).toContain("whoever refreshed since then signs in again");
    expect(await sallyport(["store", "check"])).toMatchObject({ code: 0 });

    // Nobody who had not refreshed notices. Access tokens of before the leak stay refused, those of after are good.
    expect(await status(idle)).toBe(401);
    const goes = await refreshed(idle);
    expect(part(goes.tokens.access_token, 0).kid).toBe(kid);
    expect(await status(goes)).toBe(200);
    expect(JSON.parse((await sallyport(["keys", "status", "--json"])).stdout).keys).toEqual(
      JSON.parse(keys.stdout).keys,
    );
    const seen = env.audit.length;
    expect(await refreshed(again)).toMatchObject({ tokens: { error: "invalid_grant" } });
    expect(env.audit.slice(seen).map(({ action, reason }) => `${action} ${reason}`)).toEqual([
      "token.refused refresh_ahead_of_store",
    ]);
    for (const session of [revoked, killed, late]) {
      expect(await status(session)).toBe(401);
      expect((await refreshed(session)).tokens.error).toMatch(/^invalid_(grant|client)$/);
    }
    expect(await status(await signedIn("bob"))).toBe(200);
  });

  test("what cannot be is refused in one line, and changes nothing", async () => {
    const session = await signedIn("alice");
    const file = join(folder, "second.db");
    expect(await sallyport(["store", "backup", file])).toMatchObject({ code: 0 });
    const text = join(folder, "text.db");
    await writeFile(text, "no database");
    const another = { SALLYPORT_SECRET: "another-root-secret-ABCDEFGHIJKLMNOPQRSTUV" };
    const none = { SALLYPORT_STORE: `sqlite:${join(folder, "none.db")}` };
    const refused: [string[], Record<string, string>, RegExp][] = [
      [["backup", file], {}, /^sallyport: cannot write .*second\.db: it is there already, and is not overwritten$/],
      [
        ["backup", join(folder, "no", "x.db")],
        {},
        /^sallyport: cannot write .*x\.db: there is no such file or folder$/,
      ],
      [["backup", join(folder, "x.db")], none, /^sallyport: there is no store at .*none\.db/],
      [["restore", join(folder, "x.db")], {}, /^sallyport: cannot read .*x\.db: there is no such file or folder$/],
      [["restore", text], {}, /^sallyport: store: .*text\.db is no whole backup/],
      [["restore", join(folder, "store.db")], {}, /^sallyport: store: .*store\.db is the store itself$/],
      [
        ["restore", file],
        another,
        /^sallyport: \d+ records of the backup cannot be read with these settings, and nothing was changed: /,
      ],
      [
        ["backup", file],
        { SALLYPORT_STORE: "redis://127.0.0.1:1" },
        /^sallyport: this is for SQLite stores\. Redis .*BGSAVE/,
      ],
      [
        ["restore", file],
        { SALLYPORT_STORE: "rediss+cluster://h:1" },
        /^sallyport: this is for SQLite stores\. Redis .*BGSAVE/,
      ],
      [["backup", file], { SALLYPORT_STORE: "dynamodb://table" }, /^sallyport: .*DynamoDB .*point-in-time recovery/],
      [["backup", file], { SALLYPORT_STORE: "memory:" }, /^sallyport: .*memory: ends with its process/],
    ];
    for (const [args, more, message] of refused) {
      expect(await sallyport(["store", ...args], more)).toEqual({
        code: 1,
        stdout: "",
        lines: [expect.stringMatching(message)],
      });
    }
    expect(await readFile(text, "utf8")).toBe("no database");
    expect(await status(await refreshed(session))).toBe(200);
  });
});

describe("sallyport store check", () => {
  test("counts the records of a running gateway, and finds nothing wrong", async () => {
    await signedIn("alice");
    const { code, stdout, lines } = await sallyport(["store", "check"]);
    expect({ code, lines }).toEqual({ code: 0, lines: [] });
    expect(stdout).toMatch(/^grant +\d+$/m);
    expect(stdout).toMatch(/^keyring +1\n[\s\S]*nothing is wrong\n$/m);
    const json = await sallyport(["store", "check", "--json"]);
    expect(JSON.parse(json.stdout)).toEqual({
      records: expect.objectContaining({ keyring: 1, client: expect.any(Number) }),
      faults: [],
      problems: [],
    });
  });

  test("names what was changed by hand, with status 1", async () => {
    const path = join(folder, "changed.db");
    await sallyport(["store", "backup", path]);
    const file = new DatabaseSync(path);
    const [row] = file.prepare("SELECT key, value FROM entries WHERE key LIKE 'grant:%' LIMIT 1").all();
    const record = JSON.parse(String(row?.value));
    record.f.scopes = [];
    file.prepare("UPDATE entries SET value = ? WHERE key = ?").run(JSON.stringify(record), String(row?.key));
    file.close();
    const changed = { SALLYPORT_STORE: `sqlite:${path}` };
    const text = await sallyport(["store", "check"], changed);
    expect(text.code).toBe(1);
    expect(text.stdout).toContain(`fault: grant ${row?.key}: it gives no scope\nfaults: 1, problems: 0\n`);
    const json = await sallyport(["store", "check", "--json"], changed);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout).faults).toEqual([{ kind: "grant", key: row?.key, fault: "it gives no scope" }]);

    const blind = { ...changed, SALLYPORT_SECRET: "another-root-secret-ABCDEFGHIJKLMNOPQRSTUV" };
    const unread = await sallyport(["store", "check"], blind);
    expect(unread.code).toBe(1);
    expect(unread.stdout).toMatch(/^fault: keyring .* which is not in the setting "secret"$/m);
  });
});

describe("sallyport keys reseal, while the gateway runs", () => {
  test("moves everything to the first secret; status says what the old one is needed for, and when it may go", async () => {
    const session = await signedIn("alice");
    const change = { SALLYPORT_SECRET: settings.SALLYPORT_SECRET?.split(" ").toReversed().join(" ") ?? "" };
    const before = JSON.parse((await sallyport(["keys", "status", "--json"], change)).stdout);
    const [first, second] = before.root_secrets;
    expect(first).toMatchObject({ active: true, records: 0, refresh_tokens: 0, free_from: null });
    expect(second).toMatchObject({ active: false, records: expect.any(Number), free_from: null });
    expect(second.refresh_tokens).toBeGreaterThan(0);
    expect(before.unreadable_records).toBe(0);
    const text = await sallyport(["keys", "status"], change);
    expect(text.stdout).toContain(`root secret 1 of 2 (${first.id}): 0 records, 0 refresh tokens in use; it writes\n`);
    expect(text.stdout).toContain(
      `root secret 2 of 2 (${second.id}): ${second.records} records, ${second.refresh_tokens} refresh tokens in use; run \`sallyport keys reseal\`: those records need it\n`,
    );

    const reseal = await sallyport(["keys", "reseal"], change);
    expect(reseal).toEqual({
      code: 0,
      lines: [],
      stdout: `sealed anew: ${second.records}; under the active key before: 0\n`,
    });
    const auditFile = join(folder, "reseal.jsonl");
    const again = await sallyport(["keys", "reseal", "--json", "--audit", auditFile], change);
    expect(await readFile(auditFile, "utf8")).toMatch(`"action":"records.resealed","key":"${first.id}"`);
    expect(JSON.parse(again.stdout)).toEqual({ resealed: 0, current: second.records, unreadable: 0 });
    expect(await status(session)).toBe(200);

    const after = JSON.parse((await sallyport(["keys", "status", "--json"], change)).stdout);
    const { refresh_tokens } = second;
    expect(after.root_secrets[1]).toMatchObject({ id: second.id, records: 0, refresh_tokens });
    const days = (Date.parse(after.root_secrets[1].free_from) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29.9);
    expect(days).toBeLessThanOrEqual(30);
    expect(after.records_sealed_under).toEqual({ [first.id]: second.records });
    expect((await sallyport(["keys", "status"], change)).stdout).toMatch(
      /0 records, \d+ refresh tokens in use; it may be taken out from 20\d\d-\S+ \S+ UTC, or when the tokens have been used/,
    );
  });

  test("to AWS KMS: status says what KMS seals", async () => {
    const kms = await startKms();
    onTestFinished(() => kms.close());
    const path = join(folder, "kms.db");
    await sallyport(["store", "backup", path]);
    const change = {
      SALLYPORT_STORE: `sqlite:${path}`,
      SALLYPORT_KMS_KEY_ID: "alias/sallyport",
      SALLYPORT_KMS_REGION: "eu-central-1",
      SALLYPORT_KMS_ENDPOINT: kms.url,
    };
    const { code, stdout } = await sallyport(["keys", "reseal", "--json"], change);
    const { resealed } = JSON.parse(stdout);
    expect([code, resealed > 0]).toEqual([0, true]);
    const status = await sallyport(["keys", "status"], change);
    expect(status.stdout).toMatch(/^sealed under AWS KMS \(kms:\S+\), the one that writes$/m);
    expect(status.stdout).toMatch(new RegExp(`^AWS KMS \\(kms:\\S+\\): seals ${resealed} records$`, "m"));
    const without = { SALLYPORT_STORE: `sqlite:${path}` };
    expect((await sallyport(["keys", "status"], without)).lines).toEqual([
      expect.stringMatching(
        /^sallyport: a stored keyring cannot be read: it was sealed with AWS KMS .* "kms" is not there$/,
      ),
    ]);
  });

  test("with a secret too few it says so, with status 1", async () => {
    const blind = { SALLYPORT_SECRET: "another-root-secret-ABCDEFGHIJKLMNOPQRSTUV" };
    const { code, stdout, lines } = await sallyport(["keys", "reseal", "--json"], blind);
    expect([code, JSON.parse(stdout).resealed]).toEqual([1, 0]);
    expect(lines).toEqual([
      expect.stringMatching(/^sallyport: \d+ records cannot be read and stay as they are; `sallyport store check`/),
    ]);
  });
});

describe("sallyport store init", () => {
  const init = (store: string) => sallyport(["store", "init"], { SALLYPORT_STORE: store, SALLYPORT_SECRET: "" });

  test("sqlite: makes the file, for its owner only, and leaves alone what is there", async () => {
    const path = join(folder, "made", "store.db");
    expect(await init(`sqlite:${path}`)).toEqual({ code: 0, lines: [], stdout: `made ${path}\n` });
    expect(((await stat(path)).mode & 0o777).toString(8)).toBe("600");
    expect(await init(`sqlite:${path}`)).toEqual({ code: 0, lines: [], stdout: `${path} is there already\n` });
    expect(await init("memory:")).toMatchObject({ code: 0, stdout: "memory: needs nothing made\n" });
  });

  test("dynamodb: makes the table, then its time to live, and tells each step", async () => {
    const dynamo = await startDynamo();
    const wire = await withTimeToLive(new URL(new URL(dynamo.url("t")).searchParams.get("endpoint") ?? ""));
    onTestFinished(async () => {
      wire.close();
      await dynamo.close();
    });
    const url = `dynamodb://fresh?region=eu-central-1&endpoint=${encodeURIComponent(wire.url)}`;
    const made = "made the table\nturned on its time to live\n";
    expect(await init(url)).toEqual({ code: 0, lines: [], stdout: made });
    const there = "the table is there already\nits time to live is on already\n";
    expect(await init(url)).toEqual({ code: 0, lines: [], stdout: there });

    wire.refused = "UpdateTimeToLive";
    const refused = await init(url.replace("fresh", "second"));
    expect(refused).toMatchObject({ code: 1, stdout: "made the table\n" });
    expect(refused.lines).toEqual([
      expect.stringMatching(
        /^sallyport: the table is there, but its time to live could not be turned on \(AccessDeniedException: .*dynamodb:UpdateTimeToLive/,
      ),
    ]);
  });

  describeWithRedis("redis", () => {
    test("checks that it answers, and that it drops nothing by itself", async () => {
      const redis = await startRedis();
      onTestFinished(() => redis.close());
      expect(await init(redis.url)).toEqual({ code: 0, lines: [], stdout: "Redis answers; it needs nothing made\n" });
      const unfit = await startRedis(["--maxmemory-policy", "allkeys-lru"]);
      onTestFinished(() => unfit.close());
      const { code, stdout } = await init(unfit.url);
      expect(code).toBe(1);
      expect(stdout).toMatch(/^problem: Redis has maxmemory-policy allkeys-lru .* set it to noeviction/m);
      const check = await sallyport(["store", "check", "--json"], { SALLYPORT_STORE: unfit.url });
      expect([check.code, JSON.parse(check.stdout)]).toEqual([
        1,
        { records: {}, faults: [], problems: [expect.stringContaining("allkeys-lru")] },
      ]);
    });
  });
});

/** Stands before a DynamoDB stand-in that has no time to live, and answers for it. */
async function withTimeToLive(target: URL): Promise<{ url: string; refused: string | undefined; close(): void }> {
  const enabled = new Set<string>();
  const state: { refused: string | undefined } = { refused: undefined };
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const operation = String(req.headers["x-amz-target"]).split(".")[1] ?? "";
    const answer = (status: number, value: object): void => {
      res.writeHead(status, { "content-type": "application/x-amz-json-1.0" }).end(JSON.stringify(value));
    };
    if (operation === state.refused) return answer(400, { __type: "AccessDeniedException", message: "not allowed" });
    const table = String(JSON.parse(body.toString("utf8")).TableName);
    if (operation === "UpdateTimeToLive") {
      enabled.add(table);
      return answer(200, {});
    }
    if (operation === "DescribeTimeToLive") {
      const TimeToLiveStatus = enabled.has(table) ? "ENABLED" : "DISABLED";
      return answer(200, { TimeToLiveDescription: { TimeToLiveStatus } });
    }
    const onward = request(target, { method: "POST", path: "/", headers: req.headers }, (upstream) => {
      res.writeHead(upstream.statusCode ?? 502, upstream.headers);
      upstream.pipe(res);
    });
    onward.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  const port = typeof address === "object" && address ? address.port : 0;
  return Object.assign(state, { url: `http://127.0.0.1:${port}`, close });
}
