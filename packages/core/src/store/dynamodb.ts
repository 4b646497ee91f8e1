import type { AttributeValue, PutItemCommandInput } from "@aws-sdk/client-dynamodb";
import type { Clock, ClockWatch, Random } from "../runtime/index.ts";
import { checkCount, checkHints, checkText, expiryOf } from "./check-arguments.ts";
import { ConditionFailed, dynamoClient, loadDynamoDb, parseDynamoUrl, persist, watchDates } from "./dynamodb-client.ts";
import { newVersion } from "./entry-version.ts";
import { hintMemory } from "./hint-memory.ts";
import { cursorAfter, keyBefore, pageSize } from "./list-cursor.ts";
import type { Entry, IndexHints, IndexName, Store } from "./store.ts";
import { StoreUnavailable } from "./store.ts";

type Item = Record<string, AttributeValue>;

/** DynamoDB removes items so much after their end, s: its clock and ours may differ, and what is over is never given out. */
const margin = 3_600;
/** Sort key of what is not a hint. */
const itself = "-";
/** How many records of a page are read at once. */
const readsAtOnce = 25;

/**
 * A store in one DynamoDB table, for several replicas on AWS. Every operation is one on a single item, conditional where it
 * decides something: `PutItem` with a condition (put with `ifAbsent`, swap), `DeleteItem` returning the old item (take),
 * `UpdateItem` with a condition (count). Reads are strongly consistent, but for the hints'. The end of an item is compared
 * by the caller's clock; the table's time to live only removes what is over.
 *
 * Keys: `pk` (`e:` an entry, `c:` a counter, `user:`/`client:` a hint), `sk` (`-`, or the record that a hint leads to).
 * @param options.url `dynamodb://table?region=eu-central-1`
 */
export async function dynamodbStore(options: {
  readonly url: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Told the time by DynamoDB's clock. */
  readonly sawTime?: ClockWatch["saw"] | undefined;
}): Promise<Store> {
  const { clock, random } = options;
  const address = parseDynamoUrl(options.url);
  const { table: TableName } = address;
  const sdk = await loadDynamoDb();
  const client = dynamoClient(sdk, address);
  if (options.sawTime) watchDates(client, clock, options.sawTime);
  const hints = hintMemory();
  let closed = false;

  const ask = <T>(repeatable: boolean, send: (abortSignal: AbortSignal) => Promise<T>): Promise<T> => {
    if (closed) return Promise.reject(new StoreUnavailable("The DynamoDB store is closed."));
    return persist(options, { repeatable, send });
  };

  const keyOf = (pk: string, sk = itself): Item => ({ pk: { S: pk }, sk: { S: sk } });
  const entryKey = (key: string): string => `e:${key}`;

  const read = async (pk: string): Promise<Item | undefined> => {
    const input = { TableName, Key: keyOf(pk), ConsistentRead: true };
    return (await ask(true, (abortSignal) => client.send(new sdk.GetItemCommand(input), { abortSignal }))).Item;
  };

  const put = (input: Omit<PutItemCommandInput, "TableName">): Promise<unknown> =>
    ask(true, (abortSignal) => client.send(new sdk.PutItemCommand({ TableName, ...input }), { abortSignal }));

  const writeHints = async (key: string, index: IndexHints, expiresAt: number, ttl: number): Promise<void> => {
    for (const hint of hints.due(key, index, expiresAt, ttl)) {
      const times = { ends: number(hint.expiresAt), ttl: number(secondsAfter(hint.expiresAt)) };
      await put({ Item: { ...keyOf(`${hint.index}:${hint.value}`, hint.key), ...times } });
      hints.written(hint);
    }
  };

  /** Writes an entry under a condition. A write whose answer was lost is told by its version from another's. */
  const putIf = async (key: string, item: Item, condition: Partial<PutItemCommandInput>): Promise<boolean> => {
    try {
      await put({ Item: item, ...condition });
      return true;
    } catch (error) {
      if (!(error instanceof ConditionFailed)) throw error;
      return error.doubtful && (await read(entryKey(key)))?.version?.S === item.version?.S;
    }
  };

  const itemOf = (key: string, value: string, expiresAt: number, index: IndexHints): Item => ({
    ...keyOf(entryKey(key)),
    value: { S: value },
    version: { S: newVersion(random) },
    ends: number(expiresAt),
    ttl: number(secondsAfter(expiresAt)),
    ...(index.user === undefined ? {} : { user: { S: index.user } }),
    ...(index.client === undefined ? {} : { client: { S: index.client } }),
  });

  return {
    async get(key) {
      checkText("key", key);
      return live(await read(entryKey(key)), clock);
    },

    async put(key, value, { ttl, ifAbsent = false, index = {} }) {
      checkText("key", key);
      checkText("value", value);
      checkHints(index);
      const expiresAt = expiryOf(clock, ttl);
      const item = itemOf(key, value, expiresAt, index);
      await writeHints(key, index, expiresAt, ttl);
      if (!ifAbsent) {
        await put({ Item: item });
        return true;
      }
      return putIf(key, item, {
        ConditionExpression: "attribute_not_exists(pk) OR ends <= :now",
        ExpressionAttributeValues: { ":now": number(clock.now()) },
      });
    },

    async take(key) {
      checkText("key", key);
      const input = { TableName, Key: keyOf(entryKey(key)), ReturnValues: "ALL_OLD" as const };
      // Not repeated where the outcome is unknown: the entry may be gone, and then nobody has it.
      const { Attributes } = await ask(false, (abortSignal) =>
        client.send(new sdk.DeleteItemCommand(input), { abortSignal }),
      );
      return live(Attributes, clock);
    },

    async swap(key, expectedVersion, value, { ttl, index = {} }) {
      checkText("key", key);
      checkText("value", value);
      checkHints(index);
      const expiresAt = expiryOf(clock, ttl);
      await writeHints(key, index, expiresAt, ttl);
      return putIf(key, itemOf(key, value, expiresAt, index), {
        ConditionExpression: "version = :expected AND ends > :now",
        ExpressionAttributeValues: { ":expected": { S: expectedVersion }, ":now": number(clock.now()) },
      });
    },

    async delete(key) {
      checkText("key", key);
      const input = { TableName, Key: keyOf(entryKey(key)) };
      await ask(true, (abortSignal) => client.send(new sdk.DeleteItemCommand(input), { abortSignal }));
    },

    async count(key, by, { ttl, limit }) {
      checkText("key", key);
      checkCount(by, limit);
      const ends = expiryOf(clock, ttl);
      const pk = `c:${key}`;
      for (;;) {
        const held = await read(pk);
        const now = clock.now();
        const isLive = held !== undefined && Number(held.ends?.N) > now;
        const value = isLive ? Number(held.reached?.N) : 0;
        const sum = value + by;
        if (limit !== undefined && sum > limit) return { allowed: false, value };
        if (by === 0) return { allowed: true, value };
        try {
          // What was read must still stand. One whose outcome is unknown is not repeated: it would count twice.
          await ask(false, (abortSignal) =>
            client.send(
              new sdk.UpdateItemCommand({
                TableName,
                Key: keyOf(pk),
                UpdateExpression: "SET reached = :sum, ends = :ends, #ttl = :ttl",
                ConditionExpression: isLive
                  ? "reached = :value AND ends = :ends"
                  : "attribute_not_exists(pk) OR ends <= :now",
                ExpressionAttributeNames: { "#ttl": "ttl" },
                ExpressionAttributeValues: {
                  ":sum": number(sum),
                  ":ends": isLive ? number(Number(held.ends?.N)) : number(ends),
                  ":ttl": number(secondsAfter(isLive ? Number(held.ends?.N) : ends)),
                  ...(isLive ? { ":value": number(value) } : { ":now": number(now) }),
                },
              }),
              { abortSignal },
            ),
          );
          return { allowed: true, value: sum };
        } catch (error) {
          if (!(error instanceof ConditionFailed)) throw error;
        }
      }
    },

    async list(index, value, cursor) {
      checkText("index hint", value);
      let after = keyBefore(cursor);
      const keys: string[] = [];
      // One more than a page tells whether there is another.
      for (let more = true; more && keys.length <= pageSize; ) {
        const found = await hintsAfter(index, value, after);
        more = found.more;
        for (let at = 0; at < found.keys.length; at += readsAtOnce) {
          const some = found.keys.slice(at, at + readsAtOnce);
          const items = await Promise.all(some.map((key) => read(entryKey(key))));
          keys.push(...some.filter((_, n) => live(items[n], clock) && items[n]?.[index]?.S === value));
        }
        after = found.keys.at(-1) ?? after;
      }
      const page = keys.slice(0, pageSize);
      const last = page.at(-1);
      return keys.length > pageSize && last !== undefined ? { keys: page, cursor: cursorAfter(last) } : { keys: page };
    },

    async scan(cursor) {
      const after = keyBefore(cursor);
      const page = await ask(true, (abortSignal) =>
        client.send(
          new sdk.ScanCommand({
            TableName,
            FilterExpression: "begins_with(pk, :entries)",
            ExpressionAttributeValues: { ":entries": { S: "e:" } },
            ProjectionExpression: "pk",
            ...(after === "" ? {} : { ExclusiveStartKey: startKey(after) }),
          }),
          { abortSignal },
        ),
      );
      const keys = (page.Items ?? []).flatMap(({ pk }) => (pk?.S === undefined ? [] : [pk.S.slice("e:".length)]));
      const { pk, sk } = page.LastEvaluatedKey ?? {};
      return pk?.S === undefined ? { keys } : { keys, cursor: cursorAfter(JSON.stringify([pk.S, sk?.S])) };
    },

    async problems() {
      try {
        const { Table } = await ask(true, (abortSignal) =>
          client.send(new sdk.DescribeTableCommand({ TableName }), { abortSignal }),
        );
        const schema = (Table?.KeySchema ?? []).map(({ AttributeName, KeyType }) => `${AttributeName} ${KeyType}`);
        if (schema.join() === "pk HASH,sk RANGE") return [];
        return [`the table ${TableName} has other keys than pk and sk; let \`sallyport store init\` make one`];
      } catch (error) {
        const name = error instanceof StoreUnavailable && error.cause instanceof Error ? error.cause.name : "";
        if (name === "ResourceNotFoundException")
          return [`there is no table ${TableName}; run \`sallyport store init\``];
        // Whoever may use the table need not be allowed to describe it.
        if (name === "AccessDeniedException") return [];
        throw error;
      }
    },

    async close() {
      if (closed) return;
      closed = true;
      client.destroy();
    },
  };

  async function hintsAfter(
    index: IndexName,
    value: string,
    after: string,
  ): Promise<{ readonly keys: readonly string[]; readonly more: boolean }> {
    const page = await ask(true, (abortSignal) =>
      client.send(
        new sdk.QueryCommand({
          TableName,
          KeyConditionExpression: after === "" ? "pk = :pk" : "pk = :pk AND sk > :after",
          ExpressionAttributeValues: {
            ":pk": { S: `${index}:${value}` },
            ...(after === "" ? {} : { ":after": { S: after } }),
          },
          Limit: pageSize,
        }),
        { abortSignal },
      ),
    );
    const keys = (page.Items ?? []).flatMap(({ sk }) => (sk?.S === undefined ? [] : [sk.S]));
    return { keys, more: page.LastEvaluatedKey !== undefined };
  }
}

function startKey(cursor: string): Item {
  const [pk, sk]: unknown[] = JSON.parse(cursor);
  if (typeof pk !== "string" || typeof sk !== "string") throw new RangeError("store: the cursor is not one of a scan");
  return { pk: { S: pk }, sk: { S: sk } };
}

const number = (value: number): AttributeValue => ({ N: String(value) });

const secondsAfter = (ends: number): number => Math.ceil(ends / 1000) + margin;

function live(item: Item | undefined, clock: Clock): Entry | undefined {
  if (item === undefined) return undefined;
  const { value, version, ends } = item;
  if (value?.S === undefined || version?.S === undefined || ends?.N === undefined) {
    throw new StoreUnavailable("DynamoDB holds an entry in another form.");
  }
  if (Number(ends.N) <= clock.now()) return undefined;
  return { value: value.S, version: version.S, expiresAt: Number(ends.N) };
}
