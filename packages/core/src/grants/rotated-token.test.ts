import { expect, test } from "vitest";
import { testReplica } from "../../test/grants/test-replica.ts";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { testPool } from "../../test/support/test-pool.ts";
import { IdentityProviderError, type IdentityProviderFailure } from "../identity/identity-provider.ts";
import { systemRandom } from "../runtime/index.ts";
import { memoryStore } from "../store/index.ts";

const minute = 60_000;
const pastGrace = 21 * minute;

/** A pool that is asked for more after each renewal, which may fail: what userInfo is at Cognito. */
function room() {
  const clock = steppingClock();
  const pool = testPool(clock);
  const more: { failure: IdentityProviderFailure | undefined; before: () => Promise<void> } = {
    failure: undefined,
    before: async () => {},
  };
  const { provider } = pool;
  const asking = {
    ...pool,
    provider: {
      ...provider,
      refresh: async (request: Parameters<typeof provider.refresh>[0]) => {
        const session = await provider.refresh(request);
        await more.before();
        await request.keepRotated?.(session.refreshToken ?? "");
        if (more.failure !== undefined) throw new IdentityProviderError(more.failure, "the rest was not to be had");
        return session;
      },
    },
  };
  const store = memoryStore({ clock, random: systemRandom });
  const replica = () => testReplica({ clock, pool: asking, store });
  return { clock, pool, more, one: replica(), two: replica() };
}

test("a token that Cognito rotated is not lost to an outage of what is asked after it, however long", async () => {
  const { clock, pool, more, one } = room();
  const { grantId } = await one.signIn();
  clock.advance(pastGrace);
  more.failure = "unavailable";
  expect(await one.judge.judge(grantId)).toEqual({ holds: "unknown", reason: "provider_unavailable" });
  const kept = (await one.deps.grants.get(grantId))?.value;
  expect(kept?.upstream).toMatchObject({ refreshToken: "cognito-refresh-2" });
  expect(kept).not.toHaveProperty("lease");
  // Cognito's grace for the token that was sent is long over.
  clock.advance(10 * minute);
  more.failure = undefined;
  expect(await one.judge.judge(grantId)).toMatchObject({ holds: "yes" });
  expect(pool.renewals).toEqual(["cognito-refresh-1", "cognito-refresh-2"]);
});

test("a refusal after the rotation ends the grant", async () => {
  const { clock, more, one } = room();
  const { grantId } = await one.signIn();
  clock.advance(pastGrace);
  more.failure = "refused";
  expect(await one.judge.judge(grantId)).toEqual({ holds: "no", reason: "grant_ended" });
});

test("whoever was overtaken does not put its older token over the newer one", async () => {
  const { clock, more, one, two } = room();
  const { grantId } = await one.signIn();
  clock.advance(pastGrace);
  let release = (): void => {};
  const reached = new Promise<void>((arrived) => {
    more.before = () =>
      new Promise((resolve) => {
        release = resolve;
        more.before = async () => {};
        arrived();
      });
  });
  const first = one.judge.judge(grantId);
  await reached;
  clock.advance(10_000);
  expect(await two.judge.judge(grantId)).toMatchObject({ holds: "yes" });
  release();
  expect(await first).toMatchObject({ holds: "yes" });
  expect((await two.deps.grants.get(grantId))?.value.upstream).toMatchObject({ refreshToken: "cognito-refresh-3" });
});
