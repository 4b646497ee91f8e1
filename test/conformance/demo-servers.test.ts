import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DemoServers, startDemoServers } from "../../packages/cli/src/demo/index.ts";
import { runConformance, shortfalls } from "./run-suite.ts";

/** The baseline: the same runs through the gateway must not do worse than these without it. */
describe("the demo server `everything` under the conformance suite, without a gateway", () => {
  let demo: DemoServers;
  beforeAll(async () => {
    demo = await startDemoServers();
  });
  afterAll(async () => {
    await demo.close();
  });
  const everything = (): string => {
    const url = demo.servers.find(({ name }) => name === "everything")?.url;
    if (url === undefined) throw new Error("everything is not served");
    return url;
  };

  it("does all that 2025-11-25 requires, and what it lists beyond that", async () => {
    const run = await runConformance({ url: everything(), requirements: "2025-11-25" });
    expect(shortfalls(run), run.output).toEqual([]);
    expect(run.exitCode).toBe(0);
    expect(run.scenarios.filter(({ required }) => required)).toHaveLength(30);
    expect(run.scenarios.filter(({ status }) => status !== "SUCCESS").map(({ name }) => name)).toEqual([]);
  });

  it("does all that 2026-07-28 requires, and what it lists beyond that except the tasks extension", async () => {
    const run = await runConformance({ url: everything(), requirements: "2026-07-28" });
    expect(shortfalls(run), run.output).toEqual([]);
    expect(run.exitCode).toBe(0);
    expect(run.scenarios.filter(({ required }) => required)).toHaveLength(37);
    const others = run.scenarios.filter(({ status, name }) => status !== "SUCCESS" && !name.startsWith("tasks-"));
    expect(others.map(({ name }) => name)).toEqual([]);
  });
});
