import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { createDynamoTable, type IndexHints, openStore, type Store } from "sallyport";
import { expect, onTestFinished, test } from "vitest";
import { lookupHash } from "../../packages/core/src/crypto/index.ts";
import { type Grant, grantKind, recordCodec } from "../../packages/core/src/records/index.ts";
import { silentLogger, systemClock, systemRandom } from "../../packages/core/src/runtime/index.ts";
import { testReplica } from "../../packages/core/test/grants/test-replica.ts";
import { testPool } from "../../packages/core/test/support/test-pool.ts";
import { type WatchedStore, watchStore } from "../attacks/watched-store.ts";
import { createWalker, signIn } from "../support/browser-walk.ts";
import { startDynamo } from "../support/dynamo-server.ts";
import { demoUser, startEnvironment } from "../support/environment.ts";
import { authorizeUrl, pkce, redeem, refresh, register, tokenAnswer } from "../support/oauth-client.ts";
import { describeWithRedis, startRedis } from "../support/redis-server.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const page = readFileSync(new URL("../../docs/storage.md", import.meta.url), "utf8");

/** The numbers in the row of docs/storage.md that has this name. */
function documented(row: string): number[] {
  const rows = page.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  const numbers = (rows.find(([, name]) => name === row) ?? [])
    .slice(2, -1)
    .map((cell) => Number(cell.replaceAll(",", "")));
  expect(numbers.length, `docs/storage.md has no row "${row}"`).toBeGreaterThan(0);
  return numbers;
}

test("docs/storage.md says how often a sign-in, a refresh and a request ask the store", async () => {
  let store: WatchedStore | undefined;
  const env = await startEnvironment({
    wrapStore: (inner) => {
      store = watchStore(inner);
      return store;
    },
  });
  onTestFinished(() => env.close());
  let seen = 0;
  /** Reads and writes since the last time it was asked; the keyring's own reads, one an interval, aside. */
  const asked = (): number[] => {
    const calls = (store?.calls ?? []).slice(seen).filter(({ key }) => !key.startsWith("keyring:"));
    seen = store?.calls.length ?? 0;
    const reads = calls.filter(({ operation }) => operation === "get").length;
    return [reads, calls.length - reads];
  };
  const client = await register(env.url);
  const walker = createWalker();
  const signedIn = async () => {
    const pair = pkce();
    const location = await signIn(authorizeUrl(env.url, client, pair), demoUser(env, "alice"), { walker });
    const code = new URL(location).searchParams.get("code") ?? "";
    return tokenAnswer(await redeem(env.url, client, code, pair));
  };
  const call = async (token: string): Promise<void> => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    await (await fetch(`${env.url}/clock/mcp`, { method: "POST", body: "{}", headers })).body?.cancel();
  };
  // The first sign-in also says that the registration is used.
  await signedIn();
  env.clock.advance(60_000);
  asked();
  const first = await signedIn();
  expect(asked()).toEqual(documented("sign-in"));
  env.clock.advance(60_000);
  const second = await tokenAnswer(await refresh(env.url, client, first.refresh_token));
  expect(asked()).toEqual(documented("refresh"));
  env.clock.advance(16 * 60_000);
  const third = await tokenAnswer(await refresh(env.url, client, second.refresh_token));
  expect(asked()).toEqual(documented("refresh that asks Cognito"));
  env.clock.advance(60_000);
  await call(third.access_token);
  expect(asked()).toEqual(documented("first request of a grant in a check interval"));
  await call(third.access_token);
  expect(asked()).toEqual(documented("every other request"));
});

const grants = 300;

/** Live grants, each of another user, as the stores are given them: with a refresh token as long as Cognito's. */
async function storedGrants(): Promise<{ key: string; text: string; index: IndexHints }[]> {
  const replica = testReplica({ clock: systemClock, pool: testPool(systemClock) });
  const { grantId, grant } = await replica.signIn();
  if (grant.upstream?.kind !== "cognito_session") throw new Error("this is no user's grant");
  const upstream = { ...grant.upstream, refreshToken: "r".repeat(1_770) };
  const { code: _, ...rest }: Grant = { ...grant, upstream };
  const { keys } = replica.deps;
  const codec = recordCodec(grantKind, { keys, random: systemRandom });
  const hint = (name: string): string => lookupHash(keys.active, "sizing", name);
  return Promise.all(
    Array.from({ length: grants }, async (_, n) => {
      const key = codec.keyOf(`${grantId}${n}`);
      const index = { user: hint(`user ${n}`), client: hint("client") };
      return { key, text: await codec.encode(key, rest), index };
    }),
  );
}

async function fill(store: Store): Promise<void> {
  for (const { key, text, index } of await storedGrants()) await store.put(key, text, { ttl: 3_600_000, index });
}

/** Within a tenth: servers of other versions take a little more or less. */
function expectAbout(measured: number, [written = 0]: readonly number[]): void {
  expect(Math.abs(measured - written) / written, `${measured} measured, ${written} documented`).toBeLessThan(0.1);
}

test("docs/storage.md says how many bytes a grant takes in itself and in SQLite", async () => {
  const [one] = await storedGrants();
  expectAbout(one?.text.length ?? 0, documented("the record itself"));
  const path = join(await temporaryFolder(), "store.db");
  const store = await openStore(`sqlite:${path}`, deps);
  await fill(store);
  await store.close();
  expectAbout(statSync(path).size / grants, documented("in `sqlite:`"));
});

test("docs/storage.md says how many bytes a grant takes in DynamoDB", async () => {
  const dynamo = await startDynamo();
  onTestFinished(() => dynamo.close());
  const url = dynamo.url("sizing");
  await createDynamoTable(url, async () => {});
  const store = await openStore(url, deps);
  await fill(store);
  await store.close();
  const endpoint = new URL(url).searchParams.get("endpoint") ?? "";
  const client = new DynamoDBClient({ region: "eu-central-1", endpoint });
  onTestFinished(() => client.destroy());
  let bytes = 0;
  let items = 0;
  for await (const page of pages(client)) {
    for (const item of page) {
      items += 1;
      for (const [name, { S, N }] of Object.entries(item))
        bytes += name.length + (S ?? "").length + (N ?? "").length / 2;
    }
  }
  expect(items).toBe(3 * grants);
  expectAbout(bytes / grants, documented("in `dynamodb:`"));
});

async function* pages(client: DynamoDBClient) {
  let start: Record<string, { S: string }> | undefined;
  do {
    const { Items = [], LastEvaluatedKey } = await client.send(
      new ScanCommand({ TableName: "sizing", ...(start ? { ExclusiveStartKey: start } : {}) }),
    );
    yield Items;
    start = LastEvaluatedKey && { pk: { S: LastEvaluatedKey.pk?.S ?? "" }, sk: { S: LastEvaluatedKey.sk?.S ?? "" } };
  } while (start);
}

describeWithRedis("with a redis-server", () => {
  test("docs/storage.md says how many bytes a grant takes in Redis", async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.close());
    const used = (): number => {
      const info = execFileSync("redis-cli", ["-p", String(redis.port), "info", "memory"], { encoding: "utf8" });
      return Number(/^used_memory_dataset:(\d+)/m.exec(info)?.[1]);
    };
    const store = await openStore(redis.url, deps);
    const before = used();
    await fill(store);
    const after = used();
    await store.close();
    expectAbout((after - before) / grants, documented("in `redis:`"));
  });
});
