import { describe, expect, test } from "vitest";
import { secretA, secretB, testClientId, testReplica } from "../../test/grants/test-replica.ts";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { testPool, testSub } from "../../test/support/test-pool.ts";
import { IdentityProviderError } from "../identity/index.ts";
import { systemRandom } from "../runtime/index.ts";
import { memoryStore, type Store, StoreUnavailable } from "../store/index.ts";
import { endGrant } from "./end-grant.ts";
import { issueMachineGrant } from "./index.ts";

const minute = 60_000;
const yes = { holds: "yes" };
const unavailable = new IdentityProviderError("unavailable", "POST https://pool.example/oauth2/token answered 503");

function room(options: Omit<Partial<Parameters<typeof testReplica>[0]>, "clock" | "pool" | "store"> = {}) {
  const clock = steppingClock();
  const pool = testPool(clock);
  const memory = memoryStore({ clock, random: systemRandom });
  const state = { reads: 0, down: false, readOnly: false };
  const store: Store = {
    ...memory,
    get: async (key) => {
      state.reads += 1;
      if (state.down) throw new StoreUnavailable("down");
      return memory.get(key);
    },
    swap: async (...args) => {
      if (state.down || state.readOnly) throw new StoreUnavailable("down");
      return memory.swap(...args);
    },
  };
  const replica = (more: typeof options = {}) => testReplica({ clock, pool, store, ...options, ...more });
  return { clock, pool, state, replica, one: replica() };
}

/** The groups of a judgement that holds. */
const groupsIn = (judgement: object): readonly string[] => {
  if (!("grant" in judgement)) throw new Error(`it does not hold: ${JSON.stringify(judgement)}`);
  const { grant } = judgement as { grant: { upstream: { identity: { groups: string[] } } } };
  return grant.upstream.identity.groups;
};

describe("how often the store is asked", () => {
  test("once per grant and interval; in between the answer needs no promise", async () => {
    const { one, clock, state } = room();
    const { grantId } = await one.signIn();
    await one.judge.judge(grantId);
    state.reads = 0;
    clock.advance(14_999);
    expect(one.judge.judge(grantId)).toMatchObject(yes);
    expect(state.reads).toBe(0);
    clock.advance(1);
    const again = one.judge.judge(grantId);
    expect(again).toBeInstanceOf(Promise);
    expect(one.judge.judge(grantId)).toBe(again);
    await again;
    // The grant, and the switches for all, its client and its user.
    expect(state.reads).toBe(4);
    expect(one.judge.judge(grantId)).toMatchObject(yes);
  });

  test("every time with an interval of 0", async () => {
    const { one } = room({ tokens: { grantCheckInterval: "0s" } });
    const { grantId } = await one.signIn();
    await one.judge.judge(grantId);
    expect(one.judge.judge(grantId)).toBeInstanceOf(Promise);
  });

  test("many grants at one moment share the reading of the switches", async () => {
    const { one, state } = room();
    const ids = await Promise.all(Array.from({ length: 10 }, async () => (await one.signIn()).grantId));
    state.reads = 0;
    await Promise.all(ids.map(async (id) => one.judge.judge(id)));
    expect(state.reads).toBe(10 + 3);
  });
});

describe("a grant that was ended in another replica", () => {
  test("counts no longer than the interval", async () => {
    const { one, replica, clock } = room();
    const two = replica();
    const { grantId } = await one.signIn();
    expect(await two.judge.judge(grantId)).toMatchObject(yes);
    await endGrant(one.deps, grantId, "refresh_reused");
    clock.advance(14_999);
    expect(two.judge.judge(grantId)).toMatchObject(yes);
    clock.advance(1);
    expect(await two.judge.judge(grantId)).toEqual({ holds: "no", reason: "grant_ended" });
  });

  test("one that the store no longer has is revoked", async () => {
    const { one } = room();
    expect(await one.judge.judge("unknown")).toEqual({ holds: "no", reason: "grant_revoked" });
  });
});

describe("kill switches", () => {
  test.each([
    ["for all", { all: true }],
    ["for the user", { user: testSub }],
    ["for the client", { client: testClientId }],
  ] as const)(
    "%s: what began before ends in every replica within the interval; what begins after counts",
    async (_, scope) => {
      const { one, replica, clock, pool } = room();
      const two = replica();
      const { grantId } = await one.signIn();
      await one.judge.judge(grantId);
      await two.judge.judge(grantId);
      clock.advance(1);
      await one.epochs.set(scope);
      clock.advance(14_999);
      expect(await one.judge.judge(grantId)).toEqual({ holds: "no", reason: "grant_superseded_by_epoch" });
      // Whoever meets the grant first ends it for good, at Cognito too.
      expect(await two.judge.judge(grantId)).toEqual({ holds: "no", reason: "grant_ended" });
      expect(pool.revoked).toEqual(["cognito-refresh-1"]);
      const reason = "grant_superseded_by_epoch";
      expect(one.audit).toContainEqual(expect.objectContaining({ action: "grant.ended", grant: grantId, reason }));
      expect(await two.judge.judge((await one.signIn()).grantId)).toMatchObject(yes);
      // For good, not for a while.
      clock.advance(20 * 86_400_000);
      expect(await two.judge.judge(grantId)).toMatchObject({ holds: "no" });
    },
  );

  test.each([
    ["another user", { user: "other" }],
    ["another client", { client: "other" }],
    ["a user of the client's name", { user: testClientId }],
    ["a client of the user's name", { client: testSub }],
  ])("for %s: nothing happens", async (_, scope) => {
    const { one, clock } = room();
    const { grantId } = await one.signIn();
    clock.advance(1);
    await one.epochs.set(scope);
    expect(await one.judge.judgeAfresh(grantId)).toMatchObject(yes);
  });

  test("holds as well where the grant cannot be written as ended: the switch alone decides", async () => {
    const { one, clock, state } = room();
    const { grantId } = await one.signIn();
    clock.advance(1);
    await one.epochs.set({ all: true });
    clock.advance(15_000);
    state.readOnly = true;
    expect(await one.judge.judge(grantId)).toEqual({ holds: "no", reason: "grant_superseded_by_epoch" });
    expect(one.log.join("\n")).toContain("could not be written as ended");
  });

  test("a grant of the very same millisecond ends as well", async () => {
    const { one } = room();
    const { grantId } = await one.signIn();
    await one.epochs.set({ all: true });
    expect(await one.judge.judgeAfresh(grantId)).toMatchObject({ holds: "no" });
  });

  test("a shared reading counts from when it was read: the interval holds for every grant", async () => {
    const { one, replica, clock } = room();
    const two = replica();
    const [first, second] = [(await one.signIn()).grantId, (await one.signIn()).grantId];
    await two.judge.judge(first);
    clock.advance(500);
    await one.epochs.set({ all: true });
    clock.advance(400);
    // Rests on the switches as they were read 900 ms ago.
    expect(await two.judge.judge(second)).toMatchObject(yes);
    clock.advance(14_100);
    expect(await two.judge.judge(second)).toMatchObject({ holds: "no" });
  });

  test("one set under the old root secret holds under the new one", async () => {
    const { one, clock, replica } = room();
    const { grantId } = await one.signIn();
    clock.advance(1);
    await one.epochs.set({ user: testSub });
    expect(await replica({ secrets: [secretB, secretA] }).judge.judge(grantId)).toMatchObject({ holds: "no" });
  });

  test("while they cannot be read nothing is known, and it is asked again at once", async () => {
    const { one, state } = room();
    const { grantId } = await one.signIn();
    state.down = true;
    expect(await one.judge.judge(grantId)).toEqual({ holds: "unknown", reason: "store_unavailable" });
    state.down = false;
    expect(await one.judge.judge(grantId)).toMatchObject(yes);
  });
});

describe("renewal at Cognito", () => {
  test.each([
    [0, 0.7],
    [0.5, 0.8],
    [0.999_999, 0.9],
  ])("with a random %d it is due at %d of the maximum age", async (fraction, part) => {
    const { one, pool, clock } = room({ fraction });
    const { grantId } = await one.signIn();
    clock.advance(part * 15 * minute - 100);
    await one.judge.judge(grantId);
    await one.settled();
    expect(pool.renewals).toHaveLength(0);
    clock.advance(15_000);
    expect(await one.judge.judge(grantId)).toMatchObject(yes);
    await one.settled();
    expect(pool.renewals).toEqual(["cognito-refresh-1"]);
  });

  test("nobody asks, nothing is asked of Cognito", async () => {
    const { one, pool, clock } = room();
    await one.signIn();
    clock.advance(60 * minute);
    await one.settled();
    expect(pool.renewals).toEqual([]);
  });

  test("in the background it holds up no request, and the next reading sees what it brought", async () => {
    const { one, pool, clock } = room();
    const { grantId } = await one.signIn();
    pool.user.groups = ["readers"];
    const answered = Promise.withResolvers<void>();
    pool.beforeRenewal = () => answered.promise;
    clock.advance(13.6 * minute);
    expect(groupsIn(await one.judge.judge(grantId))).toEqual(["admins"]);
    expect(groupsIn(await one.judge.judge(grantId))).toEqual(["admins"]);
    answered.resolve();
    await one.settled();
    expect(groupsIn(await one.judge.judge(grantId))).toEqual(["readers"]);
    expect(pool.renewals).toHaveLength(1);
  });

  test("once the age has run out the request waits, and sees the groups of now", async () => {
    const { one, pool, clock } = room();
    const { grantId } = await one.signIn();
    pool.user.groups = [];
    clock.advance(15 * minute);
    expect(groupsIn(await one.judge.judge(grantId))).toEqual([]);
    expect(pool.renewals).toEqual(["cognito-refresh-1"]);
    // The next one sends what Cognito gave last.
    clock.advance(15 * minute);
    await one.judge.judge(grantId);
    expect(pool.renewals).toEqual(["cognito-refresh-1", "cognito-refresh-2"]);
  });

  test.each([
    ["in the background", 13.6],
    ["while a request waits", 15],
  ])("a user who was disabled loses access, %s", async (_, minutes) => {
    const { one, pool, clock } = room();
    const { grantId, refreshToken } = await one.signIn();
    pool.user.enabled = false;
    clock.advance(minutes * minute);
    await one.judge.judge(grantId);
    await one.settled();
    expect(await one.judge.judge(grantId)).toEqual({ holds: "no", reason: "grant_ended" });
    await expect(one.rotate(refreshToken)).rejects.toMatchObject({ reason: "grant_ended" });
    expect(one.audit).toMatchObject([{ action: "grant.ended", reason: "upstream_ended" }]);
    // Cognito has ended it: there is nothing to take back.
    expect(pool.revoked).toEqual([]);
  });

  test("a sign-in for which Cognito gave no refresh token ends when its word has run out", async () => {
    const { one, pool, clock } = room();
    const session = pool.signIn();
    pool.signIn = () => ({ identity: session.identity, authTime: session.authTime });
    const { grantId } = await one.signIn();
    expect(await one.judge.judge(grantId)).toMatchObject(yes);
    clock.advance(15 * minute);
    expect(await one.judge.judge(grantId)).toEqual({ holds: "no", reason: "grant_ended" });
    expect(pool.renewals).toEqual([]);
  });
});

describe("while Cognito gives no answer", () => {
  test.each(["unavailable", "misconfigured", "invalid_response"] as const)(
    "%s: access goes on for the grace, then nothing is known, nothing ends, and it comes back",
    async (failure) => {
      const { one, pool, clock } = room();
      const { grantId, refreshToken } = await one.signIn();
      pool.beforeRenewal = () => Promise.reject(new IdentityProviderError(failure, "no answer"));
      clock.advance(15 * minute);
      expect(await one.judge.judge(grantId)).toMatchObject(yes);
      clock.advance(5 * minute - 1);
      expect(await one.judge.judge(grantId)).toMatchObject(yes);
      clock.advance(15_000);
      expect(await one.judge.judge(grantId)).toEqual({ holds: "unknown", reason: "provider_unavailable" });
      expect(pool.renewals.length).toBeGreaterThan(1);
      pool.beforeRenewal = async () => {};
      clock.advance(5_000);
      expect(await one.judge.judge(grantId)).toMatchObject(yes);
      expect(await one.rotate(refreshToken)).toBeTypeOf("string");
      expect(one.audit.map(({ action }) => action)).not.toContain("grant.ended");
      expect(pool.revoked).toEqual([]);
    },
  );

  test("it is left alone for 5 s, however many ask", async () => {
    const { one, pool, clock } = room();
    const ids = [(await one.signIn()).grantId, (await one.signIn()).grantId];
    pool.beforeRenewal = () => Promise.reject(unavailable);
    clock.advance(21 * minute);
    for (const id of [...ids, ...ids]) expect(await one.judge.judge(id)).toMatchObject({ holds: "unknown" });
    expect(pool.renewals).toHaveLength(1);
    clock.advance(5_000);
    await one.judge.judge(ids[0] ?? "");
    expect(pool.renewals).toHaveLength(2);
  });

  test("an answer that cannot be trusted for one grant holds up no other", async () => {
    const { one, pool, clock } = room();
    const [bad, good] = [(await one.signIn()).grantId, (await one.signIn()).grantId];
    pool.beforeRenewal = async () => {
      if (pool.renewals.at(-1) === "cognito-refresh-1")
        throw new IdentityProviderError("invalid_response", "other sub");
    };
    clock.advance(21 * minute);
    expect(await one.judge.judge(bad)).toEqual({ holds: "unknown", reason: "provider_unavailable" });
    expect(await one.judge.judge(good)).toMatchObject(yes);
    // And Cognito is not asked again for it at every request.
    expect(await one.judge.judge(bad)).toMatchObject({ holds: "unknown" });
    expect(pool.renewals).toEqual(["cognito-refresh-1", "cognito-refresh-2"]);
  });

  test("a failure in the background is logged without anything secret, and rejects nowhere", async () => {
    const { one, pool, clock, state } = room();
    const { grantId } = await one.signIn();
    pool.afterRenewal = async () => {
      state.down = true;
    };
    clock.advance(13.6 * minute);
    expect(await one.judge.judge(grantId)).toMatchObject(yes);
    await one.settled();
    expect(one.log.join("\n")).toContain("a sign-in could not be renewed");
    expect(one.log.join("\n")).not.toContain("cognito-refresh");
  });
});

describe("a machine's grant", () => {
  const machine = { clientId: "robot", resource: "https://mcp.example/clock/mcp", scopes: ["read"] };

  test("ends with Cognito's answer, and has no renewal", async () => {
    const { one, pool, clock } = room();
    const { grantId } = await issueMachineGrant(one.deps, { ...machine, until: clock.now() + 5 * minute });
    clock.advance(5 * minute - 1);
    expect(await one.judge.judge(grantId)).toMatchObject(yes);
    clock.advance(1);
    expect(await one.judge.judgeAfresh(grantId)).toMatchObject({ holds: "no" });
    expect(pool.renewals).toEqual([]);
  });

  test("with keys of its own ends with its access token", async () => {
    const { one, pool, clock } = room();
    const { grantId } = await issueMachineGrant(one.deps, { ...machine, until: undefined });
    clock.advance(10 * minute - 1);
    expect(await one.judge.judge(grantId)).toMatchObject(yes);
    clock.advance(1);
    expect(await one.judge.judgeAfresh(grantId)).toEqual({ holds: "no", reason: "grant_ended" });
    expect(pool.renewals).toEqual([]);
  });

  test.each([
    ["cognito_client", 1],
    ["registered_key", undefined],
  ] as const)("behind which is %s ends when the configuration has none such any more", async (kind, until) => {
    const configured = new Set(["cognito_client", "registered_key"]);
    const { one, clock } = room({ isMachine: (id, asked) => id === "robot" && configured.has(asked) });
    const { grantId } = await issueMachineGrant(one.deps, { ...machine, until: until && clock.now() + until * minute });
    expect(await one.judge.judgeAfresh(grantId)).toMatchObject(yes);
    // The entry is there but is now of the other kind, or it is gone.
    configured.delete(kind);
    expect(await one.judge.judgeAfresh(grantId)).toEqual({ holds: "no", reason: "machine_unknown" });
  });
});
