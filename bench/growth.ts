/**
 * Whether what a server does for one grant costs the same however many there are: each step of a grant's life by core's
 * own functions, over stores with a thousand, a hundred thousand and a million grants, and an identity provider that
 * answers at once. Then whether requests notice the removal of a million records that are over.
 */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endGrant, type GrantDeps, parseHandleToken, rotateRefreshToken } from "../packages/core/src/grants/index.ts";
import { grantKind, recordCodec } from "../packages/core/src/records/index.ts";
import { systemClock, systemRandom } from "../packages/core/src/runtime/index.ts";
import { memoryStore, type Store } from "../packages/core/src/store/index.ts";
import { testReplica } from "../packages/core/test/grants/test-replica.ts";
import { testPool } from "../packages/core/test/support/test-pool.ts";
import { startRedis } from "../test/support/redis-server.ts";
import { grantIdOf, issue, redeem, refreshTokenOf, sealedGrants, userHintOf, writeGrant } from "./growth-grants.ts";
import { fillRedis, fillSqlite } from "./growth-stores.ts";
import { benchSweep } from "./growth-sweep.ts";
import { median } from "./median.ts";

const sizes = [1_000, 100_000, 1_000_000];
const rounds = 50;
const perRound = 200;
const sealedAtOnce = 500;
const mostGrowth = 1.5;

/** Everything that may be asked of a store with so many grants. */
interface Place {
  readonly kind: string;
  readonly size: number;
  readonly bytes: number;
  readonly store: Store;
  /** By name, what is measured: each makes what has to stand before it, puts back what has to after it, and answers the time, ms. */
  readonly steps: ReadonlyMap<string, () => Promise<number>>;
}

const environment = { clock: systemClock, random: systemRandom };

const fileOf = (folder: string, size: number): string => join(folder, `${size}.db`);

const depsOver = (store: Store): GrantDeps =>
  testReplica({ clock: systemClock, pool: testPool(systemClock), store }).deps;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

function place(kind: string, size: number, { store, bytes }: { store: Store; bytes: number }): Place {
  const deps = depsOver(store);
  const codec = recordCodec(grantKind, deps);
  const current = new Map<number, string>();
  let fresh = size;
  let walked = 0;
  /** All over the store: each grant once before any comes again. */
  const anyGrant = (): number => {
    walked += 1;
    return (walked * 7_368_787) % size;
  };
  const redeemOne = async (): Promise<number> => {
    fresh += 1;
    const number = fresh;
    const { code, grantId } = await issue(deps, number);
    const time = await timed(() => redeem(deps, number, code));
    await deps.grants.delete(grantId);
    return time;
  };
  const refreshOne = async (): Promise<number> => {
    const number = anyGrant();
    const token = parseHandleToken(current.get(number) ?? refreshTokenOf(deps.keys, number).text, deps.keys);
    if (!token) throw new Error("the token's tag is wrong");
    return timed(async () => {
      const { refreshToken } = await rotateRefreshToken(deps, token, () => undefined);
      if (refreshToken !== undefined) current.set(number, refreshToken);
    });
  };
  const listOne = async (): Promise<number> => {
    const hint = userHintOf(deps.keys, anyGrant());
    return timed(async () => {
      const { keys } = await store.list("user", hint);
      const entries = await Promise.all(keys.map((key) => store.get(key)));
      for (const [at, entry] of entries.entries()) if (entry) await codec.decode(keys[at] ?? "", entry.value);
      if (keys.length === 0) throw new Error("a user without grants");
    });
  };
  const revokeOne = async (): Promise<number> => {
    const number = anyGrant();
    const time = await timed(() => endGrant(deps, grantIdOf(number), "grant_revoked"));
    await writeGrant(deps, number);
    current.delete(number);
    return time;
  };
  const steps = { redeem: redeemOne, refresh: refreshOne, "list by user": listOne, revoke: revokeOne };
  return { kind, size, bytes, store, steps: new Map(Object.entries(steps)) };
}

/** Medians of the rounds, ms. */
interface Figures {
  readonly p50: number;
  readonly p99: number;
}

/** All places in turn, time by time, so that a slow moment of the machine meets all of them. */
async function measure(places: readonly Place[], step: string): Promise<readonly Figures[]> {
  const found = places.map((): Figures[] => []);
  // The first round warms up.
  for (let round = -1; round < rounds; round += 1) {
    const times = places.map((): number[] => []);
    for (let count = 0; count < perRound; count += 1) {
      for (const [at, { steps }] of places.entries()) times[at]?.push((await steps.get(step)?.()) ?? Number.NaN);
    }
    for (const [at, taken] of times.entries()) {
      taken.sort((a, b) => a - b);
      const rank = (share: number): number => taken[Math.ceil(taken.length * share) - 1] ?? Number.NaN;
      if (round >= 0) found[at]?.push({ p50: rank(0.5), p99: rank(0.99) });
    }
  }
  return found.map((figures) => ({
    p50: median(figures.map(({ p50 }) => p50)),
    p99: median(figures.map(({ p99 }) => p99)),
  }));
}

async function fillAll(folder: string, redisPort: number): Promise<Place[]> {
  const places: Place[] = [];
  for (const [at, size] of sizes.entries()) {
    const begin = performance.now();
    const fillings = {
      sqlite: await fillSqlite(fileOf(folder, size), systemClock),
      redis: await fillRedis(`redis://127.0.0.1:${redisPort}/${at}`, systemClock),
    };
    const deps = depsOver(memoryStore(environment));
    let writing = Promise.resolve();
    for await (const rows of sealedGrants(deps, { from: 0, to: size, batch: sealedAtOnce })) {
      await writing;
      // Redis works on these while the next are sealed.
      writing = fillings.redis.write(rows);
      await fillings.sqlite.write(rows);
    }
    await writing;
    for (const [kind, filling] of Object.entries(fillings)) places.push(place(kind, size, await filling.open()));
    console.error(
      `  ${size.toLocaleString("en")} grants written in ${Math.round((performance.now() - begin) / 1000)} s`,
    );
  }
  return places;
}

async function fillMemory(size: number): Promise<Place> {
  const store = memoryStore(environment);
  for (let number = 0; number < size; number += 1) await writeGrant(depsOver(store), number);
  return place("memory", size, { store, bytes: Number.NaN });
}

/** What grants cost at each size, and whether that stays flat. */
async function benchGrants(folder: string, redisPort: number): Promise<boolean> {
  const filled = await fillAll(folder, redisPort);
  const places = [await fillMemory(sizes[0] ?? 0), ...filled];
  console.log(`Grants in a store, each step alone; p50 / p99 in ms, medians of ${rounds} rounds of ${perRound}`);
  console.log(row("", ...sizes.map((size) => size.toLocaleString("en")), "last / first"));
  let flat = true;
  for (const kind of ["memory", "sqlite", "redis"]) {
    const ofKind = places.filter((candidate) => candidate.kind === kind);
    for (const step of ofKind[0]?.steps.keys() ?? []) {
      const figures = await measure(ofKind, step);
      const [first, last] = [figures[0], figures.at(-1)];
      if (!first || !last) throw new Error("nothing was measured");
      const grown = figures.length === 1 ? [] : [last.p50 / first.p50, last.p99 / first.p99];
      if (grown.some((ratio) => ratio > mostGrowth)) flat = false;
      const cells = sizes.map((_, at) => {
        const found = figures[at];
        return found ? `${found.p50.toFixed(3)} / ${found.p99.toFixed(3)}` : "";
      });
      console.log(row(`${kind}: ${step}`, ...cells, grown.map((ratio) => `${ratio.toFixed(2)} ×`).join(" / ")));
    }
    const bytes = ofKind.map((candidate) => candidate.bytes / candidate.size);
    if (kind !== "memory") console.log(row(`${kind}: bytes per grant`, ...bytes.map((each) => each.toFixed(0))));
  }
  for (const { store } of places) await store.close();
  console.log(`  flat within ${mostGrowth} × from the first to the last: ${flat ? "yes" : "NO"}`);
  return flat;
}

const row = (name: string, ...cells: readonly string[]): string =>
  `  ${name.padEnd(24)}${cells.map((cell) => cell.padStart(20)).join("")}`;

/** Measures and prints; the exit status says whether every target was met. */
export async function benchGrowth(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-growth-"));
  const redis = await startRedis();
  const interrupted = (): void => {
    redis.process.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
    process.exit(1);
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, interrupted);
  try {
    const flat = await benchGrants(folder, redis.port);
    const unnoticed = await benchSweep(fileOf(folder, sizes.at(-1) ?? 0), depsOver);
    if (!flat || !unnoticed) process.exitCode = 1;
  } finally {
    await redis.close();
    await rm(folder, { recursive: true, force: true });
    for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, interrupted);
  }
}
