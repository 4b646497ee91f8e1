import { describe, expect, test } from "vitest";
import { reasonOf, secretA, secretB, testReplica } from "../../test/grants/test-replica.ts";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { testPool } from "../../test/support/test-pool.ts";
import { UnreadableRecord } from "../records/index.ts";
import { systemRandom } from "../runtime/index.ts";
import { memoryStore } from "../store/index.ts";

function room() {
  const clock = steppingClock();
  const pool = testPool(clock);
  const store = memoryStore({ clock, random: systemRandom });
  const replica = (secrets = [secretA]) => testReplica({ clock, pool, store, secrets });
  return { clock, pool, store, replica };
}
const day = 86_400_000;

describe("a refresh token", () => {
  test("is followed by another at every use", async () => {
    const { replica } = room();
    const one = replica();
    const first = (await one.signIn()).refreshToken;
    const second = await one.rotate(first);
    const third = await one.rotate(second);
    expect(new Set([first, second, third]).size).toBe(3);
    expect([first, second, third].map((token) => token.split(".")[1])).toEqual(["1", "2", "3"]);
  });

  test("ten uses at once, in two replicas, give one successor", async () => {
    const { replica } = room();
    const [one, two] = [replica(), replica()];
    const { refreshToken } = await one.signIn();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? one : two).rotate(refreshToken)),
    );
    expect(new Set(answers).size).toBe(1);
    expect(await one.rotate(answers[0] ?? "")).toBeTypeOf("string");
  });

  test("answers its own successor for 60 s after its first use, and ends the grant after that", async () => {
    const { replica, clock, pool } = room();
    const one = replica();
    const { refreshToken, grantId } = await one.signIn();
    const successor = await one.rotate(refreshToken);
    clock.advance(30_000);
    expect(await one.rotate(refreshToken)).toBe(successor);
    // The window counts from the first use: a repeat does not prolong it.
    clock.advance(30_000);
    expect(await one.rotate(refreshToken)).toBe(successor);
    clock.advance(1);
    expect(await reasonOf(one.rotate(refreshToken))).toBe("refresh_reused");
    expect(await reasonOf(one.rotate(successor))).toBe("grant_ended");
    expect(await one.judge.judgeAfresh(grantId)).toMatchObject({ holds: "no" });
    expect(pool.revoked).toEqual(["cognito-refresh-1"]);
  });

  test("whose successor has been used is refused within the window, and nothing ends", async () => {
    const { replica, clock } = room();
    const one = replica();
    const { refreshToken } = await one.signIn();
    const second = await one.rotate(refreshToken);
    const third = await one.rotate(second);
    clock.advance(60_000);
    expect(await reasonOf(one.rotate(refreshToken))).toBe("refresh_successor_used");
    expect(await one.rotate(second)).toBe(third);
    expect(await one.rotate(third)).toBeTypeOf("string");
  });

  test("of long ago ends the grant, though nothing is remembered of it but its tag", async () => {
    const { replica, clock } = room();
    const one = replica();
    const { refreshToken } = await one.signIn();
    let newest = refreshToken;
    for (let n = 0; n < 3; n += 1) {
      newest = await one.rotate(newest);
      clock.advance(60_001);
    }
    expect(await reasonOf(one.rotate(refreshToken))).toBe("refresh_reused");
    expect(await reasonOf(one.rotate(newest))).toBe("grant_ended");
  });

  test("that is newer than the store knows tells of a store that went back: refused, and nothing ends", async () => {
    const { replica, clock, store } = room();
    const one = replica();
    const { refreshToken, grantId } = await one.signIn();
    const [key = ""] = (await store.scan()).keys;
    const before = await store.get(key);
    const second = await one.rotate(refreshToken);
    const third = await one.rotate(second);
    // The store comes back from a copy that knows of neither rotation.
    await store.put(key, before?.value ?? "", { ttl: day });
    clock.advance(61_000);
    for (const token of [third, second]) expect(await reasonOf(one.rotate(token))).toBe("refresh_ahead_of_store");
    expect(await one.judge.judgeAfresh(grantId)).toMatchObject({ holds: "yes" });
    // What it knows goes on: a client that had not refreshed since then notices nothing.
    const other = await one.rotate(refreshToken);
    expect(other).not.toBe(second);
    // Two different tokens of one number are two families, and only one may live: both end.
    expect(await reasonOf(one.rotate(second))).toBe("refresh_reused");
    expect(await reasonOf(one.rotate(other))).toBe("grant_ended");
  });

  test("ends where it is not used for 30 days; a use begins them anew", async () => {
    const clock = steppingClock();
    const replica = testReplica({ clock, pool: testPool(clock), tokens: { refreshIdleTtl: "1d", refreshTtl: "10d" } });
    const { refreshToken } = await replica.signIn();
    clock.advance(day - 1);
    const second = await replica.rotate(refreshToken);
    clock.advance(day - 1);
    const third = await replica.rotate(second);
    clock.advance(day);
    expect(await reasonOf(replica.rotate(third))).toBe("refresh_expired");
    clock.advance(day);
    expect(await reasonOf(replica.rotate(third))).toBe("refresh_unknown");
  });

  test("counts from when the user signed in at Cognito, as Cognito's own does, not from when we learned of it", async () => {
    const clock = steppingClock();
    const pool = testPool(clock);
    const replica = testReplica({ clock, pool, tokens: { refreshIdleTtl: "10d", refreshTtl: "10d" } });
    const session = pool.signIn();
    clock.advance(3_600_000);
    pool.signIn = () => session;
    const { refreshToken } = await replica.signIn();
    clock.advance(10 * day - 3_600_001);
    const second = await replica.rotate(refreshToken);
    clock.advance(1);
    expect(await reasonOf(replica.rotate(second))).toBe("refresh_expired");
  });

  test("never outlives Cognito's own", async () => {
    const clock = steppingClock();
    const replica = testReplica({ clock, pool: testPool(clock), tokens: { refreshIdleTtl: "10d", refreshTtl: "10d" } });
    const { refreshToken, grantId } = await replica.signIn();
    clock.advance(9 * day);
    const second = await replica.rotate(refreshToken);
    clock.advance(day);
    expect(await reasonOf(replica.rotate(second))).toBe("refresh_expired");
    expect(await replica.judge.judgeAfresh(grantId)).toMatchObject({ holds: "no" });
  });

  test("two who do not know of each other cannot both go on: a thief's use and the owner's meet in one chain", async () => {
    const { replica, clock } = room();
    const one = replica();
    const { refreshToken: stolen } = await one.signIn();
    const owners = await one.rotate(stolen);
    clock.advance(61_000);
    const next = await one.rotate(owners);
    expect(await reasonOf(one.rotate(stolen))).toBe("refresh_reused");
    expect(await reasonOf(one.rotate(next))).toBe("grant_ended");
  });

  test("nothing that is stored gives the next token", async () => {
    const { replica } = room();
    const one = replica();
    const { refreshToken, grantId } = await one.signIn();
    const successor = await one.rotate(refreshToken);
    const stored = JSON.stringify((await one.deps.grants.get(grantId))?.value);
    for (const token of [refreshToken, successor]) {
      const [, , , secret = "", tag = ""] = token.split(".");
      expect(stored).not.toContain(secret);
      expect(stored).not.toContain(tag);
    }
  });
});

describe("in the middle of a change of root secrets", () => {
  test("a replica on the newer list gives the same successor, whichever rotates first", async () => {
    const { replica } = room();
    const [older, newer] = [replica([secretA, secretB]), replica([secretB, secretA])];
    const one = (await older.signIn()).refreshToken;
    expect(await newer.rotate(one)).toBe(await older.rotate(one));
    const two = (await older.signIn()).refreshToken;
    expect(await older.rotate(two)).toBe(await newer.rotate(two));
  });

  test("a token made under the old secret rotates to one that needs only the new", async () => {
    const { replica, clock } = room();
    const { refreshToken } = await replica([secretA]).signIn();
    const second = await replica([secretB, secretA]).rotate(refreshToken);
    clock.advance(61_000);
    expect(await replica([secretB]).rotate(second)).toBeTypeOf("string");
  });

  test("a replica that lacks the secret of the record says so: it is no unknown token and no reuse", async () => {
    const { replica } = room();
    const older = replica([secretA]);
    const { refreshToken, grantId } = await older.signIn();
    const during = replica([secretB, secretA]);
    const successor = await during.rotate(refreshToken);
    await expect(older.rotate(refreshToken)).rejects.toThrow(UnreadableRecord);
    expect(await older.judge.judgeAfresh(grantId)).toEqual({ holds: "unknown", reason: "store_unavailable" });
    expect(await during.rotate(successor)).toBeTypeOf("string");
  });
});
