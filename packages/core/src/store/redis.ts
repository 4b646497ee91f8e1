import type { Clock, ClockWatch, Logger, Random } from "../runtime/index.ts";
import { checkCount, checkHints, checkText, expiryOf } from "./check-arguments.ts";
import { newVersion } from "./entry-version.ts";
import { hintMemory } from "./hint-memory.ts";
import { cursorAfter, keyBefore, pageSize } from "./list-cursor.ts";
import { connectRedis, unavailable } from "./redis-connection.ts";
import * as scripts from "./redis-scripts.ts";
import { parseRedisUrl } from "./redis-url.ts";
import type { Entry, IndexHints, IndexName, Store } from "./store.ts";
import { StoreUnavailable } from "./store.ts";

/** Redis keeps everything so much longer than it lasts, ms: its clock and ours may differ. */
const margin = 60_000;
/** How long a write waits for a copy to confirm it, ms. */
const longestConfirmation = 1_000;
/** How often the server's clock is read, ms. */
const clockHolds = 10_000;
/** How long it is remembered whether there are copies, ms. */
const rolesHold = 10_000;

/**
 * A store in Redis 7 or what speaks its protocol (Valkey), for several replicas: a single server, one behind Sentinel, or
 * a Cluster. Every operation concerns one key. Atomic by: `SET` (put), `GETDEL` (take), Lua scripts on one key (put with
 * `ifAbsent`, swap, count). Hints are sorted sets of their own, written before the record.
 *
 * Redis copies to its replicas after it has answered: a failover may lose the last moments. Writes with `replicated` are
 * confirmed by one copy first (`WAIT 1`) where there are copies.
 * @param options.url see {@link parseRedisUrl}
 */
export async function redisStore(options: {
  readonly url: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Told the time by the server's clock. */
  readonly sawTime?: ClockWatch["saw"] | undefined;
}): Promise<Store> {
  const { clock, random, logger } = options;
  const { place, prefix } = parseRedisUrl(options.url);
  let closed = false;
  const client = await connectRedis(place, logger, () => closed);
  const hints = hintMemory();
  let roles: { readonly at: number; readonly replicas: number } | undefined;

  let clockReadAt = Number.NEGATIVE_INFINITY;
  const readClock = async (): Promise<void> => {
    const askedAt = clock.monotonic();
    clockReadAt = askedAt;
    const [seconds, micros] = await client.time();
    options.sawTime?.(Number(seconds) * 1000 + Number(micros) / 1000, askedAt);
  };
  // Known before anything is judged by the clock. A user who may not ask TIME has a store all the same.
  if (options.sawTime) await readClock().catch(() => {});

  /** Runs commands; whatever they fail with becomes StoreUnavailable. */
  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    if (closed) throw new StoreUnavailable("The Redis store is closed.");
    if (options.sawTime && clock.monotonic() - clockReadAt >= clockHolds) {
      // Beside the work, which does not wait for it.
      readClock().catch(() => {});
    }
    try {
      return await work();
    } catch (error) {
      throw error instanceof StoreUnavailable ? error : unavailable(error);
    }
  };

  const run = (script: scripts.RedisScript, key: string, ...args: (string | number)[]): Promise<unknown> =>
    ask(async () => {
      try {
        return await client.evalsha(script.sha, 1, key, ...args);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
        return await client.eval(script.lua, 1, key, ...args);
      }
    });

  const entryKey = (key: string): string => `${prefix}e:${key}`;
  const hintKey = (index: IndexName, value: string): string => `${prefix}${index}:${value}`;

  const writeHints = async (key: string, index: IndexHints, expiresAt: number, ttl: number): Promise<void> => {
    // At once: a grant that this process has not met for a while costs one round trip more, not two.
    const writes = hints.due(key, index, expiresAt, ttl).map(async (hint) => {
      const now = clock.now();
      const end = hint.expiresAt;
      await run(scripts.hint, hintKey(hint.index, hint.value), now, end, key, end - now + margin);
      hints.written(hint);
    });
    await Promise.all(writes);
  };

  /** Whether the server of a key has copies. */
  const hasReplicas = async (key: string): Promise<boolean> => {
    const now = clock.monotonic();
    if (roles === undefined || now - roles.at >= rolesHold) {
      // The read only says which server of a cluster is meant.
      const answers = await ask(() => client.pipeline([["exists", key], ["role"]]).exec());
      const role = answers?.[1]?.[1];
      const copies: unknown = Array.isArray(role) && role[0] === "master" ? role[2] : [];
      roles = { at: now, replicas: Array.isArray(copies) ? copies.length : 0 };
    }
    return roles.replicas > 0;
  };

  const setAndConfirm = async (key: string, text: string, timeToLive: number): Promise<void> => {
    const answers = await ask(() =>
      client
        .pipeline([
          ["set", key, text, "PX", String(timeToLive)],
          ["wait", "1", String(longestConfirmation)],
        ])
        .exec(),
    );
    const [written, confirmed] = answers ?? [];
    if (written?.[0]) throw unavailable(written[0]);
    if (typeof confirmed?.[1] !== "number" || confirmed[1] < 1) {
      throw new StoreUnavailable("Redis has written, but no copy has confirmed it.");
    }
  };

  return {
    async get(key) {
      checkText("key", key);
      return live(await ask(() => client.get(entryKey(key))), clock);
    },

    async put(key, value, { ttl, ifAbsent = false, index = {}, replicated = false }) {
      checkText("key", key);
      checkText("value", value);
      checkHints(index);
      const expiresAt = expiryOf(clock, ttl);
      const text = encode({ value, version: newVersion(random), expiresAt }, index);
      const timeToLive = expiresAt - clock.now() + margin;
      await writeHints(key, index, expiresAt, ttl);
      if (ifAbsent) return (await run(scripts.putIfAbsent, entryKey(key), clock.now(), timeToLive, text)) === 1;
      if (replicated && (await hasReplicas(entryKey(key)))) await setAndConfirm(entryKey(key), text, timeToLive);
      else await ask(() => client.set(entryKey(key), text, "PX", timeToLive));
      return true;
    },

    async take(key) {
      checkText("key", key);
      return live(await ask(() => client.getdel(entryKey(key))), clock);
    },

    async swap(key, expectedVersion, value, { ttl, index = {} }) {
      checkText("key", key);
      checkText("value", value);
      checkHints(index);
      const expiresAt = expiryOf(clock, ttl);
      const text = encode({ value, version: newVersion(random), expiresAt }, index);
      await writeHints(key, index, expiresAt, ttl);
      const now = clock.now();
      return (await run(scripts.swap, entryKey(key), now, expectedVersion, expiresAt - now + margin, text)) === 1;
    },

    async delete(key) {
      checkText("key", key);
      await ask(() => client.del(entryKey(key)));
    },

    async count(key, by, { ttl, limit }) {
      checkText("key", key);
      checkCount(by, limit);
      const ends = expiryOf(clock, ttl);
      const answer = await run(scripts.count, `${prefix}c:${key}`, clock.now(), by, limit ?? "", ends, margin);
      const [allowed, value]: unknown[] = Array.isArray(answer) ? answer : [];
      if (typeof value !== "number") throw new StoreUnavailable("Redis answered something that is no counter.");
      return { allowed: allowed === 1, value };
    },

    async list(index, value, cursor) {
      checkText("index hint", value);
      const after = readCursor(cursor);
      const now = clock.now();
      const keys: { readonly key: string; readonly score: string }[] = [];
      // One more than a page tells whether there is another.
      for (let offset = 0; keys.length <= pageSize; offset += pageSize) {
        const from = Math.max(after.score, now);
        const raw = await ask(() =>
          client.zrange(
            hintKey(index, value),
            String(from),
            "+inf",
            "BYSCORE",
            "LIMIT",
            offset,
            pageSize,
            "WITHSCORES",
          ),
        );
        const found = raw.flatMap((key, at) => (at % 2 === 0 ? [{ key, score: raw[at + 1] ?? "0" }] : []));
        const further = found.filter(({ key, score }) => Number(score) > after.score || isAfter(key, after.key));
        const held = await Promise.all(further.map(({ key }) => ask(() => client.get(entryKey(key)))));
        keys.push(...further.filter((_, at) => live(held[at] ?? null, clock) && hintsOf(held[at])?.[index] === value));
        if (found.length < pageSize) break;
      }
      const page = keys.slice(0, pageSize);
      const last = page.at(-1);
      const names = page.map(({ key }) => key);
      return keys.length > pageSize && last !== undefined
        ? { keys: names, cursor: cursorAfter(`${last.score} ${last.key}`) }
        : { keys: names };
    },

    async scan(cursor) {
      const [, at = "0", position = "0"] = /^(\d+) (\d+)$/.exec(keyBefore(cursor)) ?? [];
      const nodes = client instanceof Object && "nodes" in client ? client.nodes("master") : [client];
      const node = nodes[Number(at)];
      if (!node) return { keys: [] };
      const start = `${prefix}e:`;
      // A pattern: what could be a wildcard in the prefix is not allowed there.
      const [next, found] = await ask(() => node.scan(position, "MATCH", `${start}*`, "COUNT", 500));
      const keys = found.map((key) => key.slice(start.length));
      if (next !== "0") return { keys, cursor: cursorAfter(`${at} ${next}`) };
      return Number(at) + 1 < nodes.length ? { keys, cursor: cursorAfter(`${Number(at) + 1} 0`) } : { keys };
    },

    async problems() {
      // Managed servers refuse CONFIG; INFO tells the same.
      const info = await ask(() => client.info("memory")).catch((error: unknown) => {
        // Whoever may use the keys need not be allowed to ask about the server.
        if (error instanceof StoreUnavailable && isRefusal(error.cause)) return "";
        throw error;
      });
      const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
      if (policy === undefined || policy === "noeviction") return [];
      return [
        `Redis has maxmemory-policy ${policy} and may drop live records; set it to noeviction (CONFIG SET maxmemory-policy noeviction)`,
      ];
    },

    async close() {
      if (closed) return;
      closed = true;
      client.disconnect();
    },
  };
}

const isRefusal = (error: unknown): boolean => error instanceof Error && error.message.startsWith("NOPERM");

const hintText = (hint: string | undefined): string =>
  hint === undefined ? "-" : `=${Buffer.from(hint, "utf8").toString("base64url")}`;

const encode = ({ value, version, expiresAt }: Entry, index: IndexHints): string =>
  `${version} ${expiresAt} ${hintText(index.user)} ${hintText(index.client)}\n${value}`;

const head = /^(\S+) (\d+) (\S+) (\S+)$/;

/** The entry in what Redis holds, unless it is over. */
function live(text: string | null, clock: Clock): Entry | undefined {
  if (text === null) return undefined;
  const end = text.indexOf("\n");
  const [, version, expiresAt] = head.exec(text.slice(0, end)) ?? [];
  if (version === undefined || expiresAt === undefined)
    throw new StoreUnavailable("Redis holds an entry in another form.");
  if (Number(expiresAt) <= clock.now()) return undefined;
  return { value: text.slice(end + 1), version, expiresAt: Number(expiresAt) };
}

function hintsOf(text: string | null | undefined): IndexHints | undefined {
  const [, , , user = "-", client = "-"] = head.exec((text ?? "").split("\n", 1)[0] ?? "") ?? [];
  const read = (hint: string) => Buffer.from(hint.slice(1), "base64url").toString("utf8");
  return { ...(user === "-" ? {} : { user: read(user) }), ...(client === "-" ? {} : { client: read(client) }) };
}

/** Redis orders members of one score by their bytes. */
const isAfter = (key: string, other: string): boolean => Buffer.compare(Buffer.from(key), Buffer.from(other)) > 0;

function readCursor(cursor: string | undefined): { readonly score: number; readonly key: string } {
  const text = keyBefore(cursor);
  if (text === "") return { score: 0, key: "" };
  const [, score, key] = /^(\d+) (.+)$/s.exec(text) ?? [];
  if (score === undefined || key === undefined) {
    throw new RangeError("store: the cursor is not one that a page of this store gave; start again without it");
  }
  return { score: Number(score), key };
}
