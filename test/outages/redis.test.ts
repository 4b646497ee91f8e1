import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gatewaySection } from "@sallyport/gateway";
import { combine, coreSection, createSallyport, loadConfig } from "sallyport";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startEnvironment, type TestEnvironment } from "../support/environment.ts";
import { refresh } from "../support/oauth-client.ts";
import { describeWithRedis, type RedisServer, startRedis } from "../support/redis-server.ts";
import { endedSince, everything, expectOutage, expectRecovery, newSession, readyz, request } from "./outage.ts";

const checkInterval = 15_001;

describeWithRedis("Redis is out", () => {
  let folder: string;
  let redis: RedisServer;
  let env: TestEnvironment;
  const start = (port?: number): Promise<RedisServer> =>
    startRedis(["--appendonly", "yes", "--appendfsync", "always", "--dir", folder], port);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sallyport-outage-"));
    redis = await start();
    env = await startEnvironment({ store: redis.url });
  });
  afterAll(async () => {
    await env.close();
    await redis.close();
    await rm(folder, { recursive: true, force: true });
  });

  const command = (...args: string[]): string =>
    execFileSync("redis-cli", ["-p", String(redis.port), ...args], { encoding: "utf8" }).trim();

  test("it hangs: 503 in time, then at once, however many ask; and it goes on when it answers again", async () => {
    const session = await newSession(env);
    const seen = env.audit.length;
    env.clock.advance(checkInterval);
    redis.process.kill("SIGSTOP");
    onTestFinished(() => void redis.process.kill("SIGCONT"));
    const wanted = everything(env, session);
    const healthy = await Promise.all([
      readyz(env),
      fetch(`${env.url}/healthz`).then(({ status }) => status),
      fetch(`${env.url}/.well-known/jwks.json`).then(({ status }) => status),
      ...Object.entries(wanted).map(([what, send]) => expectOutage(what, send(), 5_000)),
    ]);
    expect(healthy.slice(0, 3)).toEqual(["503 store unavailable", 200, 200]);

    // The connection that says nothing is given up. From then on nobody waits, and so nothing piles up.
    await expect.poll(() => env.log.join("\n"), { timeout: 5_000 }).toContain("the connection to Redis is gone");
    const started = performance.now();
    const crowd = Array.from({ length: 300 }, (_, n) =>
      expectOutage("a crowd", n % 2 === 0 ? wanted.request() : wanted.refresh(), 5_000),
    );
    await Promise.all(crowd);
    expect(performance.now() - started).toBeLessThan(5_000);

    redis.process.kill("SIGCONT");
    await expectRecovery(env, session);
    expect(endedSince(env, seen)).toEqual([]);
  });

  test("it is killed and comes back with what it had on its disk: 503 at once, then on with the same tokens", async () => {
    const session = await newSession(env);
    const seen = env.audit.length;
    env.clock.advance(checkInterval);
    const { port } = redis;
    await redis.close();
    for (const [what, send] of Object.entries(everything(env, session))) await expectOutage(what, send(), 1_000);
    expect(await readyz(env)).toBe("503 store unavailable");
    redis = await start(port);
    await expectRecovery(env, session);
    expect(endedSince(env, seen)).toEqual([]);
  });

  test("a start that fails leaves no connection behind", async () => {
    const { config } = await loadConfig({
      schema: combine([coreSection, gatewaySection]),
      env: {},
      overrides: env.settings,
    });
    const connections = () => command("client", "list").split("\n").length;
    const before = connections();
    const stranger = { ...config, secret: ["another root secret that never sealed a thing here"] };
    await expect(createSallyport(stranger)).rejects.toThrow(/keyring cannot be read/);
    await expect.poll(connections).toBe(before);
  });

  test("it is slow: requests wait for it, and are served", async () => {
    const session = await newSession(env);
    env.clock.advance(checkInterval);
    command("client", "pause", "1200", "all");
    const started = performance.now();
    const answers = await Promise.all([
      request(env, session.accessToken),
      refresh(env.url, session.client, session.refreshToken),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(performance.now() - started).toBeGreaterThan(1_000);
  });

  test("it is full and takes no more writes: 503, nothing ends, and reads go on", async () => {
    const session = await newSession(env);
    const seen = env.audit.length;
    command("config", "set", "maxmemory", "1mb");
    onTestFinished(() => void command("config", "set", "maxmemory", "0"));
    await expectOutage("refresh", refresh(env.url, session.client, session.refreshToken), 1_000);
    expect((await request(env, session.accessToken)).status).toBe(200);
    command("config", "set", "maxmemory", "0");
    await expectRecovery(env, session);
    expect(endedSince(env, seen)).toEqual([]);
  });

  test("it may drop live records: /readyz says that it is unfit, the log says why and what to do", async () => {
    command("config", "set", "maxmemory-policy", "allkeys-lru");
    onTestFinished(() => void command("config", "set", "maxmemory-policy", "noeviction"));
    // A fit store is believed in for a minute.
    env.clock.advance(60_000);
    expect(await readyz(env)).toBe("503 store unfit");
    const warning = env.log.filter((line) => line.includes("this process is not ready")).at(-1);
    expect(warning).toMatch(/store unfit: Redis has maxmemory-policy allkeys-lru.*set it to noeviction/);
    command("config", "set", "maxmemory-policy", "noeviction");
    env.clock.advance(5_000);
    expect(await readyz(env)).toBe("200 ready");

    // A gateway that starts so says so in its log before anybody asks.
    command("config", "set", "maxmemory-policy", "volatile-ttl");
    const unfit = await startEnvironment({ store: `${redis.url}?prefix=unfit:` });
    onTestFinished(() => unfit.close());
    await expect.poll(() => unfit.log.join("\n")).toMatch(/not ready.*maxmemory-policy volatile-ttl/);
  });
});
