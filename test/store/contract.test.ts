import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { silentLogger } from "../../packages/core/src/runtime/index.ts";
import { createDynamoTable, memoryStore, openStore, sqliteStore } from "../../packages/core/src/store/index.ts";
import { type DynamoServer, startDynamo } from "../support/dynamo-server.ts";
import { describeWithRedis, type RedisServer, startRedis } from "../support/redis-server.ts";
import { storeContract } from "./contract.ts";

const mebibyte = 1024 * 1024;
const folder = await mkdtemp(join(tmpdir(), "sallyport-contract-"));
afterAll(() => rm(folder, { recursive: true, force: true }));
let files = 0;

storeContract({ name: "memory", largestValue: mebibyte, open: async (deps) => memoryStore(deps) });

storeContract({
  name: "sqlite",
  largestValue: mebibyte,
  open: async (deps) => {
    files += 1;
    return await sqliteStore({ ...deps, path: join(folder, `${files}.db`), logger: silentLogger });
  },
});

describeWithRedis("redis", () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.close());
  let stores = 0;
  storeContract({
    name: "redis",
    largestValue: mebibyte,
    open: (deps) => {
      stores += 1;
      return openStore(`${redis.url}?prefix=test${stores}:`, { ...deps, logger: silentLogger });
    },
  });
});

describe("dynamodb", () => {
  let dynamo: DynamoServer;
  beforeAll(async () => {
    dynamo = await startDynamo();
  });
  afterAll(() => dynamo.close());
  let tables = 0;
  storeContract({
    name: "dynamodb",
    // An item has at most 400 KB, with its attributes' names.
    largestValue: 390 * 1024,
    open: async (deps) => {
      tables += 1;
      const url = dynamo.url(`table-${tables}`);
      await createDynamoTable(url, async () => {});
      return openStore(url, { ...deps, logger: silentLogger });
    },
  });
});
