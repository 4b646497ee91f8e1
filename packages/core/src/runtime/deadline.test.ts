import { expect, test } from "vitest";
import { withDeadline } from "./index.ts";

test("work that ends in time is answered as it ends", async () => {
  expect(await withDeadline(1_000, async () => "done")).toBe("done");
  await expect(withDeadline(1_000, () => Promise.reject(new TypeError("wrong")))).rejects.toThrow("wrong");
});

test("work that listens to nobody is not waited for, and work that listens is told", async () => {
  let told: AbortSignal | undefined;
  const work = (signal: AbortSignal): Promise<never> => {
    told = signal;
    return new Promise(() => {});
  };
  // A timer that keeps the process, which the deadline's own does not.
  const alive = setTimeout(() => {}, 5_000);
  await expect(withDeadline(20, work)).rejects.toMatchObject({ name: "TimeoutError" });
  clearTimeout(alive);
  expect(told?.aborted).toBe(true);
});
