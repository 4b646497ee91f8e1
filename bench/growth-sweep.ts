// Whether requests notice that a million records which are over are being removed beside them.

import { DatabaseSync } from "node:sqlite";
import { setTimeout as wait } from "node:timers/promises";
import { type GrantDeps, parseHandleToken, rotateRefreshToken } from "../packages/core/src/grants/index.ts";
import { type Clock, silentLogger, systemClock, systemRandom } from "../packages/core/src/runtime/index.ts";
import { type Store, sqliteStore } from "../packages/core/src/store/index.ts";
import { refreshTokenOf, writeGrant } from "./growth-grants.ts";
import { closeSynced, openUnsynced, readOnce } from "./growth-stores.ts";
import { median } from "./median.ts";

const windows = 6;
const windowTime = 10_000;
/** A request each, ms; every second one refreshes, the others look at a grant. */
const requestEvery = 10;
const liveGrants = 2_000;
/** Above any number of the expired ones. */
const firstLive = 1_000_000_000;
const mostSlower = 2;

/** Between two sweeps a store waits longer than this, within one less, ms. */
const longestPause = 10_000;

/** A clock under which a store's sweep stands still until it is let go, and one sweep follows soon after the other. */
function gatedClock(): { readonly clock: Clock; letGo: boolean } {
  const gate = {
    letGo: false,
    clock: {
      ...systemClock,
      async sleep(ms: number, signal?: AbortSignal): Promise<void> {
        await systemClock.sleep(ms < longestPause ? ms : 100, signal);
        while (!gate.letGo && !signal?.aborted) await systemClock.sleep(20, signal);
      },
    },
  };
  return gate;
}

/** Requests that come at a steady pace, whatever becomes of those before; how long each took from when it was due, ms. */
async function requests(deps: GrantDeps, tokens: string[]): Promise<number[]> {
  const times: number[] = [];
  const begin = performance.now();
  for (let due = 0; due < windowTime; due += requestEvery) {
    const early = begin + due - performance.now();
    if (early > 0) await wait(early);
    const number = Math.floor(Math.random() * tokens.length);
    const token = parseHandleToken(tokens[number] ?? "", deps.keys);
    if (!token) throw new Error("the token's tag is wrong");
    if (times.length % 2 === 0) await deps.grants.get(token.grantId);
    else tokens[number] = (await rotateRefreshToken(deps, token, () => undefined)).refreshToken ?? "";
    times.push(performance.now() - (begin + due));
  }
  return times;
}

const p99 = (times: number[]): number => times.sort((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1] ?? Number.NaN;

/**
 * Lets every record of an SQLite file be over, and measures requests in turn with the sweep and without.
 * @returns whether the requests' p99 stayed within twice of what it is without
 */
export async function benchSweep(path: string, depsOver: (store: Store) => GrantDeps): Promise<boolean> {
  const file = openUnsynced(path);
  const { changes } = file
    .prepare("UPDATE entries SET expires_at = :past + rowid / 1000")
    .run({ past: systemClock.now() - 3_600_000 });
  closeSynced(file, path);
  const gate = gatedClock();
  const store = await sqliteStore({ path, clock: gate.clock, random: systemRandom, logger: silentLogger });
  const deps = depsOver(store);
  const tokens: string[] = [];
  for (let live = 0; live < liveGrants; live += 1) {
    await writeGrant(deps, firstLive + live);
    tokens.push(refreshTokenOf(deps.keys, firstLive + live).text);
  }
  const left = (): number => {
    const counting = new DatabaseSync(path);
    const [row] = counting.prepare("SELECT count(*) AS rows FROM entries WHERE expires_at <= ?").all(systemClock.now());
    counting.close();
    return Number(row?.rows);
  };

  const found = { without: [] as number[], beside: [] as number[] };
  await readOnce(path);
  await requests(deps, tokens);
  for (let window = 0; window < windows; window += 1) {
    gate.letGo = false;
    found.without.push(p99(await requests(deps, tokens)));
    gate.letGo = true;
    found.beside.push(p99(await requests(deps, tokens)));
  }
  gate.letGo = false;
  const removed = Number(changes) - left();
  await store.close();

  const perSecond = removed / ((windows * windowTime) / 1000);
  const [without, beside] = [median(found.without), median(found.beside)];
  const met = removed > 0 && beside <= mostSlower * without;
  const requestsPerSecond = 1000 / requestEvery;
  console.log(
    `Sweep of ${Number(changes).toLocaleString("en")} expired records in sqlite, ${requestsPerSecond} requests/s beside it`,
  );
  console.log(
    `  p99 ${without.toFixed(2)} ms without the sweep, ${beside.toFixed(2)} ms beside it: ${(beside / without).toFixed(2)} ×`,
  );
  console.log(
    `  ${Math.round(perSecond)} records/s removed, all of them in ${Math.round(Number(changes) / perSecond / 60)} min`,
  );
  console.log(`  p99 within ${mostSlower} ×: ${met ? "yes" : "NO"}`);
  return met;
}
