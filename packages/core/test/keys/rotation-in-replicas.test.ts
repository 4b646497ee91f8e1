import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { memoryAudit } from "../../src/audit/index.ts";
import type { CoreConfigInput } from "../../src/config/index.ts";
import {
  type BearerRefusal,
  createSallyport,
  deriveRootKeys,
  keyManagement,
  memoryStore,
  type Principal,
  parseCoreConfig,
  type RotationMode,
  rotationPolicy,
  type Sallyport,
  type Store,
  StoreUnavailable,
  silentLogger,
  systemRandom,
} from "../../src/index.ts";
import { createLogger } from "../../src/runtime/index.ts";
import {
  codeVerifier,
  secretA,
  testClientId,
  testRedirect,
  testReplica,
  testResource,
  testSettings,
} from "../grants/test-replica.ts";
import { ahead, type SteppingClock, steppingClock } from "../support/stepping-clock.ts";
import { testPool } from "../support/test-pool.ts";

const second = 1_000;
const minute = 60_000;
const day = 86_400_000;
const interval = 15 * second;
const random = systemRandom;

interface Options {
  readonly settings?: Partial<CoreConfigInput>;
  readonly wrap?: (store: Store) => Store;
}

/** Whole replicas over one store, one clock and one pool. */
function room({ settings, wrap = (store) => store }: Options = {}) {
  const clock = steppingClock();
  const pool = testPool(clock);
  const memory = memoryStore({ clock, random });
  const audit = memoryAudit();
  const log: string[] = [];
  const logger = createLogger({ level: "debug", write: (line) => log.push(line) });
  const passedIn = { random, logger, audit, identityProvider: pool.provider };
  const start = (options: { readonly offset?: number } = {}): Promise<Sallyport> =>
    createSallyport(parseCoreConfig(testSettings(settings)), {
      ...passedIn,
      clock: ahead(clock, options.offset ?? 0),
      store: wrap(memory),
    });
  const policy = rotationPolicy(parseCoreConfig(testSettings(settings)));
  const keys = deriveRootKeys([secretA]);
  const managed = keyManagement({ store: memory, keys, policy, clock, random, logger: silentLogger, audit });
  return {
    clock,
    audit: audit.events,
    log,
    start,
    command: (mode: RotationMode) => managed.rotate(mode),
    states: async () => (await managed.status())?.keys.map(({ state }) => state),
    /** A fresh sign-in, redeemed at this replica. */
    async signIn(auth: Sallyport): Promise<Tokens> {
      const { code } = await testReplica({ clock, pool, store: memory }).code();
      return tokenRequest(auth, {
        grant_type: "authorization_code",
        redirect_uri: testRedirect,
        code_verifier: codeVerifier,
        code,
      });
    },
  };
}

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  /** Of the key that signed the access token. */
  readonly kid: string;
}

async function tokenRequest(auth: Sallyport, form: Readonly<Record<string, string>>): Promise<Tokens> {
  const body = new URLSearchParams({ client_id: testClientId, ...form });
  const answer = await auth.fetch(new Request("https://mcp.example/token", { method: "POST", body }));
  const { access_token, refresh_token } = Object(await answer.json());
  if (typeof access_token !== "string") throw new Error(`no token: ${answer.status}`);
  const { kid } = JSON.parse(Buffer.from(access_token.split(".")[0] ?? "", "base64url").toString());
  return { access_token, refresh_token, kid };
}

const refresh = (auth: Sallyport, { refresh_token }: Tokens): Promise<Tokens> =>
  tokenRequest(auth, { grant_type: "refresh_token", refresh_token });

const call = async (auth: Sallyport, { access_token }: Tokens): Promise<number> => {
  const request = new Request(testResource, { headers: { authorization: `Bearer ${access_token}` } });
  return (await auth.protect(() => new Response("in"))(request)).status;
};

async function keySet(auth: Sallyport): Promise<{ kids: string[]; cached: string | null }> {
  const answer = await auth.fetch(new Request("https://mcp.example/.well-known/jwks.json"));
  const { keys } = Object(await answer.json());
  return { kids: keys.map(({ kid }: { kid: string }) => kid), cached: answer.headers.get("cache-control") };
}

/** Lets what goes on in the background come to its end. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 10; turns += 1) await setImmediate();
}

/** Time passes, and then each replica is used. */
async function pass(clock: SteppingClock, ms: number, ...used: readonly Sallyport[]): Promise<void> {
  clock.advance(ms);
  for (const auth of used) await keySet(auth);
  await settle();
}

describe("the scheduled rotation", () => {
  test("over two replicas: published, then signing, then gone; tokens from before, during and after hold on both", async () => {
    const { clock, start, signIn, audit } = room();
    const [one, two] = [await start(), await start()];
    const [old = ""] = (await keySet(one)).kids;
    await pass(clock, 89 * day - 1, one, two);
    expect((await keySet(one)).kids).toEqual([old]);

    await pass(clock, interval, one);
    const [, next = ""] = (await keySet(one)).kids;
    expect(next).not.toBe("");
    await pass(clock, interval, two);
    expect((await keySet(two)).kids).toEqual([old, next]);
    expect((await signIn(one)).kid).toBe(old);

    // Just before: both sign with the old key.
    await pass(clock, day - 60 * second, one, two);
    const before = await signIn(two);
    expect(before.kid).toBe(old);

    // The first takes over; the second has not read it yet.
    await pass(clock, 30 * second, two);
    await pass(clock, 35 * second, one);
    const [first, during] = [await signIn(one), await signIn(two)];
    expect([first.kid, during.kid]).toEqual([next, next]);
    for (const tokens of [before, first, during]) {
      expect([await call(one, tokens), await call(two, tokens)]).toEqual([200, 200]);
    }

    // Everything that the old key signed is over; then it is gone, everywhere.
    await pass(clock, 10 * minute, one, two);
    expect([await call(one, before), await call(two, before)]).toEqual([401, 401]);
    expect((await keySet(two)).kids).toEqual([next, old]);
    await pass(clock, 75 * minute, one);
    await pass(clock, interval, one, two);
    expect([(await keySet(one)).kids, (await keySet(two)).kids]).toEqual([[next], [next]]);
    const after = await signIn(two);
    expect([after.kid, await call(one, after), await call(two, after)]).toEqual([next, 200, 200]);
    expect(audit.filter(({ action }) => action.startsWith("keys."))).toMatchObject([
      { action: "keys.published", key: next },
      { action: "keys.rotated", key: next },
    ]);
  });

  test("a replica that signs with the old key until it reads again: such a token holds until its end, and its stream an hour more, by clocks 5 min apart", async () => {
    const { clock, start, signIn, command } = room();
    const [fast, slow] = [await start({ offset: 5 * minute }), await start()];
    // Both have read just now; the change comes right after.
    await pass(clock, interval, fast, slow);
    const tokens = await signIn(slow);
    await command("at_once_keeping_old");
    const late = await refresh(fast, tokens);
    expect(late.kid).toBe((await keySet(slow)).kids[0]);
    await pass(clock, interval, fast, slow);
    expect((await keySet(slow)).kids).toContain(late.kid);

    // 10 min of life by the fast clock are 15 by the slow one.
    await pass(clock, 15 * minute - 2 * interval, fast, slow);
    expect(await call(slow, late)).toBe(200);
    const principal = await slow.verifier.check(`Bearer ${late.access_token}`, testResource);
    for (let past = 0; past < 60; past += 5) await pass(clock, 5 * minute, fast, slow);
    await expect(slow.verifier.recheck(principal)).resolves.toMatchObject({ subject: principal.subject });
    for (let past = 0; past < 15; past += 5) await pass(clock, 5 * minute, fast, slow);
    expect((await keySet(slow)).kids).not.toContain(late.kid);
  });

  test("two replicas that publish at once end with one next key, and with one active", async () => {
    // Each reads before either writes.
    let barrier: { waiting: number; open: PromiseWithResolvers<void> } | undefined;
    const { clock, start, states, signIn } = room({
      wrap: (store) => ({
        ...store,
        swap: async (key, ...rest) => {
          if (barrier && key.startsWith("keyring:")) {
            barrier.waiting += 1;
            if (barrier.waiting === 2) barrier.open.resolve();
            await barrier.open.promise;
          }
          return store.swap(key, ...rest);
        },
      }),
    });
    const [one, two] = [await start(), await start()];
    for (const [passes, left] of [
      [89 * day, ["active", "next"]],
      [day, ["active", "retired"]],
    ] as const) {
      barrier = { waiting: 0, open: Promise.withResolvers() };
      clock.advance(passes);
      await Promise.all([keySet(one), keySet(two)]);
      await settle();
      expect(barrier.waiting).toBe(2);
      expect(await states()).toEqual(left);
      expect((await keySet(one)).kids).toEqual((await keySet(two)).kids);
    }
    const [mine, theirs] = [await signIn(one), await signIn(two)];
    expect(mine.kid).toBe(theirs.kid);
    expect([await call(two, mine), await call(one, theirs)]).toEqual([200, 200]);
  });

  test("two who ask for it at once get the same key", async () => {
    const { start, command, states } = room();
    await start();
    const [mine, theirs] = await Promise.all([command("orderly"), command("orderly")]);
    expect(mine).toEqual(theirs);
    expect(await states()).toEqual(["active", "next"]);
  });

  test("a replica asleep through a whole rotation signs nothing that the others refuse", async () => {
    const { clock, start, signIn } = room();
    const [awake, asleep] = [await start(), await start()];
    const [old] = (await keySet(asleep)).kids;
    for (const passes of [89 * day, interval, day, interval, 2 * 3_600 * second, interval]) {
      await pass(clock, passes, awake);
    }
    const [only] = (await keySet(awake)).kids;
    expect((await keySet(awake)).kids).toEqual([only]);
    expect(only).not.toBe(old);
    const theirs = await signIn(awake);
    const mine = await signIn(asleep);
    expect(mine.kid).toBe(only);
    expect([await call(awake, mine), await call(asleep, theirs)]).toEqual([200, 200]);
  });

  test("after a year in which nothing ran: the key set has the next key a day before it signs", async () => {
    const { clock, start, signIn, states } = room();
    await (await start()).fetch(new Request("https://mcp.example/.well-known/jwks.json"));
    clock.advance(365 * day);
    const auth = await start();
    const [old] = (await keySet(auth)).kids;
    await settle();
    expect(await states()).toEqual(["active", "next"]);
    await pass(clock, day - 1, auth);
    expect((await signIn(auth)).kid).toBe(old);
    await pass(clock, interval, auth);
    expect((await signIn(auth)).kid).not.toBe(old);
  });

  test("nobody waits for it, and where the store fails it is logged and done later", async () => {
    let down = true;
    const { clock, start, signIn, states, log } = room({
      wrap: (store) => ({
        ...store,
        swap: async (key, ...rest) => {
          if (down && key.startsWith("keyring:")) throw new StoreUnavailable("down");
          return store.swap(key, ...rest);
        },
      }),
    });
    const auth = await start();
    await pass(clock, 89 * day, auth);
    expect(log.join()).toContain("the signing keys could not be maintained; tried again later");
    expect(await states()).toEqual(["active"]);
    expect(await call(auth, await signIn(auth))).toBe(200);
    down = false;
    await pass(clock, interval, auth);
    expect(await states()).toEqual(["active", "next"]);
  });

  test("while the store does not write, requests go on at once", async () => {
    const held = Promise.withResolvers<void>();
    let asked = 0;
    const { clock, start, signIn } = room({
      wrap: (store) => ({
        ...store,
        swap: async (key, ...rest) => {
          if (key.startsWith("keyring:")) {
            asked += 1;
            await held.promise;
          }
          return store.swap(key, ...rest);
        },
      }),
    });
    const auth = await start();
    await pass(clock, 89 * day, auth);
    expect(await call(auth, await signIn(auth))).toBe(200);
    await pass(clock, interval, auth);
    // One at a time.
    expect(asked).toBe(1);
    held.resolve();
    await settle();
    expect((await keySet(auth)).kids).toHaveLength(2);
  });
});

describe("a rotation at once, because a key has leaked", () => {
  test("holds in another replica within the check interval; sign-ins stay", async () => {
    const { clock, start, signIn, command } = room();
    const [one, two] = [await start(), await start()];
    const tokens = await signIn(one);
    expect([await call(one, tokens), await call(two, tokens)]).toEqual([200, 200]);
    const principal: Principal = await two.verifier.check(`Bearer ${tokens.access_token}`, testResource);
    const rotated = await command("at_once");
    expect(rotated).toMatchObject({ before: tokens.kid, dropped: [tokens.kid], signsFrom: clock.now() });

    clock.advance(interval);
    expect([await call(one, tokens), await call(two, tokens)]).toEqual([401, 401]);
    const closed: BearerRefusal = await two.verifier.recheck(principal).then(
      () => Promise.reject(new Error("the stream goes on")),
      (error) => error,
    );
    expect(closed).toMatchObject({ status: 401, reason: "token_signature_invalid" });
    expect((await keySet(two)).kids).toEqual([rotated?.kid]);

    const renewed = await refresh(two, tokens);
    expect(renewed.kid).toBe(rotated?.kid);
    expect([await call(one, renewed), await call(two, renewed)]).toEqual([200, 200]);
  });

  test("holds too where a replica that did not know signed meanwhile: its client refreshes once more", async () => {
    const { clock, start, signIn, command } = room();
    const [one, two] = [await start(), await start()];
    await command("at_once");
    const late = await signIn(one);
    clock.advance(interval);
    expect([await call(one, late), await call(two, late)]).toEqual([401, 401]);
    expect(await call(two, await refresh(one, late))).toBe(200);
  });

  test("a key that another replica signs with already is learned at once", async () => {
    const { clock, start, signIn, command } = room();
    const two = await start();
    clock.advance(4 * second);
    await command("at_once");
    const tokens = await signIn(await start());
    expect(await call(two, tokens)).toBe(200);
  });
});

describe("the key set", () => {
  test.each([
    ["1d", 300],
    ["10m", 285],
  ])("with keys.publish_before %s may be cached for %i s", async (publishBefore, seconds) => {
    const { start } = room({ settings: { keys: { publishBefore } } });
    expect((await keySet(await start())).cached).toBe(`public, max-age=${seconds}`);
  });

  test("is served as it was known while the store is away", async () => {
    let down = false;
    const { clock, start } = room({
      wrap: (store) => ({
        ...store,
        get: (key) => (down ? Promise.reject(new StoreUnavailable("down")) : store.get(key)),
      }),
    });
    const auth = await start();
    const { kids } = await keySet(auth);
    down = true;
    clock.advance(day);
    expect((await keySet(auth)).kids).toEqual(kids);
  });
});
