import type { Cluster, Redis } from "ioredis";
import { type Logger, withDeadline } from "../runtime/index.ts";
import type { RedisPlace } from "./redis-url.ts";
import { StoreUnavailable } from "./store.ts";

export type RedisClient = Redis | Cluster;

/** How long one command may take, and one attempt to connect, ms. */
const commandTimeout = 2_000;
const connectTimeout = 3_000;
/**
 * A server that was asked and says nothing for so long loses its connection, ms: what waits for it is dropped, and what
 * comes is refused at once, until there is a connection again.
 */
const socketTimeout = 2_500;
const longestPause = 2_000;
/**
 * How long the first connection may take with all its hops, ms. ioredis alone would wait for ever for a cluster whose
 * servers announce addresses that nobody can reach.
 */
const openingTimeout = 5_000;

/**
 * Connects, and keeps connecting anew with growing pauses. While there is no connection every command is refused at once
 * instead of waiting; one that was under way when the connection broke is not sent again, since it may have had its
 * effect.
 * @param isClosing whether the end of the connection is wanted, and nothing to warn of
 * Rejects with StoreUnavailable if there is no answer at the start.
 */
export async function connectRedis(place: RedisPlace, logger: Logger, isClosing: () => boolean): Promise<RedisClient> {
  const { Redis, Cluster } = await loadIoredis();
  const retryStrategy = (times: number): number => Math.min(50 * 2 ** Math.min(times, 10), longestPause);
  const times = { commandTimeout, connectTimeout, socketTimeout };
  const limits = { ...times, disableClientInfo: true, autoResendUnfulfilledCommands: false };
  const always = { ...limits, retryStrategy, lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: 0 };
  const connect = (): RedisClient => {
    switch (place.kind) {
      case "single":
        return new Redis({ ...always, ...place.login, host: place.host, port: place.port, db: place.db });
      case "sentinel": {
        const tls = place.login.tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {};
        const { sentinels, master: name } = place;
        const asking = { sentinelRetryStrategy: retryStrategy, sentinelCommandTimeout: commandTimeout };
        return new Redis({ ...always, ...place.login, ...tls, ...asking, sentinels, name });
      }
      case "cluster":
        return new Cluster(place.nodes, {
          redisOptions: { ...limits, ...place.login },
          clusterRetryStrategy: retryStrategy,
          enableOfflineQueue: false,
          lazyConnect: true,
        });
    }
  };
  const client = connect();
  let state: "new" | "up" | "down" = "new";
  let lastError: unknown;
  client.on("ready", () => {
    if (state === "down") logger.info("Redis answers again");
    state = "up";
  });
  // Without a listener an error would end the process; each is followed by another attempt.
  client.on("error", (error: unknown) => {
    lastError = error;
  });
  // Once for each outage, not for each attempt.
  client.on("close", () => {
    if (state === "up" && !isClosing())
      logger.warn("the connection to Redis is gone; it is tried again", { error: nameOf(lastError) });
    state = state === "up" ? "down" : state;
  });
  try {
    await withDeadline(openingTimeout, () => client.connect());
  } catch (error) {
    client.disconnect();
    throw unavailable(lastError ?? error);
  }
  return client;
}

async function loadIoredis(): Promise<Pick<typeof import("ioredis"), "Redis" | "Cluster">> {
  try {
    return await import("ioredis");
  } catch (cause) {
    throw new Error('store: a "redis" store needs the package ioredis; install it: npm install ioredis', { cause });
  }
}

/** What an error of the client means. Its message may repeat arguments, so only its code is taken over. */
export function unavailable(error: unknown): StoreUnavailable {
  return new StoreUnavailable(`Redis did not serve a request (${nameOf(error)}).`, { cause: error });
}

/** A system's code (ECONNREFUSED), the first word of Redis's own answer (OOM, READONLY, LOADING), or the kind of error. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if ("code" in error && typeof error.code === "string") return error.code;
  const word = /^([A-Z]{2,32})\b/.exec(error.message)?.[1];
  if (word !== undefined) return word;
  if (
    error.name === "TimeoutError" ||
    error.message === "Command timed out" ||
    error.message.startsWith("Socket timeout")
  )
    return "timeout";
  return error.message.startsWith("Connection is closed") || error.message.startsWith("Stream isn't writeable")
    ? "no connection"
    : error.name;
}
