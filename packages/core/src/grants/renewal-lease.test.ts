import { describe, expect, test } from "vitest";
import { testReplica } from "../../test/grants/test-replica.ts";
import { ahead, steppingClock } from "../../test/support/stepping-clock.ts";
import { testPool } from "../../test/support/test-pool.ts";
import { type IdentityProvider, IdentityProviderError } from "../identity/index.ts";
import { type Clock, systemRandom } from "../runtime/index.ts";
import { memoryStore, type Store, StoreUnavailable } from "../store/index.ts";
import { endGrant } from "./end-grant.ts";

const minute = 60_000;
/** After it no grace bears a missing answer any more. */
const pastGrace = 21 * minute;
const yes = { holds: "yes" };
const busy = { holds: "unknown", reason: "upstream_busy" };

function room() {
  const clock = steppingClock();
  const pool = testPool(clock);
  const store = memoryStore({ clock, random: systemRandom });
  const replica = (more: { clock?: Clock; store?: Store; identityProvider?: IdentityProvider } = {}) =>
    testReplica({ clock, pool, store, ...more });
  return { clock, pool, store, replica, one: replica(), two: replica() };
}

/** A hook that waits until it is released; `reached` resolves when somebody waits in it. */
function gate() {
  let release = (): void => {};
  let arrive = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  return {
    reached,
    release: () => release(),
    hook: () => {
      arrive();
      return released;
    },
  };
}

/** Only the first caller meets the hook. */
const once = (hook: () => Promise<void>): (() => Promise<void>) => {
  let met = false;
  return async () => {
    if (met) return;
    met = true;
    await hook();
  };
};

describe("the lease on a grant", () => {
  test("is taken only when everything else is there: what is slow to come does not use up its life", async () => {
    const { pool, clock, replica, two } = room();
    const slow = { ...pool.provider, ready: async () => clock.advance(20_000) };
    const one = replica({ identityProvider: slow });
    const { grantId } = await one.signIn();
    clock.advance(pastGrace);
    const held = gate();
    pool.beforeRenewal = once(held.hook);
    const first = one.judge.judge(grantId);
    await held.reached;
    // The holder has only begun to ask: nobody may take the lease over yet.
    expect(await two.judge.judge(grantId)).toMatchObject(busy);
    expect(pool.renewals).toHaveLength(1);
    held.release();
    expect(await first).toMatchObject(yes);
  });

  test("is not taken where that cannot be had: Cognito is unavailable, and nothing ends", async () => {
    const { pool, clock, replica, two } = room();
    const ready = async (): Promise<void> => {
      throw new IdentityProviderError("unavailable", "GET the key set answered 500");
    };
    const one = replica({ identityProvider: { ...pool.provider, ready } });
    const { grantId } = await one.signIn();
    clock.advance(pastGrace);
    expect(await one.judge.judge(grantId)).toMatchObject({ holds: "unknown", reason: "provider_unavailable" });
    expect(pool.renewals).toEqual([]);
    expect(await two.judge.judge(grantId)).toMatchObject(yes);
  });

  test("of two replicas one asks Cognito, the other waits and sees the answer", async () => {
    const { one, two, pool, clock } = room();
    const { grantId } = await one.signIn();
    clock.advance(pastGrace);
    const [first, second] = await Promise.all([one.judge.judge(grantId), two.judge.judge(grantId)]);
    expect([first, second]).toMatchObject([yes, yes]);
    expect(pool.renewals).toHaveLength(1);
    expect((await one.deps.grants.get(grantId))?.value).not.toHaveProperty("lease");
  });

  test("who waits is told after 5 s that nothing is known", async () => {
    const { one, two, pool, clock } = room();
    const { grantId } = await one.signIn();
    clock.advance(pastGrace);
    const slow = gate();
    pool.beforeRenewal = once(slow.hook);
    const first = one.judge.judge(grantId);
    await slow.reached;
    const began = clock.monotonic();
    expect(await two.judge.judge(grantId)).toEqual(busy);
    expect(clock.monotonic() - began).toBe(5_000);
    expect(pool.renewals).toHaveLength(1);
    slow.release();
    expect(await first).toMatchObject(yes);
    expect(await two.judge.judge(grantId)).toMatchObject(yes);
    expect(pool.renewals).toHaveLength(1);
  });

  test("of a holder that is gone ends after 10 s, and the next one asks", async () => {
    const { one, two, pool, clock } = room();
    const { grantId } = await one.signIn();
    clock.advance(pastGrace);
    const never = gate();
    pool.beforeRenewal = once(never.hook);
    void one.judge.judge(grantId);
    await never.reached;
    expect(await two.judge.judge(grantId)).toEqual(busy);
    expect(await two.judge.judge(grantId)).toMatchObject(yes);
    expect(pool.renewals).toHaveLength(2);
  });

  test("of a holder whose wall clock is an hour ahead ends 10 s after it was first seen, by the waiter's own monotonic clock", async () => {
    const { one, pool, clock, replica } = room();
    const { grantId } = await one.signIn();
    clock.advance(pastGrace);
    const never = gate();
    pool.beforeRenewal = once(never.hook);
    void replica({ clock: ahead(clock, 60 * minute) }).judge.judge(grantId);
    await never.reached;
    const began = clock.monotonic();
    expect(await one.judge.judge(grantId)).toEqual(busy);
    expect(await one.judge.judge(grantId)).toMatchObject(yes);
    expect(clock.monotonic() - began).toBe(10_000);
    expect(pool.renewals).toHaveLength(2);
  });

  test("a new holder's lease is watched from its own beginning", async () => {
    const { one, pool, clock, replica } = room();
    const { grantId } = await one.signIn();
    clock.advance(pastGrace);
    pool.beforeRenewal = () => new Promise(() => {});
    const aheads = [ahead(clock, 60 * minute), ahead(clock, 180 * minute)];
    for (const other of aheads) {
      void replica({ clock: other }).judge.judge(grantId);
      await new Promise(setImmediate);
      expect(await one.judge.judge(grantId)).toEqual(busy);
    }
    expect(pool.renewals).toHaveLength(2);
  });
});

describe("a holder that is killed after Cognito rotated and before the write", () => {
  test("costs nothing within Cognito's grace: the next one sends the old token", async () => {
    const { one, two, pool, clock } = room();
    const { grantId } = await one.signIn();
    clock.advance(pastGrace);
    const killed = gate();
    pool.afterRenewal = once(killed.hook);
    void one.judge.judge(grantId);
    await killed.reached;
    clock.advance(59_000);
    expect(await two.judge.judge(grantId)).toMatchObject(yes);
    expect(pool.renewals).toEqual(["cognito-refresh-1", "cognito-refresh-1"]);
    clock.advance(15 * minute);
    expect(await two.judge.judge(grantId)).toMatchObject(yes);
    expect(pool.renewals.at(-1)).toBe("cognito-refresh-3");
  });

  test("ends the grant after it", async () => {
    const { one, two, pool, clock } = room();
    const { grantId } = await one.signIn();
    clock.advance(pastGrace);
    const killed = gate();
    pool.afterRenewal = once(killed.hook);
    void one.judge.judge(grantId);
    await killed.reached;
    clock.advance(60_001);
    expect(await two.judge.judge(grantId)).toEqual({ holds: "no", reason: "grant_ended" });
  });
});

describe("a holder that was overtaken", () => {
  test("does not write its older answer over the newer one", async () => {
    const { one, two, pool, clock } = room();
    const { grantId } = await one.signIn();
    clock.advance(pastGrace);
    const slow = gate();
    pool.afterRenewal = once(slow.hook);
    const first = one.judge.judge(grantId);
    await slow.reached;
    clock.advance(10_000);
    expect(await two.judge.judge(grantId)).toMatchObject(yes);
    slow.release();
    expect(await first).toMatchObject(yes);
    expect((await two.deps.grants.get(grantId))?.value.upstream).toMatchObject({ refreshToken: "cognito-refresh-3" });
  });

  test("and whom Cognito then refuses does not end the grant", async () => {
    const { one, two, pool, clock } = room();
    const { grantId } = await one.signIn();
    clock.advance(pastGrace);
    const slow = gate();
    pool.beforeRenewal = once(slow.hook);
    const first = one.judge.judge(grantId);
    await slow.reached;
    clock.advance(10_000);
    expect(await two.judge.judge(grantId)).toMatchObject(yes);
    // Cognito's grace for the token that the first one sent is over when its request arrives.
    clock.advance(60_001);
    slow.release();
    expect(await first).toMatchObject(yes);
    expect(pool.renewals.slice(0, 2)).toEqual(["cognito-refresh-1", "cognito-refresh-1"]);
    expect(await two.judge.judgeAfresh(grantId)).toMatchObject(yes);
  });

  test("and whose refusal comes while another still holds the lease ends nothing", async () => {
    const { one, two, pool, clock } = room();
    const { grantId } = await one.signIn();
    clock.advance(pastGrace);
    const [slow, slower] = [gate(), gate()];
    pool.beforeRenewal = once(slow.hook);
    const first = one.judge.judge(grantId);
    await slow.reached;
    clock.advance(10_000);
    pool.beforeRenewal = once(slower.hook);
    const second = two.judge.judge(grantId);
    await slower.reached;
    pool.user.enabled = false;
    slow.release();
    expect(await first).toEqual(busy);
    pool.user.enabled = true;
    slower.release();
    expect(await second).toMatchObject(yes);
  });
});

describe("a store that fails after Cognito rotated", () => {
  test("ends nothing: the next one sends the old token within Cognito's grace", async () => {
    const { two, pool, clock, store, replica } = room();
    const state = { down: false };
    const failing = replica({
      store: {
        ...store,
        get: async (key) => {
          if (state.down) throw new StoreUnavailable("down");
          return store.get(key);
        },
      },
    });
    const { grantId } = await failing.signIn();
    clock.advance(pastGrace);
    pool.afterRenewal = once(async () => {
      state.down = true;
    });
    expect(await failing.judge.judge(grantId)).toEqual({ holds: "unknown", reason: "store_unavailable" });
    state.down = false;
    clock.advance(10_000);
    expect(await two.judge.judge(grantId)).toMatchObject(yes);
    expect(await failing.judge.judge(grantId)).toMatchObject(yes);
  });
});

test("a grant that is ended while Cognito is asked stays ended", async () => {
  const { one, pool, clock } = room();
  const { grantId } = await one.signIn();
  clock.advance(pastGrace);
  const slow = gate();
  pool.afterRenewal = once(slow.hook);
  const judging = one.judge.judge(grantId);
  await slow.reached;
  await endGrant(one.deps, grantId, "refresh_reused");
  slow.release();
  expect(await judging).toEqual({ holds: "no", reason: "grant_ended" });
  expect((await one.deps.grants.get(grantId))?.value).not.toHaveProperty("upstream");
});

test("settled waits for a renewal in the background, so that what Cognito rotated is written before the store closes", async () => {
  const { one, pool, clock } = room();
  const { grantId } = await one.signIn();
  clock.advance(13.6 * minute);
  const slow = gate();
  pool.afterRenewal = once(slow.hook);
  await one.judge.judge(grantId);
  await slow.reached;
  let over = false;
  const settled = one.settled().then(() => {
    over = true;
  });
  await new Promise(setImmediate);
  expect(over).toBe(false);
  slow.release();
  await settled;
  expect((await one.deps.grants.get(grantId))?.value.upstream).toMatchObject({ refreshToken: "cognito-refresh-2" });
});
