import { setTimeout as after } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CrashPoint } from "../support/crash-store.ts";
import { describeWithRedis } from "../support/redis-server.ts";
import { isSoak } from "../support/soak.ts";
import { grantSteps } from "./grant-steps.ts";
import { type Lane, openLane, redisPlace, sqlitePlace } from "./lane.ts";
import { rotationSteps } from "./rotation-steps.ts";
import { expectFreshStart, type Prepared, type Step } from "./step.ts";

/** Chooses the moments of death among the operations of a step. */
type Choice = (operations: readonly string[]) => readonly CrashPoint[];

const everywhere: Choice = (operations) =>
  operations.flatMap((_, at) => [
    { operation: at + 1, when: "before" },
    { operation: at + 1, when: "after" },
  ]);

/** Between two writes the store is the same. Those that only count requests are left out. */
const afterEachWrite: Choice = (operations) =>
  operations.flatMap((name, at) => (/^(?:get|count) /.test(name) ? [] : [{ operation: at + 1, when: "after" }]));

/** Not so if something else has changed meanwhile: what follows the lease on a grant is Cognito's answer. */
const beforeSecondSwap: Choice = (operations) => {
  const [, second] = operations.flatMap((name, at) => (name === "swap grant" ? [at + 1] : []));
  return second === undefined ? [] : [{ operation: second, when: "before" }];
};

const allSteps = [...grantSteps, ...rotationSteps];

/** The long run looks at every step, everywhere. */
const kinds = [
  {
    name: "sqlite",
    suite: describe,
    place: sqlitePlace,
    steps: allSteps.filter(({ alike }) => !alike),
    choice: (operations: readonly string[]) => [...afterEachWrite(operations), ...beforeSecondSwap(operations)],
    answered: true,
  },
  {
    name: "redis",
    suite: describeWithRedis,
    place: redisPlace,
    steps: allSteps.filter(({ promises }) => promises),
    choice: (operations: readonly string[]) => afterEachWrite(operations).slice(-1),
    answered: false,
  },
] as const;

for (const { name, suite, place, steps, choice, answered } of kinds)
  suite(`a gateway on ${name} that is killed in the middle and started again`, () => {
    let lane: Lane;
    beforeAll(async () => {
      lane = await openLane(await place());
    });
    afterAll(() => lane.close());

    test("while it makes the first signing key: the next start makes it, or goes on with what was made", async () => {
      for (const when of ["before", "after"] as const) {
        await expect(lane.start({ operation: 1, when })).rejects.toThrow("SIGKILL");
        expect((await lane.keys.status())?.keys.length).toBe(when === "before" ? undefined : 1);
        await lane.expectSound();
      }
      const made = (await lane.keys.status())?.keys;
      await lane.start();
      expect((await lane.keys.status())?.keys).toEqual(made);
      await expectFreshStart(lane);
    });

    for (const step of isSoak ? allSteps : steps)
      test(step.name, { timeout: isSoak ? 3_600_000 : 60_000 }, async () => {
        const operations = await operationsOf(step);
        for (const point of (isSoak ? everywhere : choice)(operations)) {
          await afterDeath(step, async ({ run }) => {
            await lane.gateway().watch(point);
            await run().catch(() => "cut");
            const lives = after(10_000, undefined, { ref: false });
            const died = await Promise.race([lane.gateway().process.exited, lives]);
            expect(died?.signal, `it was to die ${point.when} ${operations[point.operation - 1]}`).toBe("SIGKILL");
          });
        }
        if (!isSoak && !(answered && step.promises)) return;
        await afterDeath(step, async ({ run }) => {
          await run();
          expect((await lane.gateway().kill()).signal).toBe("SIGKILL");
        });
      });

    /** What the step asks of the store when nothing happens to it. */
    async function operationsOf(step: Step): Promise<readonly string[]> {
      const prepared = await step.prepare(lane);
      await lane.gateway().watch();
      await prepared.run();
      const operations = await lane.gateway().noted();
      expect(operations.length).toBeGreaterThan(0);
      await prepared.after();
      return operations;
    }

    /** Makes the step ready, lets it and the gateway end somehow, and sees that all is well with the next gateway. */
    async function afterDeath(step: Step, death: (prepared: Prepared) => Promise<void>): Promise<void> {
      const prepared = await step.prepare(lane);
      await death(prepared);
      await lane.start();
      await lane.expectSound();
      await prepared.after();
      await lane.expectSound();
      await expectFreshStart(lane);
    }
  });
