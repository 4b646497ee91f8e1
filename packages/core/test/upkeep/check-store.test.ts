import { describe, expect, test } from "vitest";
import { checkStore } from "../../src/index.ts";
import {
  epochKind,
  type Grant,
  grantKind,
  keyringKind,
  type RecordKind,
  recordStore,
  type StoredKey,
  transactionKind,
} from "../../src/records/index.ts";
import { systemRandom } from "../../src/runtime/index.ts";
import { secretA as a, testClientId, testReplica, testResource } from "../grants/test-replica.ts";
import { call, keysIn, refresh, room, signIn } from "./room.ts";

const day = 86_400_000;
const minute = 60_000;
const settings = { secret: [a] };

/** A room with one record in its store, written past everything that would refuse it. */
async function holding<T extends object>(kind: RecordKind<T>, make: (now: number) => T, ttl = day) {
  const one = room();
  const records = recordStore(kind, { store: one.store, keys: await one.keysOf(settings), random: systemRandom });
  await records.put("one", make(one.clock.now()), { ttl });
  const [key = ""] = await keysIn(one.store);
  return { ...one, key, faults: (await one.check(settings)).faults };
}

const session = (now: number): NonNullable<Grant["upstream"]> => ({
  kind: "cognito_session",
  identity: { sub: "s", username: "u", groups: [], claims: {} },
  verifiedAt: now,
  renewAt: now,
});

const issued = (now: number): Grant => ({
  state: "code_issued",
  principal: "user",
  createdAt: now,
  clientId: testClientId,
  resource: testResource,
  scopes: ["read"],
  code: { hash: "h", challenge: "c", redirectUri: "https://app.example/", expiresAt: now + minute },
  absoluteUntil: now + day,
  upstream: session(now),
});

const used = (n: number) => ({ n, hash: `hash ${n}`, kid: "k", salt: "s", usedAt: 0 });

const live = (now: number): Grant => {
  const { code: _, ...rest } = issued(now);
  const refresh = { n: 3, hash: "hash 3", kid: "k", idleUntil: now + day, used: [used(1), used(2)] };
  return { ...rest, state: "live", refresh };
};

const ended = (now: number): Grant => {
  const { upstream: _, refresh: __, ...rest } = live(now);
  return { ...rest, state: "ended", endedBecause: "token_revoked" };
};

const without = (grant: Grant, name: "code" | "upstream" | "refresh" | "endedBecause"): Grant => {
  const { [name]: _, ...rest } = grant;
  return rest;
};

const withRefresh = (grant: Grant, change: Partial<NonNullable<Grant["refresh"]>>): Grant => ({
  ...grant,
  ...(grant.refresh ? { refresh: { ...grant.refresh, ...change } } : {}),
});

const broken: [string, (now: number) => Grant][] = [
  ["it began in the future", (now) => ({ ...live(now), createdAt: now + 6 * minute })],
  ["it gives no scope", (now) => ({ ...live(now), scopes: [] })],
  ["its lease lasts too long", (now) => ({ ...live(now), lease: { holder: "h", until: now + 6 * minute } })],
  ["a code was issued, but there is none to redeem", (now) => without(issued(now), "code")],
  [
    "a code was issued, but there is none to redeem",
    (now) => {
      const grant = issued(now);
      return { ...grant, ...(grant.code ? { code: { ...grant.code, redeemedAt: now } } : {}) };
    },
  ],
  [
    "it has a refresh token before its code was redeemed",
    (now) => ({ ...issued(now), refresh: { n: 1, hash: "h", kid: "k", idleUntil: now, used: [] } }),
  ],
  ["nothing stands behind it", (now) => without(issued(now), "upstream")],
  [
    "its code lasts too long",
    (now) => {
      const grant = issued(now);
      return { ...grant, ...(grant.code ? { code: { ...grant.code, expiresAt: now + 16 * minute } } : {}) };
    },
  ],
  ["nothing stands behind it", (now) => without(live(now), "upstream")],
  ["a user's grant is live without a refresh token", (now) => without(live(now), "refresh")],
  ["it is live, but its code is not marked as redeemed", (now) => ({ ...live(now), ...pickCode(issued(now)) })],
  [
    "the store drops it before its tokens end",
    (now) => withRefresh({ ...live(now), absoluteUntil: now + 9 * day }, { idleUntil: now + 2 * day }),
  ],
  ["it has ended and still holds something that opens", (now) => ({ ...ended(now), upstream: session(now) })],
  ["it has ended without a reason", (now) => without(ended(now), "endedBecause")],
  ["its refresh token has no number", (now) => withRefresh(live(now), { n: 0, used: [] })],
  ["its used refresh tokens are out of order", (now) => withRefresh(live(now), { used: [used(2), used(1)] })],
  ["a used refresh token is as new as the current one", (now) => withRefresh(live(now), { n: 2 })],
  ["its current refresh token is marked as used", (now) => withRefresh(live(now), { hash: "hash 2" })],
];

function pickCode({ code }: Grant): Partial<Grant> {
  return code ? { code } : {};
}

describe("what must not be is found and named", () => {
  test.each(broken)("a grant: %s", async (fault, make) => {
    const { key, faults } = await holding(grantKind, make);
    expect(faults).toEqual([{ kind: "grant", key, fault }]);
  });

  test.each([
    ["issued", issued],
    ["live", live],
    ["ended", ended],
    ["of a machine", (now: number) => ({ ...without(live(now), "refresh"), principal: "machine" as const })],
    ["of a session that is older than the longest grant", (now: number) => ({ ...ended(now), absoluteUntil: now - 1 })],
    ["of a replica whose clock is 5 min ahead", (now: number) => live(now + 5 * minute)],
  ])("a grant that is %s is as it should be", async (_, make) => {
    // Kept a little longer than its tokens last.
    expect((await holding(grantKind, make, day + 10 * minute)).faults).toEqual([]);
  });

  test("a kill switch in the future", async () => {
    const { faults } = await holding(epochKind, (now) => ({ instant: now + 6 * minute, name: "all" }));
    expect(faults).toMatchObject([{ kind: "epoch", fault: expect.stringContaining("set in the future") }]);
  });

  const key = (kid: string, state: StoredKey["state"]): StoredKey => ({
    kid,
    state,
    createdAt: 0,
    privateJwk: { kty: "EC", crv: "P-256", x: "x", y: "y", d: "d" },
  });
  test.each([
    [["0 signing keys are active"], [key("a", "retired")]],
    [["2 signing keys are active"], [key("a", "active"), key("b", "active")]],
    [["2 signing keys are next"], [key("a", "active"), key("b", "next"), key("c", "next")]],
    [["two signing keys have one name"], [key("a", "active"), key("a", "retired")]],
    [[], [key("a", "active"), key("b", "next"), key("c", "retired")]],
  ])("a keyring: %j", async (expected, keys) => {
    const { faults } = await holding(keyringKind, () => ({ keys }));
    expect(faults.map(({ fault }) => fault)).toEqual(expected);
  });

  test("a sign-in that may be finished for too long", async () => {
    const request = { clientId: "c", redirectUri: "r", codeChallenge: "c", resource: "r", scopes: ["read"] };
    const transaction = { request, consent: { by: "user" as const }, cookieHash: "h", codeVerifier: "v", nonce: "n" };
    const { faults } = await holding(transactionKind, () => transaction, 16 * minute);
    expect(faults.map(({ fault }) => fault)).toEqual(["a sign-in may be finished for too long"]);
  });

  test("what is no record, of an unknown kind, of another version, changed by hand, or moved to another key", async () => {
    const { store, key } = await holding(grantKind, live);
    const { store: empty, check } = room();
    const text = (await store.get(key))?.value ?? "";
    const record = JSON.parse(text);
    const ttl = day;
    const stored: Record<string, string> = {
      "grant:no-json": "{",
      "invoice:one": text,
      "grant:newer": JSON.stringify({ ...record, v: 2 }),
      "grant:moved": text,
      [key]: JSON.stringify({ ...record, f: { ...record.f, state: "paused" } }),
    };
    for (const [at, value] of Object.entries(stored)) await empty.put(at, value, { ttl });
    const report = await check(settings);
    expect(Object.fromEntries(report.faults.map((fault) => [fault.key, fault.fault]))).toEqual({
      "grant:no-json": "a stored grant cannot be read: it is not in the form of a record",
      "invoice:one": "this release knows no such kind of record",
      "grant:newer": "a stored grant cannot be read: its version is 2, this release reads 1",
      "grant:moved": "a stored grant cannot be read: its data key does not open",
      [key]: "a stored grant cannot be read: its fields are wrong: state",
    });
    expect(report).toMatchObject({ unreadable: 5, records: { grant: 4, invoice: 1 }, sealedUnder: {}, secrets: {} });
  });
});

describe("what is as it should be has no fault", () => {
  test("after sign-ins, refreshes, a reuse, a kill switch, a renewal and an ended grant; each kind is counted", async () => {
    const { start, check, clock, store } = room();
    const auth = await start(settings);
    const [one, two] = [await signIn(auth), await signIn(auth)];
    await refresh(auth, await refresh(auth, one));
    clock.advance(61_000);
    await expect(refresh(auth, one)).rejects.toThrow("invalid_grant");
    clock.advance(20 * minute);
    await refresh(auth, two);
    await auth.endGrants({ client: testClientId });
    clock.advance(minute);
    const three = await signIn(auth);
    expect(await call(auth, three)).toBe(200);
    const report = await check(settings);
    expect(report.faults).toEqual([]);
    expect(report.records).toEqual({
      grant: 3,
      epoch: 1,
      keyring: 1,
      "consent-mark": 3,
      "remembered-consents": 1,
    });
    expect((await keysIn(store)).length).toBe(9);
  });

  test("a grant in the hands of a lease holder that was killed", async () => {
    const { clock, pool, store, check } = room();
    const replica = testReplica({ clock, pool, store });
    const { grantId } = await replica.signIn();
    clock.advance(21 * minute);
    pool.beforeRenewal = () => new Promise(() => {});
    void replica.judge.judgeAfresh(grantId);
    for (let turns = 0; turns < 20; turns += 1) await clock.sleep(0);
    expect((await replica.deps.grants.get(grantId))?.value.lease).toBeDefined();
    expect((await check(settings)).faults).toEqual([]);
  });

  test("a key that the store gives twice is counted once", async () => {
    const { start, store, keysOf, clock } = room();
    await signIn(await start(settings));
    const keys = await keysOf(settings);
    const twice = {
      ...store,
      scan: async (cursor?: string) => {
        const page = await store.scan(cursor);
        return { ...page, keys: [...page.keys, ...page.keys] };
      },
    };
    const report = await checkStore({ store: twice, keys, clock, random: systemRandom });
    expect(report.records.grant).toBe(1);
    expect(report.secrets[keys.active.kid]).toMatchObject({ refreshTokens: 1 });
  });
});
