import { readFile } from "node:fs/promises";
import { setTimeout as after } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type Fleet, startFleet } from "../replicas/fleet.ts";
import { authorizeUrl, pkce, refresh, register } from "../support/oauth-client.ts";
import { describeWithRedis, type RedisServer, startRedis } from "../support/redis-server.ts";
import { isSoak } from "../support/soak.ts";
import { newSession } from "./outage.ts";

const checkInterval = 15_001;
/** How long the store says nothing, ms. */
const outage = isSoak ? 30_000 : 5_000;
const senders = 64;
/** Of a heap that grows with the load until it is collected, bytes. */
const mostGrowth = 96 * 1024 * 1024;

describeWithRedis("memory while the store hangs", () => {
  let redis: RedisServer;
  let fleet: Fleet;
  beforeAll(async () => {
    redis = await startRedis();
    fleet = await startFleet(redis.url, 1);
  });
  afterAll(async () => {
    await fleet.close();
    await redis.close();
  });

  test("stays bounded, however long many senders go on asking", { timeout: 120_000 }, async () => {
    const { url } = fleet.replica(1);
    const at = { ...fleet.env, url };
    const session = await newSession(at);
    const client = await register(url);
    const pid = fleet.replica(1).process.child.pid;
    const resident = async (): Promise<number> => {
      const status = await readFile(`/proc/${pid}/status`, "utf8");
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
    };
    const counts = new Map<number, number>();
    /** Many who ask again as soon as they have an answer, for so long. */
    const askFor = async (ms: number): Promise<void> => {
      const end = performance.now() + ms;
      const asker = async (number: number): Promise<void> => {
        while (performance.now() < end) {
          const response =
            number % 4 === 0
              ? await refresh(url, session.client, session.refreshToken)
              : await fetch(authorizeUrl(url, client, pkce()), { redirect: "manual" });
          await response.text();
          counts.set(response.status, (counts.get(response.status) ?? 0) + 1);
          // Who is refused at once would otherwise do nothing but measure this loop.
          await after(20);
        }
      };
      await Promise.all(Array.from({ length: senders }, (_, number) => asker(number)));
    };

    await askFor(2_000);
    await fleet.advance(checkInterval);
    counts.clear();
    redis.process.kill("SIGSTOP");
    onTestFinished(() => void redis.process.kill("SIGCONT"));
    // Until the connection that says nothing is given up, and with a heap that has grown to its load.
    await askFor(outage / 2);
    const early = await resident();
    await askFor(outage / 2);
    expect((await resident()) - early).toBeLessThan(mostGrowth);
    expect([...counts.keys()].filter((status) => status !== 503 && status !== 429)).toEqual([]);
    redis.process.kill("SIGCONT");
  });
});
