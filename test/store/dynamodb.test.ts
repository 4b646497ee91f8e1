import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { silentLogger, systemClock, systemRandom } from "../../packages/core/src/runtime/index.ts";
import {
  createDynamoTable,
  enableDynamoTimeToLive,
  openStore,
  type Store,
} from "../../packages/core/src/store/index.ts";
import { type DynamoServer, startDynamo } from "../support/dynamo-server.ts";
import { type DynamoWire, startDynamoWire } from "../support/dynamo-wire.ts";

const ttl = 60_000;
const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };

let dynamo: DynamoServer;
let wire: DynamoWire;
let store: Store;
let tables = 0;

beforeAll(async () => {
  dynamo = await startDynamo();
  wire = await startDynamoWire(dynamo);
});
afterAll(async () => {
  wire.close();
  await dynamo.close();
});
beforeEach(async () => {
  tables += 1;
  await createDynamoTable(dynamo.url(`wired-${tables}`), async () => {});
  store = await openStore(wire.url(`wired-${tables}`), deps);
  wire.seen.length = 0;
  wire.fates = [];
  onTestFinished(() => store.close());
});

describe("a request whose answer is lost", () => {
  test("a put with ifAbsent that had its effect is told as written, not as lost to another", async () => {
    wire.fates = ["lost"];
    expect(await store.put("a", "mine", { ttl, ifAbsent: true })).toBe(true);
    expect(await store.get("a")).toMatchObject({ value: "mine" });
    expect(await store.put("a", "other", { ttl, ifAbsent: true })).toBe(false);
  });

  test("so is a swap; and one that another has overtaken meanwhile is not", async () => {
    await store.put("a", "one", { ttl });
    const version = (await store.get("a"))?.version ?? "";
    wire.fates = ["lost"];
    expect(await store.swap("a", version, "two", { ttl })).toBe(true);
    expect(await store.swap("a", version, "three", { ttl })).toBe(false);
    expect(await store.get("a")).toMatchObject({ value: "two" });
  });

  test("a take or a count is not repeated: it would take from nobody, or count twice", async () => {
    await store.put("a", "one", { ttl });
    wire.fates = ["lost"];
    await expect(store.take("a")).rejects.toMatchObject({ name: "StoreUnavailable" });
    wire.fates = ["pass", "lost"];
    await expect(store.count("c", 1, { ttl })).rejects.toMatchObject({ name: "StoreUnavailable" });
    expect(await store.count("c", 0, { ttl })).toEqual({ allowed: true, value: 1 });
  });
});

describe("a DynamoDB that does not serve", () => {
  test("a throttled request is sent again, whatever it is", async () => {
    await store.put("a", "one", { ttl });
    wire.fates = ["throttle", "throttle"];
    expect(await store.take("a")).toMatchObject({ value: "one" });
    expect(wire.seen.map(({ operation }) => operation)).toEqual(["PutItem", "DeleteItem", "DeleteItem", "DeleteItem"]);
  });

  test("an answer that does not come is an outage within the deadline, and nothing of the request is told", async () => {
    wire.fates = Array.from({ length: 20 }, () => "hang");
    const started = performance.now();
    const reading = store.get("secret key");
    await expect(reading).rejects.toMatchObject({ name: "StoreUnavailable" });
    await expect(reading).rejects.not.toThrow(/secret/);
    expect(performance.now() - started).toBeLessThan(6_000);
  });

  test("what is refused for good is not repeated", async () => {
    const body = { __type: "com.amazon.coral.service#AccessDeniedException", message: "not for secret key" };
    wire.fates = [{ status: 400, body }];
    await expect(store.get("a")).rejects.toThrow(/AccessDeniedException/);
    expect(wire.seen).toHaveLength(1);
  });

  test("a table that is missing, or is another's, is a problem that names the mend", async () => {
    expect(await store.problems?.()).toEqual([]);
    const elsewhere = await openStore(wire.url("no-such-table"), deps);
    onTestFinished(() => elsewhere.close());
    expect(await elsewhere.problems?.()).toEqual([expect.stringMatching(/no table no-such-table.*store init/)]);
  });
});

test("every answer tells the time by DynamoDB's clock, a refusal too", async () => {
  wire.now = () => Date.now() - 300_000;
  onTestFinished(() => {
    wire.now = Date.now;
  });
  const seen: number[] = [];
  const sawTime = (theirs: number): void => void seen.push(theirs - Date.now());
  const watching = await openStore(wire.url(`wired-${tables}`), { ...deps, sawTime });
  onTestFinished(() => watching.close());
  await watching.get("a");
  wire.fates = [{ status: 400, body: { __type: "com.amazon.coral.service#AccessDeniedException" } }];
  await expect(watching.get("a")).rejects.toThrow(/AccessDenied/);
  expect(seen).toHaveLength(2);
  for (const ahead of seen) expect(Math.abs(ahead + 300_000)).toBeLessThan(1_500);
});

describe("what is sent", () => {
  test("reads that decide are strongly consistent; nothing asks for the old item of a failed condition", async () => {
    await store.put("a", "one", { ttl, ifAbsent: true, index: { user: "u" } });
    await store.swap("a", (await store.get("a"))?.version ?? "", "two", { ttl, index: { user: "u" } });
    await store.count("a", 1, { ttl, limit: 2 });
    await store.take("a");
    const reads = wire.seen.filter(({ operation }) => operation === "GetItem");
    expect(reads.length).toBeGreaterThan(0);
    for (const { body } of reads) expect(body.ConsistentRead).toBe(true);
    expect(new Set(wire.seen.map(({ operation }) => operation))).toEqual(
      new Set(["PutItem", "GetItem", "UpdateItem", "DeleteItem"]),
    );
    expect(JSON.stringify(wire.seen)).not.toContain("ReturnValuesOnConditionCheckFailure");
  });

  test("a record that is written again and again does not write its hint each time", async () => {
    for (let n = 0; n < 4; n += 1) await store.put("a", String(n), { ttl, index: { user: "u" } });
    expect(wire.seen.filter(({ body }) => JSON.stringify(body).includes("user:u"))).toHaveLength(1);
  });

  test("the time to live is an hour after the end, in seconds", async () => {
    await store.put("a", "one", { ttl });
    const item = wire.seen[0]?.body.Item;
    const ends = Number(Object(item).ends.N);
    expect(Number(Object(item).ttl.N)).toBe(Math.ceil(ends / 1000) + 3600);
  });

  test("store init: the time to live is turned on by its attribute, once", async () => {
    const enabled = { TimeToLiveDescription: { TimeToLiveStatus: "ENABLED", AttributeName: "ttl" } };
    const disabled = { TimeToLiveDescription: { TimeToLiveStatus: "DISABLED" } };
    const url = wire.url("any-table");
    wire.fates = [
      { status: 200, body: disabled },
      { status: 200, body: { TimeToLiveSpecification: {} } },
    ];
    expect(await enableDynamoTimeToLive(url)).toBe(true);
    expect(wire.seen.at(-1)).toEqual({
      operation: "UpdateTimeToLive",
      body: { TableName: "any-table", TimeToLiveSpecification: { AttributeName: "ttl", Enabled: true } },
    });
    wire.fates = [{ status: 200, body: enabled }];
    expect(await enableDynamoTimeToLive(url)).toBe(false);
    expect(wire.seen.at(-1)?.operation).toBe("DescribeTimeToLive");
  });

  test("store init: a table that is there is left as it is", async () => {
    expect(await createDynamoTable(wire.url(`wired-${tables}`), async () => {})).toBe(false);
  });
});

test.each([
  ["dynamodb:", /URL of a table/],
  ["dynamodb://x", /URL of a table/],
  ["dynamodb://table?zone=a", /unknown option/],
])("%s is no table", async (url, message) => {
  await expect(openStore(url, deps)).rejects.toThrow(message);
});
