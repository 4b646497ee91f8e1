import { describe, expect, test } from "vitest";
import { reasonOf, testRedirect, testReplica, testResource } from "../../test/grants/test-replica.ts";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { testPool } from "../../test/support/test-pool.ts";
import type { redeemCode } from "./index.ts";

function room() {
  const clock = steppingClock();
  const pool = testPool(clock);
  return { clock, pool, replica: testReplica({ clock, pool }) };
}

describe("a code", () => {
  test("becomes a live grant with the first refresh token", async () => {
    const { replica, clock } = room();
    const { code, grantId } = await replica.code();
    expect(await replica.judge.judge(grantId)).toEqual({ holds: "no", reason: "grant_ended" });
    const live = await replica.redeem(code, { redirectUri: testRedirect, resource: testResource });
    expect(live.grantId).toBe(grantId);
    expect(live.grant).toMatchObject({ state: "live", absoluteUntil: clock.now() + 30 * 86_400_000 });
    expect(await replica.judge.judgeAfresh(grantId)).toMatchObject({ holds: "yes" });
  });

  test("of ten redemptions at once one succeeds, and the nine harm nothing", async () => {
    const { replica } = room();
    const { code, grantId } = await replica.code();
    const reasons = await Promise.all(Array.from({ length: 10 }, () => reasonOf(replica.redeem(code))));
    expect(reasons.toSorted()).toEqual([...Array.from({ length: 9 }, () => "code_used"), "none"]);
    expect(await replica.judge.judgeAfresh(grantId)).toMatchObject({ holds: "yes" });
  });

  test.each<[string, Partial<Parameters<typeof redeemCode>[1]>, string]>([
    ["another client", { clientId: "other" }, "code_client_mismatch"],
    ["another redirect", { redirectUri: `${testRedirect}/` }, "code_redirect_mismatch"],
    ["another verifier", { codeVerifier: "w".repeat(43) }, "pkce_mismatch"],
    ["the challenge as verifier", { codeVerifier: "" }, "pkce_mismatch"],
    ["another resource", { resource: `${testResource}/x` }, "code_resource_mismatch"],
  ])("%s changes nothing: the right one still redeems", async (_, more, reason) => {
    const { replica } = room();
    const { code } = await replica.code();
    expect(await reasonOf(replica.redeem(code, more))).toBe(reason);
    expect(await reasonOf(replica.redeem(code))).toBe("none");
  });

  test("lives for 60 s", async () => {
    const { replica, clock } = room();
    const [early, late] = [await replica.code(), await replica.code()];
    clock.advance(59_999);
    expect(await reasonOf(replica.redeem(early.code))).toBe("none");
    clock.advance(1);
    expect(await reasonOf(replica.redeem(late.code))).toBe("code_expired");
    clock.advance(60_000);
    expect(await reasonOf(replica.redeem(late.code))).toBe("code_unknown");
  });

  test("a refresh token is no code", async () => {
    const { replica } = room();
    const { refreshToken } = await replica.signIn();
    expect(await reasonOf(replica.redeem(refreshToken))).toBe("code_malformed");
  });
});

describe("a code that comes again", () => {
  test("within 5 s by the same client with the right verifier is a retry and changes nothing", async () => {
    const { replica, clock, pool } = room();
    const { code, grantId } = await replica.code();
    const { refreshToken = "" } = await replica.redeem(code);
    clock.advance(5_000);
    expect(await reasonOf(replica.redeem(code))).toBe("code_used");
    expect(await replica.judge.judgeAfresh(grantId)).toMatchObject({ holds: "yes" });
    expect(await replica.rotate(refreshToken)).toBeTypeOf("string");
    expect(pool.revoked).toEqual([]);
  });

  test.each<[string, number, Partial<Parameters<typeof redeemCode>[1]>]>([
    ["later", 5_001, {}],
    ["at once by another client", 0, { clientId: "other" }],
    ["at once with another verifier", 0, { codeVerifier: "w".repeat(43) }],
    ["at once with another redirect", 0, { redirectUri: "http://127.0.0.1:10/callback" }],
  ])("%s ends the grant, here and at Cognito", async (_, after, more) => {
    const { replica, clock, pool } = room();
    const { code, grantId } = await replica.code();
    const { refreshToken = "" } = await replica.redeem(code);
    clock.advance(after);
    expect(await reasonOf(replica.redeem(code, more))).toBe("code_replayed");
    expect(await replica.judge.judgeAfresh(grantId)).toEqual({ holds: "no", reason: "grant_ended" });
    expect(await reasonOf(replica.rotate(refreshToken))).toBe("grant_ended");
    expect(pool.revoked).toEqual(["cognito-refresh-1"]);
    expect(replica.audit).toMatchObject([{ action: "grant.ended", reason: "code_replayed", grant: grantId }]);
    // What is kept of it opens nothing.
    const kept = (await replica.deps.grants.get(grantId))?.value;
    expect(kept).toMatchObject({ state: "ended", endedBecause: "code_replayed" });
    for (const field of ["upstream", "refresh", "code", "lease"]) expect(kept).not.toHaveProperty(field);
  });

  test("after its own life is only expired", async () => {
    const { replica, clock } = room();
    const { code, grantId } = await replica.code();
    await replica.redeem(code);
    clock.advance(60_000);
    expect(await reasonOf(replica.redeem(code))).toBe("code_expired");
    expect(await replica.judge.judgeAfresh(grantId)).toMatchObject({ holds: "yes" });
  });
});
