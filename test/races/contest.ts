import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDynamoTable } from "sallyport";
import { afterAll } from "vitest";
import { type ClientKeys, clientKeys } from "../support/client-keys.ts";
import { startDynamo } from "../support/dynamo-server.ts";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { startRedis } from "../support/redis-server.ts";
import { type Replica, startReplica } from "../support/replica.ts";

export const contenders = 100;

/** Gateways on one store, of one public URL and one Cognito. */
export interface Contest {
  readonly env: TestEnvironment;
  /** Id and keys of a machine that signs in by assertions. */
  readonly robot: { readonly id: string; readonly keys: ClientKeys };
  /**
   * The same request a hundred times at once, by turns to so many gateways as the round says: all, one fewer, …, one,
   * all.
   */
  contend(round: number, send: (gatewayUrl: string) => Promise<Response>): Promise<Response[]>;
  /** Lets time pass everywhere. */
  advance(ms: number): Promise<void>;
}

/** Over the store of this process's gateway alone. */
export const inOneProcess = (): Promise<Contest> => start("memory:", 0);

/** @param processes how many gateways there are at most */
export async function overSqlite(processes: number): Promise<Contest> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-races-"));
  afterwards(() => rm(folder, { recursive: true, force: true }));
  return start(`sqlite:${join(folder, "store.db")}`, processes);
}

/** @param processes as {@link overSqlite} */
export async function overRedis(processes: number): Promise<Contest> {
  const redis = await startRedis();
  afterwards(() => redis.close());
  return start(redis.url, processes);
}

/** @param processes as {@link overSqlite} */
export async function overDynamo(processes: number): Promise<Contest> {
  const dynamo = await startDynamo();
  afterwards(() => dynamo.close());
  const url = dynamo.url("races");
  await createDynamoTable(url, async () => {});
  return start(url, processes);
}

const cleanUps: (() => Promise<unknown>)[] = [];
const afterwards = (cleanUp: () => Promise<unknown>): void => void cleanUps.push(cleanUp);
afterAll(async () => {
  for (let next = cleanUps.pop(); next; next = cleanUps.pop()) await next();
});

/** Nobody is to be stopped by a limit here: a hundred at once are far more than one client sends. */
const noLimit = 1_000_000_000;

async function start(store: string, processes: number): Promise<Contest> {
  const robot = { id: "robot", keys: clientKeys() };
  const env = await startEnvironment({
    store,
    change: (settings) => ({
      ...settings,
      machines: { ...settings.machines, [robot.id]: { scopes: ["mcp/read"], jwks: { keys: [robot.keys.jwk] } } },
      limits: {
        register: noLimit,
        authorize: noLimit,
        consent: noLimit,
        token: noLimit,
        failedClientAuth: noLimit,
        client: noLimit,
        principal: noLimit,
      },
    }),
  });
  afterwards(() => env.close());
  const replicas: Replica[] = await Promise.all(Array.from({ length: processes }, () => startReplica(env.settings)));
  afterwards(() => Promise.all(replicas.map((replica) => replica.close())));
  const urls = processes === 0 ? [env.url] : replicas.map(({ url }) => url);
  return {
    env,
    robot,
    contend(round, send) {
      const used = urls.slice(round % urls.length);
      return Promise.all(Array.from({ length: contenders }, (_, n) => send(used[n % used.length] ?? env.url)));
    },
    async advance(ms) {
      env.clock.advance(ms);
      await Promise.all(replicas.map((replica) => replica.advance(ms)));
    },
  };
}
