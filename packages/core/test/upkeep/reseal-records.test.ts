import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KmsServer, startKms } from "../../../../test/support/kms-server.ts";
import { lookupHash } from "../../src/crypto/index.ts";
import { epochId, epochKind, recordStore } from "../../src/records/index.ts";
import { systemRandom } from "../../src/runtime/index.ts";
import type { Store } from "../../src/store/index.ts";
import { secretA as a, secretB as b, testClientId } from "../grants/test-replica.ts";
import { testSub } from "../support/test-pool.ts";
import { type Browser, call, keysIn, refresh, room, signIn, type Tokens } from "./room.ts";

const interval = 15_000;
const during = { secret: [b, a] };
const after = { secret: [b] };

/** Everything that is in a store, as it is kept. */
const entriesIn = async (store: Store): Promise<string[]> =>
  Promise.all((await keysIn(store)).map(async (key) => (await store.get(key))?.value ?? ""));

describe("a change of the root secret: A, then B and A, resealed, then B alone", () => {
  test("sign-ins, refreshes, requests and remembered approvals go on, and every grant is found by user and client", async () => {
    const { store, start, keysOf, check, reseal } = room();
    const browser: Browser = new Map();
    const old = await start({ secret: [a] });
    const first = await signIn(old, browser);
    const idle = await signIn(old);
    expect(first.asked).toBe(true);

    const between = await start(during);
    expect((await signIn(between, browser)).asked).toBe(false);
    const used = await refresh(between, first);
    const report = await reseal(during);
    expect(report).toMatchObject({ unreadable: 0 });
    expect(report.resealed).toBeGreaterThan(3);
    expect(await reseal(during)).toMatchObject({ resealed: 0, unreadable: 0 });

    const alone = await start(after);
    expect((await check(after)).faults).toEqual([]);
    expect([await call(alone, used), await call(alone, idle)]).toEqual([200, 200]);
    expect(await call(alone, await refresh(alone, used))).toBe(200);
    expect((await signIn(alone, browser)).asked).toBe(false);
    const { active } = await keysOf(after);
    for (const [index, hint] of [
      ["user", lookupHash(active, "grant-user", testSub)],
      ["client", lookupHash(active, "grant-client", testClientId)],
    ] as const) {
      expect((await store.list(index, hint)).keys).toHaveLength(4);
    }
  });

  test("a refresh token that nobody has used needs the old secret, and the report says which and until when", async () => {
    const { start, check, reseal, keysOf, clock } = room();
    const old = await start({ secret: [a] });
    const idle = await signIn(old);
    const lastEnd = clock.now() + 30 * 86_400_000;
    clock.advance(60_000);
    const moved = await signIn(old);
    const between = await start(during);
    await refresh(between, moved);
    const [kidB = "", kidA = ""] = (await keysOf(during)).all.map(({ kid }) => kid);
    expect((await check(during)).secrets[kidA]?.records).toBeGreaterThan(0);
    await reseal(during);
    const { secrets } = await check(during);
    expect(secrets[kidA]).toEqual({ records: 0, refreshTokens: 1, lastEnd });
    expect(secrets[kidB]).toMatchObject({ refreshTokens: 1 });

    await expect(refresh(await start(after), idle)).rejects.toThrow("no tokens: 400 invalid_grant");
    // Nothing has ended: with the old secret it is as good as before.
    await refresh(between, idle);
    expect((await check(during)).secrets[kidA]).toBeUndefined();
  });

  test.each([
    ["everyone", { all: true }],
    ["a user", { user: testSub }],
    ["a client", { client: testClientId }],
  ] as const)("a kill switch for %s, thrown while A was alone, holds", async (_, scope) => {
    const { start, reseal, check, clock } = room();
    const old = await start({ secret: [a] });
    const ended = await signIn(old);
    clock.advance(1);
    await old.endGrants(scope);
    clock.advance(1);
    await start(during);
    await reseal(during);
    const alone = await start(after);
    expect((await check(after)).faults).toEqual([]);
    expect(await call(alone, ended)).toBe(401);
    await expect(refresh(alone, ended)).rejects.toThrow("no tokens: 400 invalid_grant");
    expect(await call(alone, await signIn(alone))).toBe(200);
  });

  test("of two switches for the same user the later one counts, whichever secret it was thrown under", async () => {
    const { store, reseal, keysOf, clock } = room();
    const [keys, random] = [await keysOf(during), systemRandom];
    const [kidB, kidA] = keys.all;
    if (!kidA || !kidB) throw new Error("two secrets are needed");
    const name = `user ${testSub}`;
    const records = recordStore(epochKind, { store, keys, random });
    for (const [under, other] of [
      [kidA, kidB],
      [kidB, kidA],
    ] as const) {
      const now = clock.now();
      await records.put(epochId(other, name), { instant: now, name }, { ttl: 1000 });
      await records.put(epochId(under, name), { instant: now + 1, name }, { ttl: 5000 });
      await reseal(during);
      const later = { value: { instant: now + 1, name }, expiresAt: now + 5000 };
      expect(await records.get(epochId(kidB, name))).toMatchObject(later);
      // A replica that does not know the new secret yet goes on looking at the old place.
      expect((await records.get(epochId(kidA, name)))?.value).toBeDefined();
    }
  });

  test("an approval that is forgotten while it moves stays forgotten", async () => {
    const { store, start, reseal } = room();
    const browser: Browser = new Map();
    const old = await start({ secret: [a] });
    await signIn(old, browser);
    const between = await start(during);
    // Seen by the reseal before, and written after it has looked.
    let forgotten = false;
    const racing: Store = {
      ...store,
      put: async (key, value, options) => {
        if (key.startsWith("remembered-consents:") && !forgotten) {
          forgotten = true;
          await forgetAll(between, browser);
        }
        return store.put(key, value, options);
      },
    };
    await reseal(during, racing);
    expect(forgotten).toBe(true);
    for (const auth of [between, await start(after)]) expect((await signIn(auth, new Map(browser))).asked).toBe(true);
  });

  test("an approval that moves while it is forgotten is forgotten where it comes to", async () => {
    const { start, reseal } = room();
    const browser: Browser = new Map();
    await signIn(await start({ secret: [a] }), browser);
    let reads = 0;
    const between = await start(during, (store) => ({
      ...store,
      get: async (key) => {
        const entry = await store.get(key);
        if (key.startsWith("remembered-consents:")) reads += 1;
        // The list has looked in both places; this is the first look of whoever forgets.
        if (key.startsWith("remembered-consents:") && reads === 3) await reseal(during);
        return entry;
      },
    }));
    await forgetAll(between, browser);
    expect(reads).toBeGreaterThan(3);
    expect((await signIn(between, browser)).asked).toBe(true);
  });

  test("records that no secret opens are counted, left alone, and hold nothing up", async () => {
    const { store, start, reseal, check } = room();
    await signIn(await start({ secret: [a] }));
    const before = await entriesIn(store);
    expect(await reseal(after)).toEqual({ resealed: 0, current: 0, unreadable: before.length });
    expect(await entriesIn(store)).toEqual(before);
    const { unreadable, faults } = await check(after);
    expect([unreadable, faults.length]).toEqual([before.length, before.length]);
    for (const { fault } of faults)
      expect(fault).toMatch(/was sealed under root secret \S+, which is not in the setting/);
  });
});

async function forgetAll(auth: Awaited<ReturnType<ReturnType<typeof room>["start"]>>, browser: Browser): Promise<void> {
  const cookie = [...browser].map(([name, value]) => `${name}=${value}`).join("; ");
  const headers = { cookie, origin: "https://mcp.example" };
  const list = await auth.fetch(new Request("https://mcp.example/consent", { headers }));
  const remembered = /name="remembered"[^>]*value="([^"]+)"/.exec(await list.text())?.[1] ?? "";
  const body = new URLSearchParams({ remembered, forget: "all" });
  const answer = await auth.fetch(new Request("https://mcp.example/consent", { method: "POST", body, headers }));
  expect(answer.status).toBe(303);
}

describe("beside servers that write", () => {
  test("every one of many refreshes at the same time is kept, and everything is under the new secret in the end", async () => {
    const { store, start, reseal, check } = room();
    const old = await start({ secret: [a] });
    const sessions: Tokens[] = [];
    for (let n = 0; n < 12; n += 1) sessions.push(await signIn(old));
    const between = await start(during);
    // Each step gives way to the refreshes.
    const slow: Store = {
      ...store,
      get: async (key) => {
        const entry = await store.get(key);
        for (let turns = 0; turns < 5; turns += 1) await setImmediate();
        return entry;
      },
    };
    let over = false;
    let rounds = 0;
    const resealing = reseal(during, slow).finally(() => {
      over = true;
    });
    const refreshing = sessions.map(async (session) => {
      let newest: Tokens = session;
      while (!over) {
        newest = await refresh(between, newest);
        rounds += 1;
        await setImmediate();
      }
      return newest;
    });
    expect(await resealing).toMatchObject({ unreadable: 0 });
    const newest = await Promise.all(refreshing);
    expect(rounds).toBeGreaterThan(sessions.length);
    expect((await reseal(during)).resealed).toBe(0);
    const alone = await start(after);
    for (const session of newest) expect(await call(alone, await refresh(alone, session))).toBe(200);
    expect((await check(after)).faults).toEqual([]);
  });

  test("a record that a replica with the old secret in front writes meanwhile is sealed anew all the same", async () => {
    const { store, start, reseal, check, keysOf } = room();
    const behind = await start({ secret: [a, b] });
    let session: Tokens = await signIn(behind);
    let overtaken = 0;
    const racing: Store = {
      ...store,
      swap: async (key, ...rest) => {
        if (key.startsWith("grant:") && overtaken < 3) {
          overtaken += 1;
          session = await refresh(behind, session);
        }
        return store.swap(key, ...rest);
      },
    };
    expect(await reseal(during, racing)).toMatchObject({ unreadable: 0 });
    expect(overtaken).toBe(3);
    const { active } = await keysOf(during);
    expect(Object.keys((await check(during)).sealedUnder)).toEqual([active.kid]);
    expect(await call(await start(during), await refresh(behind, session))).toBe(200);
  });

  test("interrupted at any write and run again: nothing is lost, nothing is left", async () => {
    // Counts up until a run comes through without being cut off.
    for (let writes = 0; ; writes += 1) {
      const { store, start, reseal, check, clock, keysOf } = room();
      const browser: Browser = new Map();
      const old = await start({ secret: [a] });
      const ended = await signIn(old);
      clock.advance(1);
      await old.endGrants({ user: testSub });
      clock.advance(1);
      const session = await signIn(old, browser);
      await start(during);
      let left = writes;
      const cut = <T>(work: () => Promise<T>): Promise<T> => {
        left -= 1;
        if (left < 0) throw new Error("cut off");
        return work();
      };
      const fragile: Store = {
        ...store,
        put: (...args) => cut(() => store.put(...args)),
        swap: (...args) => cut(() => store.swap(...args)),
        delete: (...args) => cut(() => store.delete(...args)),
      };
      const whole = await reseal(during, fragile).then(
        () => true,
        () => false,
      );
      expect(await reseal(during)).toMatchObject({ unreadable: 0 });
      const between = await start(during);
      const moved = await refresh(between, session);
      expect((await signIn(between, browser)).asked).toBe(false);
      const alone = await start(after);
      const { active } = await keysOf(after);
      const { faults, sealedUnder } = await check(after);
      expect({ faults, kids: Object.keys(sealedUnder) }).toEqual({ faults: [], kids: [active.kid] });
      clock.advance(interval);
      expect([await call(alone, ended), await call(alone, await refresh(alone, moved))]).toEqual([401, 200]);
      expect((await signIn(alone, browser)).asked).toBe(false);
      if (whole) {
        expect(writes).toBeGreaterThan(4);
        return;
      }
    }
  });
});

describe("with AWS KMS", () => {
  let kms: KmsServer;
  beforeAll(async () => {
    kms = await startKms();
  });
  afterAll(() => kms.close());
  const withKms = (readOnly = false, secret = [a]) => ({
    secret,
    kms: { keyId: "alias/sallyport", region: "eu-central-1", endpoint: kms.url, readOnly },
  });

  test("to KMS and back: everything goes on, and after each way nothing needs the one before", async () => {
    const { start, reseal, check } = room();
    let session: Tokens = await signIn(await start({ secret: [a] }));

    const wrapped = await start(withKms());
    session = await refresh(wrapped, session);
    expect((await reseal(withKms())).unreadable).toBe(0);
    const there = await check(withKms());
    expect(there.faults).toEqual([]);
    expect(Object.keys(there.sealedUnder)).toEqual([expect.stringMatching(/^kms:/)]);
    expect((await check({ secret: [a] })).faults[0]?.fault).toMatch(
      /sealed with AWS KMS .* the setting "kms" is not there/,
    );

    const back = await start(withKms(true));
    expect(await call(back, session)).toBe(200);
    session = await refresh(back, session);
    expect((await reseal(withKms(true))).unreadable).toBe(0);
    const alone = await start({ secret: [a] });
    expect((await check({ secret: [a] })).faults).toEqual([]);
    expect(await call(alone, await refresh(alone, session))).toBe(200);
  });

  test("a change of the root secret under KMS: what is hashed under the old one moves, though KMS seals it all along", async () => {
    const { store, start, reseal, check, keysOf, clock } = room();
    const browser: Browser = new Map();
    const old = await start(withKms());
    const ended = await signIn(old);
    clock.advance(1);
    await old.endGrants({ user: testSub });
    clock.advance(1);
    const session = await signIn(old, browser);
    const both = withKms(false, [b, a]);
    const between = await start(both);
    const moved = await refresh(between, session);
    expect((await signIn(between, browser)).asked).toBe(false);
    const [, kidA] = (await keysOf(both)).all;
    expect((await check(both)).secrets[kidA?.kid ?? ""]?.records).toBeGreaterThan(0);
    await reseal(both);
    expect((await check(both)).secrets[kidA?.kid ?? ""]?.records).toBe(0);

    const alone = await start(withKms(false, [b]));
    expect([await call(alone, ended), await call(alone, moved)]).toEqual([401, 200]);
    expect((await signIn(alone, browser)).asked).toBe(false);
    const { active } = await keysOf(withKms(false, [b]));
    const { keys } = await store.list("user", lookupHash(active, "grant-user", testSub));
    expect(keys).toHaveLength(3);
  });
});
