import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { z } from "zod";
import { type Clock, type ClockWatch, type Random, withDeadline } from "../runtime/index.ts";
import { StoreUnavailable } from "./store.ts";

export type DynamoDb = typeof import("@aws-sdk/client-dynamodb");

/** How long an operation may take with all its repeats, and one attempt of it, ms. */
const deadline = 3_000;
const attemptTime = 1_000;
const firstPause = 25;

/** A condition did not hold. `doubtful`: an earlier attempt of this very request may have been the one that broke it. */
export class ConditionFailed extends Error {
  override readonly name = "ConditionFailed";
  readonly doubtful: boolean;
  constructor(doubtful: boolean) {
    super("a condition did not hold");
    this.doubtful = doubtful;
  }
}

/** Which table, where. */
export interface DynamoAddress {
  readonly table: string;
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
}

/**
 * Reads `dynamodb://table?region=eu-central-1`. Without a region the AWS SDK's own settings count; `endpoint` is for a
 * local stand-in.
 * @throws Error that says what is wrong
 */
export function parseDynamoUrl(url: string): DynamoAddress {
  const [, table, query = ""] = /^dynamodb:\/\/([A-Za-z0-9_.-]{3,255})\/?(?:\?([^#]*))?$/.exec(url) ?? [];
  if (table === undefined)
    throw new Error("store: the setting is not the URL of a table; write dynamodb://table?region=eu-central-1");
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (name !== "region" && name !== "endpoint")
      throw new Error("store: the table's URL has an unknown option; there are region and endpoint");
  }
  return { table, region: parameters.get("region") ?? undefined, endpoint: parameters.get("endpoint") ?? undefined };
}

/** Loads the SDK at its first use: whoever keeps state elsewhere does not need it. */
export async function loadDynamoDb(): Promise<DynamoDb> {
  try {
    return await import("@aws-sdk/client-dynamodb");
  } catch (cause) {
    throw new Error('store: a "dynamodb" store needs the AWS SDK; install it: npm install @aws-sdk/client-dynamodb', {
      cause,
    });
  }
}

/** The SDK's client, without its own repeats: whether a request may be repeated depends on what it does. */
export function dynamoClient(sdk: DynamoDb, { region, endpoint }: DynamoAddress): DynamoDBClient {
  return new sdk.DynamoDBClient({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: 1,
    // Without the last, what takes longer is a line on the console and goes on.
    requestHandler: { requestTimeout: attemptTime, connectionTimeout: attemptTime, throwOnRequestTimeout: true },
  });
}

/** Tells what time each answer names, with when it was asked for. */
export function watchDates(client: DynamoDBClient, clock: Pick<Clock, "monotonic">, saw: ClockWatch["saw"]): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const askedAt = clock.monotonic();
      const result = await next(args);
      const date = answered.safeParse(result.response).data?.headers.date;
      const time = Date.parse(date ?? "");
      // The middle of the second that it names.
      if (!Number.isNaN(time)) saw(time + 500, askedAt);
      return result;
    },
    // Next to the wire, where an error is an answer still.
    { step: "deserialize", priority: "low" },
  );
}

const answered = z.object({ headers: z.object({ date: z.string() }) });

/**
 * Sends a request, and again with growing, random pauses until a deadline. A throttled request had no effect and is always
 * repeated; one whose outcome is unknown only if it is repeatable.
 * Rejects with ConditionFailed or StoreUnavailable.
 */
export async function persist<T>(
  deps: { readonly clock: Clock; readonly random: Random },
  request: { readonly repeatable: boolean; readonly send: (signal: AbortSignal) => Promise<T> },
): Promise<T> {
  const { clock, random } = deps;
  const start = clock.monotonic();
  let doubtful = false;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await withDeadline(attemptTime, request.send);
    } catch (error) {
      const kind = kindOf(error);
      if (kind === "condition") throw new ConditionFailed(doubtful);
      if (kind === "refused" || (kind === "unknown" && !request.repeatable)) throw unavailable(error);
      doubtful ||= kind === "unknown";
      const pause = firstPause * 2 ** Math.min(attempt, 5) * (0.5 + random.fraction());
      if (clock.monotonic() - start + pause > deadline) throw unavailable(error);
      // The clock's sleep keeps no process alive; a command that waits for its store must not end meanwhile.
      const alive = setInterval(() => {}, 60_000);
      await clock.sleep(pause).finally(() => clearInterval(alive));
    }
  }
}

const throttled = new Set([
  "ProvisionedThroughputExceededException",
  "ThrottlingException",
  "RequestLimitExceeded",
  "LimitExceededException",
]);

/** `unknown`: the request may have had its effect. `refused`: it cannot have had one, and would not if repeated. */
function kindOf(error: unknown): "condition" | "throttled" | "refused" | "unknown" {
  if (!(error instanceof Error)) return "unknown";
  if (error.name === "ConditionalCheckFailedException") return "condition";
  if (throttled.has(error.name)) return "throttled";
  if ("$fault" in error && error.$fault === "client") return "refused";
  return "unknown";
}

/** The SDK's messages may repeat a key, so only the error's name is taken over. */
const unavailable = (error: unknown): StoreUnavailable =>
  new StoreUnavailable(`DynamoDB did not serve a request (${error instanceof Error ? error.name : "unknown"}).`, {
    cause: error,
  });
