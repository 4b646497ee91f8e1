import { dynamoClient, loadDynamoDb, parseDynamoUrl } from "./dynamodb-client.ts";

/** How often it is looked whether a new table is ready, ms, and how often at most. */
const pause = 1_000;
const mostLooks = 60;

/**
 * Makes the table of a `dynamodb:` store where there is none: keys `pk` and `sk`, billed by request, encrypted by AWS.
 * Rejects with the SDK's own error where that is not allowed.
 * @returns whether it was made now
 */
export async function createDynamoTable(url: string, sleep: (ms: number) => Promise<void>): Promise<boolean> {
  const address = parseDynamoUrl(url);
  const { table: TableName } = address;
  const sdk = await loadDynamoDb();
  const client = dynamoClient(sdk, address);
  try {
    await client.send(
      new sdk.CreateTableCommand({
        TableName,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [
          { AttributeName: "pk", AttributeType: "S" },
          { AttributeName: "sk", AttributeType: "S" },
        ],
        KeySchema: [
          { AttributeName: "pk", KeyType: "HASH" },
          { AttributeName: "sk", KeyType: "RANGE" },
        ],
      }),
    );
    for (let look = 0; look < mostLooks; look += 1) {
      const { Table } = await client.send(new sdk.DescribeTableCommand({ TableName }));
      if (Table?.TableStatus === "ACTIVE") return true;
      await sleep(pause);
    }
    throw new Error(
      `store: the table ${TableName} was made but is not ready after a minute; look at it in the console`,
    );
  } catch (error) {
    if (error instanceof Error && error.name === "ResourceInUseException") return false;
    throw error;
  } finally {
    client.destroy();
  }
}

/**
 * Turns on the table's time to live, which removes what is over.
 * @returns whether it was turned on now
 */
export async function enableDynamoTimeToLive(url: string): Promise<boolean> {
  const address = parseDynamoUrl(url);
  const { table: TableName } = address;
  const sdk = await loadDynamoDb();
  const client = dynamoClient(sdk, address);
  try {
    const { TimeToLiveDescription: now } = await client.send(new sdk.DescribeTimeToLiveCommand({ TableName }));
    if (now?.TimeToLiveStatus === "ENABLED" || now?.TimeToLiveStatus === "ENABLING") return false;
    const TimeToLiveSpecification = { AttributeName: "ttl", Enabled: true };
    await client.send(new sdk.UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
    return true;
  } finally {
    client.destroy();
  }
}
