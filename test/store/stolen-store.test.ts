import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { DynamoDBClient, ScanCommand, type ScanCommandOutput } from "@aws-sdk/client-dynamodb";
import {
  type Clock,
  checkStore,
  createDynamoTable,
  deriveRootKeys,
  openStore,
  type Random,
  type Store,
  secretHash,
  silentLogger,
  systemClock,
  systemRandom,
} from "sallyport";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { keyringKind, recordStore } from "../../packages/core/src/records/index.ts";
import { driveEverything, planted, resourceServer, robot } from "../secrets-in-logs/drive-everything.ts";
import { type Exchange, recordingFetch } from "../secrets-in-logs/recorded-exchanges.ts";
import { collectSecrets, type Secrets } from "../secrets-in-logs/secrets.ts";
import { temporaryFolder } from "../support/command.ts";
import { startDynamo } from "../support/dynamo-server.ts";
import { freePort, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { redisProgram, startRedis } from "../support/redis-server.ts";
import { findInBytes } from "./find-in-bytes.ts";
import { type MirroredStore, mirrorStore } from "./mirrored-store.ts";

/** A store, and all of its bytes as a thief gets them. */
interface Stolen {
  readonly store: Store;
  steal(): Promise<Buffer>;
}

const realFetch = globalThis.fetch;
const kinds = ["memory", "sqlite", ...(existsSync(redisProgram) || process.env.CI ? ["redis"] : []), "dynamodb"];
/** That of the environment, once it is there. */
const clock: Clock = {
  now: () => (env?.clock ?? systemClock).now(),
  monotonic: () => (env?.clock ?? systemClock).monotonic(),
  sleep: (ms, signal) => (env?.clock ?? systemClock).sleep(ms, signal),
};
const deps = { clock, random: systemRandom, logger: silentLogger };
const stores = new Map<string, Stolen>();
const closers: (() => Promise<unknown>)[] = [];
let env: TestEnvironment | undefined;
let mirrored: MirroredStore;
/** What is looked for, and what it is. */
const wanted = new Map<string, string>();

/** Every random value of 32 bytes is a handle, a token's secret or a key. */
const drawn = new Set<string>();
const random: Random = {
  ...systemRandom,
  bytes(length) {
    const bytes = systemRandom.bytes(length);
    if (length >= 32) drawn.add(Buffer.from(bytes).toString("base64url"));
    return bytes;
  },
};

/** The environment's own store, in memory. */
const inMemory = (store: Store): Stolen => ({
  store,
  async steal() {
    const entries: unknown[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.scan(cursor);
      for (const key of page.keys) entries.push(key, await store.get(key));
      cursor = page.cursor;
    } while (cursor !== undefined);
    // Beside what is there now, everything that ever was.
    return Buffer.from(`${JSON.stringify(entries)}\n${mirrored.written.join("\n")}`);
  },
});

async function startOthers(): Promise<void> {
  const path = join(await temporaryFolder(), "store.db");
  stores.set("sqlite", {
    store: await openStore(`sqlite:${path}`, deps),
    steal: async () => Buffer.concat(await Promise.all(["", "-wal", "-shm"].map((end) => readFile(path + end)))),
  });

  if (kinds.includes("redis")) {
    const redis = await startRedis(["--rdbcompression", "no"]);
    const cli = (...args: string[]): string =>
      execFileSync("redis-cli", ["-p", String(redis.port), "--raw", ...args], { encoding: "utf8" }).trim();
    closers.push(() => redis.close());
    stores.set("redis", {
      store: await openStore(redis.url, deps),
      async steal() {
        cli("save");
        return readFile(join(cli("config", "get", "dir").split("\n")[1] ?? "", "dump.rdb"));
      },
    });
  }

  const dynamo = await startDynamo();
  closers.push(() => dynamo.close());
  const url = dynamo.url("stolen");
  await createDynamoTable(url, async () => {});
  const endpoint = new URL(url).searchParams.get("endpoint") ?? "";
  const client = new DynamoDBClient({ region: "eu-central-1", endpoint });
  closers.push(async () => client.destroy());
  stores.set("dynamodb", {
    store: await openStore(url, deps),
    async steal() {
      const items: unknown[] = [];
      let ExclusiveStartKey: ScanCommandOutput["LastEvaluatedKey"];
      do {
        const page: ScanCommandOutput = await client.send(new ScanCommand({ TableName: "stolen", ExclusiveStartKey }));
        items.push(...(page.Items ?? []));
        ExclusiveStartKey = page.LastEvaluatedKey;
      } while (ExclusiveStartKey !== undefined);
      return Buffer.from(JSON.stringify(items));
    },
  });
}

async function startListener(): Promise<string> {
  const server = createServer((req, res) => {
    req.resume().once("end", () => {
      res.setHeader("content-type", "application/json");
      res.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: {} }));
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  closers.push(async () => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${port}/mcp`;
}

beforeAll(async () => {
  await startOthers();
  const listener = await startListener();
  const nobody = `http://127.0.0.1:${await freePort()}/mcp`;
  const exchanges: Exchange[] = [];
  vi.stubGlobal("fetch", recordingFetch(realFetch, exchanges));
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  env = await startEnvironment({
    runtime: { random, fetch: recordingFetch(realFetch, exchanges) },
    wrapStore: (inner) => {
      mirrored = mirrorStore(
        inner,
        [...stores.values()].map(({ store }) => store),
      );
      stores.set("memory", inMemory(inner));
      return mirrored;
    },
    change: (settings) => ({
      ...settings,
      servers: [
        ...(settings.servers ?? []),
        { name: "listener", url: listener, requiredScopes: ["mcp/read"] },
        { name: "gone", url: nobody, requiredScopes: ["mcp/read"] },
      ],
      machines: { ...settings.machines, robot: { scopes: ["mcp/read"], jwks: { keys: [robot.jwk] } } },
      resourceServers: {
        [resourceServer.id]: { secretHashes: [secretHash(resourceServer.secret)], resources: ["/clock/mcp"] },
      },
    }),
  });
  await driveEverything(env, (failure) => {
    mirrored.failure = failure;
  });
  vi.restoreAllMocks();
  vi.unstubAllGlobals();

  const secrets: Secrets = new Map();
  collectSecrets(exchanges, env.url, secrets);
  for (const secret of [env.settings.secret ?? []].flat()) secrets.set(secret, "root secret");
  for (const secret of [env.settings.cognito.clientSecret ?? "", env.machine.clientSecret, resourceServer.secret]) {
    secrets.set(secret, "client secret");
  }
  secrets.set(planted, "planted");
  // Whole, and each of its parts: the handle of the grant, the secret, the tag; header, claims and signature.
  for (const [secret, kind] of secrets) for (const part of [secret, ...secret.split(".")]) wanted.set(part, kind);
  for (const { username } of env.users) wanted.set(username, "user name or e-mail address");
  for (const { user } of env.audit) if (user !== undefined) wanted.set(user, "sub of a user");
  const keys = deriveRootKeys(env.settings.secret ?? []);
  const keyring = await recordStore(keyringKind, { store: mirrored, keys, random }).get("main");
  for (const { privateJwk } of keyring?.value.keys ?? []) wanted.set(privateJwk.d, "signing key");
  const names = new Set(exchanges.map(({ body }) => /"client_id":"([^"]+)"/.exec(body)?.[1]));
  for (const value of drawn) if (!names.has(value) && !wanted.has(value)) wanted.set(value, "random value");
});
afterAll(async () => {
  await env?.close();
  for (const close of closers.reverse()) await close();
});

const stolen = (kind: string): Stolen => {
  const found = stores.get(kind);
  if (!found) throw new Error(`there is no ${kind}`);
  return found;
};

/** One text of each kind that is looked for. */
const oneOfEach = (): Map<string, string> => {
  const texts = new Map([...wanted].filter(([text]) => text.length >= 12).map(([text, name]) => [name, text]));
  expect(texts.size).toBeGreaterThan(15);
  return new Map([...texts].map(([name, text]) => [text, name]));
};

describe.each(kinds)("a stolen copy of the store in %s, without the root secret", (kind) => {
  test("holds no token, code, secret, cookie, handle or verifier, nothing of Cognito's, and not who the users are", async () => {
    const { store, steal } = stolen(kind);
    const bytes = await steal();
    // It is what was kept, and whoever has the root secret can read it.
    const report = await checkStore({ store, keys: deriveRootKeys(env?.settings.secret ?? []), clock, random });
    expect(report.faults).toEqual([]);
    for (const record of ["grant", "client", "keyring", "consent-mark"]) {
      expect(report.records[record], record).toBeGreaterThan(0);
      expect(bytes.includes(`${record}:`), record).toBe(true);
    }
    expect([...findInBytes(wanted, bytes)]).toEqual([]);
  });

  test("opens nothing: not one record can be read", async () => {
    const keys = deriveRootKeys(["another-root-secret-ABCDEFGHIJKLMNOPQRSTUV"]);
    const { unreadable, records } = await checkStore({ store: stolen(kind).store, keys, clock, random });
    const total = Object.values(records).reduce((sum, count) => sum + count, 0);
    expect(total).toBeGreaterThan(10);
    expect(unreadable).toBe(total);
  });

  test("and a secret that stood in it would be found", async () => {
    const { store, steal } = stolen(kind);
    const samples = oneOfEach();
    const text = [...samples.keys()].join(" ");
    await store.put("planted:one", `{"before":"${text}"}`, { ttl: 600_000 });
    expect([...findInBytes(wanted, await steal())]).toEqual(expect.arrayContaining([...samples.values()]));
    await store.delete("planted:one");
  });
});

test.each([0, 1, 2])(
  "a secret is found in hex, URL-encoded and in base64 too, %i bytes after something else",
  (before) => {
    const some = "ab".slice(0, before);
    for (const [text, name] of oneOfEach()) {
      const inside = Buffer.from(`${some}${text} and more`);
      const forms = [
        text,
        `${some}${encodeURIComponent(text)}`,
        `${some}${JSON.stringify(text)}`,
        ...(["base64", "base64url", "hex"] as const).map((encoding) => inside.toString(encoding)),
        inside.toString("hex").toUpperCase(),
      ];
      for (const form of forms) {
        const bytes = Buffer.from(`something before ${form} and after`);
        expect(findInBytes(new Map([[text, name]]), bytes), `${name} as ${form}`).toEqual(new Set([name]));
      }
    }
  },
);
