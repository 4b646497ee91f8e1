import { execFileSync, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { createLogger, silentLogger, systemClock, systemRandom } from "../../packages/core/src/runtime/index.ts";
import { openStore, type Store } from "../../packages/core/src/store/index.ts";
import { freePort } from "../support/free-port.ts";
import { describeWithRedis, type RedisServer, redisProgram, startRedis } from "../support/redis-server.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const ttl = 60_000;

async function server(args: readonly string[] = [], port?: number): Promise<RedisServer> {
  const started = await startRedis(args, port);
  onTestFinished(() => started.close());
  return started;
}

async function open(url: string, logger = silentLogger): Promise<Store> {
  const store = await openStore(url, { ...deps, logger });
  onTestFinished(() => store.close());
  return store;
}

const command = (redis: RedisServer, ...args: string[]): string =>
  execFileSync("redis-cli", ["-p", String(redis.port), ...args], { encoding: "utf8" }).trim();

describeWithRedis("a Redis store", () => {
  test("names its keys under the prefix, and Redis itself removes what is long over", async () => {
    const redis = await server();
    const store = await open(`${redis.url}?prefix=mine:`);
    await store.put("a", "1", { ttl, index: { user: "u" } });
    await store.count("a", 1, { ttl });
    const keys = command(redis, "keys", "*").split("\n").sort();
    expect(keys).toEqual(["mine:c:a", "mine:e:a", "mine:user:u"]);
    for (const key of keys) {
      const left = Number(command(redis, "pttl", key));
      expect(left).toBeGreaterThan(ttl);
      expect(left).toBeLessThanOrEqual(3 * ttl);
    }
  });

  test("the set of a hint stays about as large as what is live", async () => {
    const redis = await server();
    let now = 1_000_000;
    const clock = { ...systemClock, now: () => now };
    const store = await openStore(redis.url, { ...deps, clock });
    onTestFinished(() => store.close());
    for (let n = 0; n < 300; n += 1) {
      now += 1_000;
      await store.put(`k${n}`, "1", { ttl: 10_000, index: { client: "c" } });
    }
    expect(Number(command(redis, "zcard", "sallyport:client:c"))).toBeLessThanOrEqual(16);
  });

  test("a policy that evicts live records is a problem that names its mend; noeviction is none", async () => {
    const redis = await server(["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]);
    const store = await open(redis.url);
    expect(await store.problems?.()).toEqual([expect.stringMatching(/allkeys-lru.*noeviction/)]);
    command(redis, "config", "set", "maxmemory-policy", "noeviction");
    expect(await store.problems?.()).toEqual([]);
  });

  test("is not opened where nothing answers, and says so without the password", async () => {
    const opening = openStore(`redis://:hunter2secret@127.0.0.1:${await freePort()}`, deps);
    await expect(opening).rejects.toMatchObject({ name: "StoreUnavailable" });
    await expect(opening).rejects.not.toThrow(/hunter2secret/);
  });

  test("a wrong password is told by Redis's own code", async () => {
    const redis = await server(["--requirepass", "right"]);
    await expect(openStore(`redis://:wrong@127.0.0.1:${redis.port}`, deps)).rejects.toThrow(/WRONGPASS/);
    const store = await open(`redis://:right@127.0.0.1:${redis.port}`);
    expect(await store.put("a", "1", { ttl })).toBe(true);
  });

  test("a store that is closed says nothing: there is nothing to warn of", async () => {
    const redis = await server();
    const lines: string[] = [];
    const logger = createLogger({ level: "debug", write: (line) => lines.push(line) });
    const store = await openStore(redis.url, { ...deps, logger });
    await store.close();
    await redis.close();
    expect(lines).toEqual([]);
  });

  test("while Redis is gone every operation is refused at once; when it is back the store goes on by itself", async () => {
    const redis = await startRedis();
    const lines: string[] = [];
    const store = await open(redis.url, createLogger({ write: (line) => lines.push(line) }));
    await store.put("a", "1", { ttl });
    await redis.close();
    const started = performance.now();
    for (let n = 0; n < 20; n += 1) await expect(store.get("a")).rejects.toMatchObject({ name: "StoreUnavailable" });
    expect(performance.now() - started).toBeLessThan(500);
    await server([], redis.port);
    await expect.poll(() => store.put("a", "2", { ttl }).catch(() => false), { timeout: 5_000 }).toBe(true);
    expect(await store.get("a")).toMatchObject({ value: "2" });
    expect(lines.join("\n")).toMatch(/connection to Redis is gone[\s\S]*Redis answers again/);
  });

  test("a Redis that hangs is an outage after two seconds, not for ever", async () => {
    const redis = await server();
    const store = await open(redis.url);
    redis.process.kill("SIGSTOP");
    onTestFinished(() => void redis.process.kill("SIGCONT"));
    const started = performance.now();
    await expect(store.get("a")).rejects.toThrow(/timeout/);
    expect(performance.now() - started).toBeLessThan(4_000);
    redis.process.kill("SIGCONT");
    await expect.poll(() => store.put("a", "1", { ttl }).catch(() => false), { timeout: 5_000 }).toBe(true);
  });

  test("a Redis that says nothing loses its connection: then every operation is refused at once, not after two seconds", async () => {
    const redis = await server();
    const lines: string[] = [];
    const store = await open(redis.url, createLogger({ write: (line) => lines.push(line) }));
    redis.process.kill("SIGSTOP");
    onTestFinished(() => void redis.process.kill("SIGCONT"));
    await expect(store.get("a")).rejects.toThrow(/timeout/);
    await expect.poll(() => lines.join("\n"), { timeout: 3_000 }).toMatch(/connection to Redis is gone.*timeout/);
    const started = performance.now();
    for (let n = 0; n < 100; n += 1) await expect(store.get("a")).rejects.toThrow(/no connection|MaxRetries/);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  test("tells the time by the server's clock: at the opening, and with use every ten seconds", async () => {
    const redis = await server();
    let passed = 0;
    const clock = { ...systemClock, monotonic: () => performance.now() + passed };
    const seen: number[] = [];
    const store = await openStore(redis.url, { ...deps, clock, sawTime: (theirs) => void seen.push(theirs) });
    onTestFinished(() => store.close());
    expect(seen).toHaveLength(1);
    expect(Math.abs((seen[0] ?? 0) - Date.now())).toBeLessThan(1_000);
    await store.get("a");
    expect(seen).toHaveLength(1);
    passed += 10_000;
    await store.get("a");
    await store.get("a");
    expect(seen).toHaveLength(2);
  });

  test("serves a user who may neither ask for the time nor about the server", async () => {
    const redis = await server();
    command(redis, "acl", "setuser", "modest", "on", ">secret", "~*", "+@all", "-time", "-info");
    const seen: number[] = [];
    const url = `redis://modest:secret@127.0.0.1:${redis.port}`;
    const store = await openStore(url, { ...deps, sawTime: (theirs) => void seen.push(theirs) });
    onTestFinished(() => store.close());
    expect(await store.put("a", "1", { ttl })).toBe(true);
    expect(await store.problems?.()).toEqual([]);
    expect(seen).toEqual([]);
  });

  test("scripts that a restarted Redis has forgotten are sent again", async () => {
    const redis = await server();
    const store = await open(redis.url);
    await store.count("a", 1, { ttl });
    command(redis, "script", "flush");
    expect(await store.count("a", 1, { ttl })).toEqual({ allowed: true, value: 2 });
  });

  test("an error tells neither keys nor values", async () => {
    const redis = await server();
    const store = await open(redis.url);
    command(redis, "hset", "sallyport:e:secretkey", "a", "b");
    const refused = store.put("secretkey", "secretvalue", { ttl, ifAbsent: true });
    await expect(refused).rejects.toMatchObject({ name: "StoreUnavailable" });
    await expect(refused).rejects.not.toThrow(/secret/);
  });
});

describeWithRedis("a write that must not be lost", () => {
  test("waits for a copy where there are copies, and is refused when none confirms it", async () => {
    const redis = await server(["--repl-diskless-sync-delay", "0"]);
    const replica = await server(["--replicaof", `127.0.0.1 ${redis.port}`]);
    await expect.poll(() => command(redis, "info", "replication"), { timeout: 10_000 }).toContain("state=online");
    const store = await open(redis.url);
    expect(await store.put("a", "1", { ttl, replicated: true })).toBe(true);
    expect(command(replica, "exists", "sallyport:e:a")).toBe("1");
    replica.process.kill("SIGSTOP");
    onTestFinished(() => void replica.process.kill("SIGCONT"));
    await expect(store.put("b", "1", { ttl, replicated: true })).rejects.toThrow(/no copy has confirmed/);
    expect(await store.put("c", "1", { ttl })).toBe(true);
  });

  test("waits for nobody where there are none", async () => {
    const redis = await server();
    const store = await open(redis.url);
    const started = performance.now();
    expect(await store.put("a", "1", { ttl, replicated: true })).toBe(true);
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describeWithRedis("Redis over TLS", () => {
  const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
  const files = { cert: fixture("server.crt.pem"), key: fixture("server.key.pem"), ca: fixture("authority.crt.pem") };
  /** A server that speaks TLS on one port, and on another what tests ask it by. */
  const overTls = async (...args: string[]): Promise<{ readonly redis: RedisServer; readonly port: number }> => {
    const port = await freePort();
    const tls = ["--tls-cert-file", files.cert, "--tls-key-file", files.key, "--tls-ca-cert-file", files.ca];
    return {
      redis: await server([
        "--tls-port",
        `${port}`,
        ...tls,
        "--tls-auth-clients",
        "no",
        "--bind",
        "127.0.0.1",
        "127.0.0.2",
        ...args,
      ]),
      port,
    };
  };
  const writeOnce = (url: string, trusted?: string): string =>
    execFileSync(
      process.execPath,
      ["--conditions=sallyport-source", fileURLToPath(new URL("./write-once.ts", import.meta.url)), url],
      {
        encoding: "utf8",
        env: { ...process.env, ...(trusted === undefined ? {} : { NODE_EXTRA_CA_CERTS: trusted }) },
        stdio: ["ignore", "pipe", "ignore"],
        timeout: 15_000,
      },
    );

  test("a server of a known authority is used, one of an unknown authority refused", async () => {
    const { redis, port } = await overTls();
    expect(writeOnce(`rediss://localhost:${port}`, files.ca)).toBe("written");
    expect(command(redis, "exists", "sallyport:e:a")).toBe("1");
    expect(writeOnce(`rediss://localhost:${port}`)).toContain("SELF_SIGNED_CERT_IN_CHAIN");
  });

  test("a server whose certificate is for another name is refused", async () => {
    const { redis, port } = await overTls();
    expect(writeOnce(`rediss://127.0.0.2:${port}`, files.ca)).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
    expect(command(redis, "exists", "sallyport:e:a")).toBe("0");
  });

  test("TLS asked of a server that speaks none is refused, and the reverse", async () => {
    const { redis, port } = await overTls();
    expect(writeOnce(`rediss://localhost:${redis.port}`, files.ca)).toMatch(/^Redis did not serve a request/);
    expect(writeOnce(`redis://localhost:${port}`, files.ca)).toMatch(/^Redis did not serve a request/);
  });

  test("a cluster over TLS: every hop is", async () => {
    const { redis, port } = await overTls(
      "--cluster-enabled",
      "yes",
      "--tls-cluster",
      "yes",
      "--cluster-announce-ip",
      "127.0.0.1",
    );
    command(redis, "cluster", "addslotsrange", "0", "16383");
    await expect.poll(() => command(redis, "cluster", "info"), { timeout: 10_000 }).toContain("cluster_state:ok");
    expect(writeOnce(`rediss+cluster://localhost:${port}`, files.ca)).toBe("written");
    expect(command(redis, "exists", "sallyport:e:a")).toBe("1");
  });
});

describeWithRedis("the shapes of a Redis", () => {
  test("a cluster: every operation works whichever server holds its key", async () => {
    const nodes = await Promise.all([0, 1].map(() => server(["--cluster-enabled", "yes"])));
    const [one, two] = nodes;
    if (!one || !two) throw new Error("two servers were started");
    command(one, "cluster", "addslotsrange", "0", "8191");
    command(two, "cluster", "addslotsrange", "8192", "16383");
    command(one, "cluster", "meet", "127.0.0.1", String(two.port));
    for (const node of nodes) {
      await expect.poll(() => command(node, "cluster", "info"), { timeout: 10_000 }).toContain("cluster_state:ok");
    }
    const store = await open(`redis+cluster://127.0.0.1:${one.port}`);
    const keys = Array.from({ length: 30 }, (_, n) => `key ${n}`);
    for (const key of keys) {
      expect(await store.put(key, "1", { ttl, ifAbsent: true, index: { user: "u" } })).toBe(true);
      const version = (await store.get(key))?.version ?? "";
      expect(await store.swap(key, version, "2", { ttl, index: { user: "u" } })).toBe(true);
      expect(await store.count(key, 1, { ttl, limit: 1 })).toEqual({ allowed: true, value: 1 });
      expect(await store.put(`${key} r`, "1", { ttl, replicated: true })).toBe(true);
    }
    expect((await store.list("user", "u")).keys.toSorted()).toEqual(keys.toSorted());
    for (const key of keys) expect(await store.take(key)).toMatchObject({ value: "2" });
    expect(await store.problems?.()).toEqual([]);
  });

  test("a cluster that announces no address is not waited for without end", { timeout: 20_000 }, async () => {
    const redis = await server(["--cluster-enabled", "yes"]);
    command(redis, "cluster", "addslotsrange", "0", "16383");
    await expect.poll(() => command(redis, "cluster", "info"), { timeout: 10_000 }).toContain("cluster_state:ok");
    await expect(openStore(`redis+cluster://localhost:${redis.port}`, deps)).rejects.toThrow(/timeout/);
  });

  test("Sentinel: the master is found by name", async () => {
    const redis = await server();
    const file = join(await temporaryFolder(), "sentinel.conf");
    await writeFile(file, `sentinel monitor main 127.0.0.1 ${redis.port} 1\n`);
    const port = await freePort();
    const sentinel = spawn(redisProgram, [file, "--sentinel", "--port", String(port)], { stdio: "ignore" });
    onTestFinished(() => void sentinel.kill("SIGKILL"));
    await expect
      .poll(
        () =>
          openStore(`redis+sentinel://127.0.0.1:${port}/main`, deps).then(
            (store) => store.close().then(() => true),
            () => false,
          ),
        {
          timeout: 10_000,
        },
      )
      .toBe(true);
    const store = await open(`redis+sentinel://127.0.0.1:${port}/main`);
    expect(await store.put("a", "1", { ttl })).toBe(true);
    expect(command(redis, "exists", "sallyport:e:a")).toBe("1");
  });
});
