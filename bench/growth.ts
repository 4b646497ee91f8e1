/**
 * Whether what a server does for one grant costs the same however many there are: each step of a grant's life by core's
 * own functions, over stores with a thousand, a hundred thousand and a million grants, and an identity provider that
 * answers at once. Then whether requests notice the removal of a million records that are over.
 */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { endGrant, type GrantDeps, parseHandleToken, rotateRefreshToken } from "../packages/core/src/grants/index.ts";
import { grantKind, recordCodec } from "../packages/core/src/records/index.ts";
import { systemClock, systemRandom } from "../packages/core/src/runtime/index.ts";
import { memoryStore, type Store } from "../packages/core/src/store/index.ts";
import { testReplica } from "../packages/core/test/grants/test-replica.ts";
import { testPool } from "../packages/core/test/support/test-pool.ts";
import { startRedis } from "../test/support/redis-server.ts";
import { grantIdOf, issue, redeem, refreshTokenOf, sealedGrants, userHintOf, writeGrant } from "./growth-grants.ts";
import { type Filled, fillRedis, fillSqlite } from "./growth-stores.ts";
import { benchSweep } from "./growth-sweep.ts";
import { median } from "./median.ts";

const sizes = [1_000, 100_000, 1_000_000];
const passes = 3;
const rounds = 20;
const perRound = 200;
const sealedAtOnce = 500;
const mostGrowth = 1.5;

/** Everything that may be asked of a store with so many grants. */
interface Place extends Filled {
  readonly kind: string;
  readonly size: number;
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

function place(kind: string, size: number, filled: Filled): Place {
  const { store } = filled;
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
  return { ...filled, kind, size, steps: new Map(Object.entries(steps)) };
}

/** Medians of the rounds, ms. */
interface Figures {
  readonly p50: number;
  readonly p99: number;
}

/** All places in turn, time by time, so that a slow moment of the machine meets all of them. */
async function measure(places: readonly Place[], step: string): Promise<readonly Figures[]> {
  for (const { warm } of places) await warm();
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

/** Of each figure the least of all passes: what else the machine does adds to a pass, it never takes away. */
const leastOf = (found: readonly (readonly Figures[])[], at: number): Figures => ({
  p50: Math.min(...found.map((pass) => pass[at]?.p50 ?? Number.NaN)),
  p99: Math.min(...found.map((pass) => pass[at]?.p99 ?? Number.NaN)),
});

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
  return place("memory", size, { store, bytes: undefined, warm: async () => {} });
}

/** What grants cost at each size, and whether that stays flat. */
async function benchGrants(folder: string, redisPort: number): Promise<boolean> {
  const load = `${availableParallelism()} CPUs, load ${loadavg()[0]?.toFixed(1)} before`;
  const filled = await fillAll(folder, redisPort);
  const places = [await fillMemory(sizes[0] ?? 0), ...filled];
  const kinds = ["memory", "sqlite", "redis"].map((kind) => places.filter((candidate) => candidate.kind === kind));
  const found = new Map<string, (readonly Figures[])[]>();
  // The passes lie apart, so that a busy minute of the machine does not meet all of a step.
  for (let pass = 0; pass < passes; pass += 1) {
    for (const [first, ...others] of kinds) {
      for (const step of first?.steps.keys() ?? []) {
        const name = `${first?.kind}: ${step}`;
        const figures = await measure(first ? [first, ...others] : [], step);
        found.set(name, [...(found.get(name) ?? []), figures]);
      }
    }
  }

  console.log(`Grants in a store, each step alone; ${load}`);
  console.log(`p50 / p99 in ms, medians of ${rounds} rounds of ${perRound}, the least of ${passes} passes`);
  console.log(row("", ...sizes.map((size) => size.toLocaleString("en")), "last / first"));
  let flat = true;
  for (const [name, attempts] of found) {
    const figures = (attempts[0] ?? []).map((_, at) => leastOf(attempts, at));
    const [first, ...others] = figures;
    const last = others.at(-1);
    const grown = first && last ? [last.p50 / first.p50, last.p99 / first.p99] : [];
    if (grown.some((ratio) => !(ratio <= mostGrowth))) flat = false;
    const cells = sizes
      .map((_, at) => figures[at])
      .map((each) => (each ? `${each.p50.toFixed(3)} / ${each.p99.toFixed(3)}` : ""));
    console.log(row(name, ...cells, grown.map((ratio) => `${ratio.toFixed(2)} ×`).join(" / ")));
  }
  for (const ofKind of kinds) {
    const bytes = ofKind.flatMap((each) => (each.bytes === undefined ? [] : [(each.bytes / each.size).toFixed(0)]));
    if (bytes.length > 0) console.log(row(`${ofKind[0]?.kind}: bytes per grant`, ...bytes));
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
