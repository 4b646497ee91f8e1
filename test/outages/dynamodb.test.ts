import { setTimeout as after } from "node:timers/promises";
import { createDynamoTable } from "sallyport";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type DynamoServer, startDynamo } from "../support/dynamo-server.ts";
import { type DynamoWire, type Fate, startDynamoWire } from "../support/dynamo-wire.ts";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { endedSince, everything, expectOutage, expectRecovery, newSession, readyz } from "./outage.ts";

const checkInterval = 15_001;
/** What the AWS SDK opens at a time. */
const mostSockets = 50;

let dynamo: DynamoServer;
let wire: DynamoWire;
let env: TestEnvironment;
beforeAll(async () => {
  dynamo = await startDynamo();
  wire = await startDynamoWire(dynamo);
  await createDynamoTable(wire.url("outage"), async () => {});
  env = await startEnvironment({ store: wire.url("outage") });
});
afterAll(async () => {
  await env.close();
  wire.close();
  await dynamo.close();
});

const internal = { __type: "com.amazonaws.dynamodb.v20120810#InternalServerError", message: "oh dear" };

/** Lets ten seconds pass for each that does, until something is over: deadlines and pauses go by the clock. */
async function hurry<T>(work: Promise<T>): Promise<T> {
  let over = false;
  const ended = work.finally(() => {
    over = true;
  });
  while (!over) {
    await Promise.race([after(100), ended.catch(() => {})]);
    env.clock.advance(900);
  }
  return await ended;
}

test.each<[string, Fate]>([
  ["throttles", "throttle"],
  ["fails", { status: 500, body: internal }],
])(
  "DynamoDB %s: 503 within the deadline after a few attempts, nothing ends, and it goes on by itself",
  async (_, fate) => {
    const session = await newSession(env);
    const seen = env.audit.length;
    env.clock.advance(checkInterval);
    wire.fate = fate;
    onTestFinished(() => {
      wire.fate = "pass";
    });
    const before = wire.seen.length;
    const wanted = Object.entries(everything(env, session));
    await hurry(Promise.all(wanted.map(([what, send]) => expectOutage(what, send(), 5_000))));
    // Each with growing pauses: an outage is not made worse by who suffers it.
    expect(wire.seen.length - before).toBeLessThan(20 * wanted.length);
    expect(await readyz(env)).toBe("503 store unavailable");
    wire.fate = "pass";
    await expectRecovery(env, session);
    expect(endedSince(env, seen)).toEqual([]);
  },
);

test("DynamoDB hangs: a crowd is answered within the deadline, and nothing of it stays", async () => {
  const session = await newSession(env);
  const seen = env.audit.length;
  env.clock.advance(checkInterval);
  wire.fate = "hang";
  onTestFinished(() => {
    wire.fate = "pass";
  });
  const wanted = everything(env, session);
  const crowd = Array.from({ length: 200 }, () => expectOutage("a crowd", wanted.refresh(), 8_000));
  await expect.poll(() => wire.hanging()).toBeGreaterThan(0);
  expect(wire.hanging()).toBeLessThanOrEqual(mostSockets);
  await hurry(Promise.all(crowd));
  await expect.poll(() => wire.hanging()).toBe(0);
  wire.fate = "pass";
  await expectRecovery(env, session);
  expect(endedSince(env, seen)).toEqual([]);
});

test("the table is gone: /readyz says no more than that, the log names it", async () => {
  expect(await readyz(env)).toBe("200 ready");
  wire.fate = { status: 400, body: { __type: "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException" } };
  onTestFinished(() => {
    wire.fate = "pass";
  });
  expect(await readyz(env)).toBe("503 store unavailable");
  expect(env.log.filter((line) => line.includes("not ready")).at(-1)).toContain("ResourceNotFoundException");
});
