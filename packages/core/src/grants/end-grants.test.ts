import { describe, expect, test } from "vitest";
import { testClientId, testReplica } from "../../test/grants/test-replica.ts";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { testPool, testSub } from "../../test/support/test-pool.ts";
import { IdentityProviderError } from "../identity/index.ts";
import { type EpochScope, endGrants, type GrantDeps } from "./index.ts";

function room() {
  const clock = steppingClock();
  const pool = testPool(clock);
  const signedOut: string[] = [];
  const cognito = { works: true };
  const signOutEverywhere = async (sub: string): Promise<void> => {
    if (!cognito.works) throw new IdentityProviderError("unavailable", "AdminUserGlobalSignOut failed: TimeoutError");
    signedOut.push(sub);
  };
  const one = testReplica({ clock, pool });
  const deps: GrantDeps = { ...one.deps, identityProvider: { ...pool.provider, signOutEverywhere } };
  const end = (scope: EpochScope, globalSignOut = false) => endGrants(deps, one.epochs, scope, globalSignOut);
  return { one, deps, cognito, signedOut, end };
}
const ended = { holds: "no", reason: "grant_superseded_by_epoch" };

describe("a kill switch that is thrown", () => {
  test.each<[string, EpochScope, object]>([
    ["for all", { all: true }, {}],
    ["for a user", { user: testSub }, { user: testSub }],
    ["for a client", { client: testClientId }, { client: testClientId }],
  ])("%s is in the trail, with whom it concerns", async (_, scope, whom) => {
    const { one, end, signedOut } = room();
    const { grantId } = await one.signIn();
    await end(scope);
    const { time, ...event } = one.audit.at(-1) ?? { time: "" };
    expect(event).toEqual({ action: "grants.ended", ...whom });
    expect(await one.judge.judgeAfresh(grantId)).toEqual(ended);
    // Nobody is signed out at Cognito who was not meant to be.
    expect(signedOut).toEqual([]);
  });

  test("signs out everywhere where the settings say so: a user, and nobody for a client or for all", async () => {
    const { end, signedOut } = room();
    await end({ all: true }, true);
    await end({ client: testClientId }, true);
    expect(signedOut).toEqual([]);
    await end({ user: testSub }, true);
    expect(signedOut).toEqual([testSub]);
  });

  test("is thrown as well where Cognito does not sign the user out, which is told", async () => {
    const { one, end, cognito } = room();
    const { grantId } = await one.signIn();
    cognito.works = false;
    await expect(end({ user: testSub }, true)).rejects.toThrow("AdminUserGlobalSignOut failed: TimeoutError");
    expect(await one.judge.judgeAfresh(grantId)).toEqual(ended);
    expect(one.audit.map(({ action }) => action)).toContain("grants.ended");
  });
});
