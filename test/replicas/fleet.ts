import { createDynamoTable } from "sallyport";
import { describe } from "vitest";
import { createWalker, type Walker } from "../support/browser-walk.ts";
import { startDynamo } from "../support/dynamo-server.ts";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { describeWithRedis, startRedis } from "../support/redis-server.ts";
import { type Replica, startReplica } from "../support/replica.ts";

type Settings = TestEnvironment["settings"];

/** Several gateways over one store, behind one public URL. */
export interface Fleet {
  readonly env: TestEnvironment;
  readonly replicas: readonly Replica[];
  /** The replica of a number, from 1. */
  replica(number: number): Replica;
  /** Sends a request for the public URL to a replica, as a load balancer does; any other goes where it says. */
  fetchAt(number: number): (url: string | URL, init?: RequestInit) => Promise<Response>;
  /** A browser whose requests for the public URL go to the replica that `at` names at the time. */
  browser(at: () => number): Walker;
  /** One more gateway, with clocks as the others' now; it ends with the running test. */
  another(settingsOf?: (settings: Settings) => Settings): Promise<Replica>;
  /** Lets time pass everywhere. */
  advance(ms: number): Promise<void>;
  /** Calls to Cognito that renewed a sign-in. */
  renewals(): number;
  close(): Promise<void>;
}

/** @param options.clockOffsets how far the clocks of each are ahead, ms: they learn so from their store */
export async function startFleet(
  store: string,
  size: number,
  options: { readonly clockOffsets?: readonly number[] } = {},
): Promise<Fleet> {
  const { clockOffsets } = options;
  // Of this one only Cognito and the servers are used: nobody may count on a process that is not of the fleet.
  const env = await startEnvironment();
  const shared = { ...env.settings, store };
  const replicas = await Promise.all(
    Array.from({ length: size }, (_, index) =>
      startReplica(shared, {
        outlivesTest: true,
        ...(clockOffsets ? { clockOffset: clockOffsets[index] ?? 0, storeClock: true } : {}),
      }),
    ),
  );
  const replica = (number: number): Replica => {
    const found = replicas[number - 1];
    if (!found) throw new Error(`there is no replica ${number}`);
    return found;
  };
  const joined: Replica[] = [];
  let passed = 0;
  const { host, origin } = new URL(env.url);
  const fetchAt: Fleet["fetchAt"] = (number) => (url, init) => {
    const target = new URL(url);
    if (target.origin !== origin) return fetch(target, init);
    const headers = new Headers(init?.headers);
    headers.set("host", host);
    return fetch(new URL(target.pathname + target.search, replica(number).url), { ...init, headers });
  };
  return {
    env,
    replicas,
    replica,
    fetchAt,
    browser: (at) => createWalker([], (url, init) => fetchAt(at())(url, init)),
    async another(settingsOf = (settings) => settings) {
      const started = await startReplica(settingsOf(shared), { clockOffset: passed });
      joined.push(started);
      return started;
    },
    async advance(ms) {
      passed += ms;
      env.clock.advance(ms);
      const running = [...replicas, ...joined].filter((each) => each.process.child.exitCode === null);
      await Promise.all(
        running.filter((each) => each.process.child.signalCode === null).map((each) => each.advance(ms)),
      );
    },
    renewals: () =>
      env.cognito.requests.filter(({ path, grantType }) => path === "/oauth2/token" && grantType === "refresh_token")
        .length,
    async close() {
      await Promise.all(replicas.map((each) => each.kill()));
      await env.close();
    },
  };
}

/** A store that several machines can share, empty. */
export interface SharedStore {
  readonly url: string;
  close(): Promise<void>;
}

async function redis(): Promise<SharedStore> {
  const server = await startRedis();
  return { url: server.url, close: server.close };
}

async function dynamodb(): Promise<SharedStore> {
  const server = await startDynamo();
  const url = server.url("sallyport");
  await createDynamoTable(url, async () => {});
  return { url, close: server.close };
}

/** A suite over each store that several machines can share. */
export function overSharedStores(title: string, suite: (open: () => Promise<SharedStore>) => void): void {
  describeWithRedis(`${title}, over redis`, () => suite(redis));
  describe(`${title}, over dynamodb`, () => suite(dynamodb));
}
