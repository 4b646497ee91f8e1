import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gatewaySection } from "@sallyport/gateway";
import {
  checkStore,
  combine,
  coreSection,
  deriveRootKeys,
  type KeyManagement,
  keyManagement,
  loadConfig,
  noAudit,
  openStore,
  rotationPolicy,
  silentLogger,
  systemRandom,
} from "sallyport";
import { expect } from "vitest";
import { parseHandleToken } from "../../packages/core/src/grants/index.ts";
import { type Grant, grantKind, recordCodec } from "../../packages/core/src/records/index.ts";
import type { CrashPoint } from "../support/crash-store.ts";
import { freePort, startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { startRedis } from "../support/redis-server.ts";
import { type Replica, startReplica } from "../support/replica.ts";

/** How long a signing key signs, and is published before: an hour of a test's clock is soon over. */
const rotation = { rotateEvery: "1h", publishBefore: "10m" };

/** One gateway that is killed and started again, and a look into its store from outside. */
export interface Lane {
  /** Its public URL. */
  readonly url: string;
  readonly env: TestEnvironment;
  readonly keys: KeyManagement;
  /** The process that runs now. */
  gateway(): Replica;
  /** Starts it again; rejects where it is to be killed while it starts. */
  start(crash?: CrashPoint): Promise<void>;
  /** Lets time pass for everyone. */
  advance(ms: number): Promise<void>;
  /** The grants of a client, as they are stored. */
  grantsOf(clientId: string): Promise<readonly Grant[]>;
  /** The hash by which a grant knows a refresh token. */
  hashOf(token: string): string | undefined;
  /** Every invariant of the store holds. */
  expectSound(): Promise<void>;
  close(): Promise<void>;
}

/** @param place the URL of a store that processes can share, and how to be rid of it */
export async function openLane(place: { readonly store: string; close(): Promise<void> }): Promise<Lane> {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const env = await startEnvironment({
    pool: (pool) => ({
      ...pool,
      clients: (pool.clients ?? []).map((client) =>
        client.callbackUrls === undefined
          ? client
          : { ...client, callbackUrls: [...client.callbackUrls, `${url}/auth/callback`] },
      ),
    }),
  });
  const secret = [...(env.settings.secret ?? []), "an older root secret, still read by every replica"];
  const settings = { ...env.settings, baseUrl: url, secret, store: place.store, keys: rotation };
  const rootKeys = deriveRootKeys(secret);
  const deps = { clock: env.clock, random: systemRandom, logger: silentLogger };
  const store = await openStore(place.store, deps);
  const schema = combine([coreSection, gatewaySection]);
  const policy = rotationPolicy((await loadConfig({ schema, env: {}, overrides: settings })).config);
  const keys = keyManagement({ ...deps, store, keys: rootKeys, policy, audit: noAudit });
  const codec = recordCodec(grantKind, { keys: rootKeys, random: systemRandom });
  let offset = 0;
  let gateway: Replica | undefined;

  const running = (): Replica => {
    if (!gateway) throw new Error("the gateway was not started");
    return gateway;
  };

  return {
    url,
    env,
    keys,
    gateway: running,
    async start(crash) {
      gateway = await startReplica(settings, {
        port,
        clockOffset: offset,
        outlivesTest: true,
        ...(crash ? { crash } : {}),
      });
    },
    async advance(ms) {
      offset += ms;
      env.clock.advance(ms);
      await running().advance(ms);
    },
    async grantsOf(clientId) {
      const found: Grant[] = [];
      for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
        const page = await store.scan(cursor);
        for (const key of page.keys.filter((name) => name.startsWith("grant:"))) {
          const entry = await store.get(key);
          if (entry) found.push((await codec.decode(key, entry.value)).value);
        }
        cursor = page.cursor;
      }
      return found.filter((grant) => grant.clientId === clientId);
    },
    hashOf: (token) => parseHandleToken(token, rootKeys)?.hash,
    async expectSound() {
      const { faults } = await checkStore({ ...deps, store, keys: rootKeys });
      expect(faults).toEqual([]);
    },
    async close() {
      await gateway?.kill();
      await store.close();
      await place.close();
      await env.close();
    },
  };
}

/** A new place for a store on SQLite. */
export async function sqlitePlace() {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-crashes-"));
  return { store: `sqlite:${join(folder, "store.db")}`, close: () => rm(folder, { recursive: true, force: true }) };
}

/** A new place for a store on a redis-server of its own. */
export async function redisPlace() {
  const redis = await startRedis();
  return { store: redis.url, close: () => redis.close() };
}
