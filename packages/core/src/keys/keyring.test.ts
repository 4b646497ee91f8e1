import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type SteppingClock, steppingClock } from "../../test/support/stepping-clock.ts";
import { memoryAudit } from "../audit/index.ts";
import { deriveRootKeys } from "../crypto/index.ts";
import { keyringKind, recordStore, UnreadableRecord } from "../records/index.ts";
import { createLogger, silentLogger, systemRandom } from "../runtime/index.ts";
import { memoryStore, type Store, StoreUnavailable } from "../store/index.ts";
import { keyManagement, openKeyring } from "./index.ts";
import type { RotationPolicy } from "./rotation-policy.ts";

const [a, b] = ["A".repeat(43), "B".repeat(43)];
const random = systemRandom;
const logger = silentLogger;
const checkInterval = 10_000;
const policy: RotationPolicy = { rotateEvery: 90 * 86_400_000, publishBefore: 86_400_000, retiredFor: 3_600_000 };

interface OpenOptions {
  readonly secrets?: readonly string[];
  readonly rotation?: Parameters<typeof openKeyring>[0]["rotation"];
  readonly log?: string[];
}

function room(wrap: (store: Store, clock: SteppingClock) => Store = (store) => store) {
  const clock = steppingClock();
  const memory = memoryStore({ clock, random });
  const store = wrap(memory, clock);
  const open = ({ secrets = [a], rotation, log }: OpenOptions = {}) =>
    openKeyring({
      store,
      keys: deriveRootKeys(secrets),
      clock,
      random,
      logger: log ? createLogger({ write: (line) => log.push(line) }) : logger,
      checkInterval,
      ...(rotation ? { rotation } : {}),
    });
  const records = recordStore(keyringKind, { store: memory, keys: deriveRootKeys([a]), random });
  const managed = keyManagement({
    store: memory,
    keys: deriveRootKeys([a]),
    policy,
    clock,
    random,
    logger,
    audit: memoryAudit(),
  });
  /** Somebody makes another key the active one; the old one is retired. */
  const rotate = () => managed.rotate("at_once_keeping_old");
  /** The same, and the old one is gone. */
  const drop = () => managed.rotate("at_once");
  return { clock, memory, open, records, rotate, drop };
}

/** A store whose reads fail while `down` says so, and are counted. */
function failing() {
  const state = { down: false, reads: 0 };
  const wrap = (store: Store): Store => ({
    ...store,
    get: async (key) => {
      state.reads += 1;
      if (state.down) throw new StoreUnavailable("down");
      return store.get(key);
    },
  });
  return { state, wrap };
}

describe("the keyring", () => {
  test("two replicas that start at once end with one", async () => {
    // Both look before either writes.
    let looked = 0;
    const both = Promise.withResolvers<void>();
    const { open } = room((store) => ({
      ...store,
      get: async (key) => {
        const entry = await store.get(key);
        looked += 1;
        if (looked === 2) both.resolve();
        await both.promise;
        return entry;
      },
    }));
    const [one, two] = await Promise.all([open(), open()]);
    expect(one.active().kid).toBe(two.active().kid);
    expect(one.jwks()).toEqual(two.jwks());
    expect((await open()).jwks()).toEqual(one.jwks());
  });

  test("one that cannot be read refuses to start, and makes no other", async () => {
    const { open } = room();
    const first = await open({ secrets: [a] });
    await expect(open({ secrets: [b] })).rejects.toThrow(UnreadableRecord);
    expect((await open({ secrets: [b, a] })).active().kid).toBe(first.active().kid);
  });

  test("one without an active key refuses to start", async () => {
    const { open, records } = room();
    await open();
    const stored = await records.get("main");
    const keys = (stored?.value.keys ?? []).map((key) => ({ ...key, state: "retired" as const }));
    await records.swap("main", stored?.version ?? "", { keys }, { ttl: 1000 });
    await expect(open()).rejects.toThrow(/no active key/);
  });

  test("publishes public parts only", async () => {
    const { open } = room();
    const keyring = await open();
    const { keys } = keyring.jwks();
    expect(keys).toHaveLength(1);
    expect(keys[0]).toMatchObject({ kty: "EC", crv: "P-256", alg: "ES256", use: "sig", kid: keyring.active().kid });
    expect(keys[0]).not.toHaveProperty("d");
    expect(keyring.find(keyring.active().kid)?.type).toBe("public");
    expect(keyring.find("unknown")).toBeUndefined();
  });

  test("a key that another replica made is found after a refresh; the old one goes on verifying", async () => {
    const { open, clock, rotate } = room();
    const keyring = await open();
    const before = keyring.active().kid;
    await rotate();
    clock.advance(3_000);
    await keyring.refresh();
    expect(keyring.active().kid).not.toBe(before);
    expect(keyring.find(before)).toBeDefined();
    expect(keyring.jwks().keys.map(({ kid }) => kid)).toEqual([keyring.active().kid, before]);
  });

  test("its generation changes when a key is gone, and not when one comes", async () => {
    const { open, clock, rotate, drop } = room();
    const keyring = await open();
    await rotate();
    clock.advance(3_000);
    await keyring.refresh();
    expect(keyring.generation).toBe(1);
    await drop();
    clock.advance(3_000);
    await keyring.refresh();
    expect(keyring.generation).toBe(2);
    clock.advance(3_000);
    await keyring.refresh();
    expect(keyring.generation).toBe(2);
  });

  test("is read again for unknown keys at most once per 3 s, however many ask", async () => {
    const { state, wrap } = failing();
    const { open, clock } = room(wrap);
    const keyring = await open();
    state.reads = 0;
    clock.advance(2_999);
    await keyring.refresh();
    expect(state.reads).toBe(0);
    clock.advance(1);
    await Promise.all([keyring.refresh(), keyring.refresh(), keyring.refresh()]);
    await keyring.refresh();
    expect(state.reads).toBe(1);
  });

  test("a read that failed is repeated at once: an outage must not make a good token look forged", async () => {
    const { state, wrap } = failing();
    const { open, clock, rotate } = room(wrap);
    const keyring = await open();
    const before = keyring.active().kid;
    await rotate();
    clock.advance(30_000);
    state.down = true;
    await expect(keyring.refresh()).rejects.toThrow(StoreUnavailable);
    state.down = false;
    await keyring.refresh();
    expect(keyring.active().kid).not.toBe(before);
  });
});

describe("keys are never used when they are older than the check interval", () => {
  test("in use they are read in the background, and nothing waits; idle, nothing is read", async () => {
    const { state, wrap } = failing();
    const { open, clock, drop } = room(wrap);
    const keyring = await open();
    const before = keyring.active().kid;
    state.reads = 0;
    await drop();
    clock.advance(checkInterval / 2 - 1);
    expect(keyring.current()).toBeUndefined();
    await setImmediate();
    expect(state.reads).toBe(0);
    clock.advance(1);
    expect(keyring.current()).toBeUndefined();
    expect(keyring.current()).toBeUndefined();
    await keyring.settled();
    expect(state.reads).toBe(1);
    expect(keyring.find(before)).toBeUndefined();
    clock.advance(365 * 86_400_000);
    await setImmediate();
    expect(state.reads).toBe(1);
  });

  test("after a pause they are waited for, once for all", async () => {
    const { state, wrap } = failing();
    const { open, clock, drop } = room(wrap);
    const keyring = await open();
    const before = keyring.active().kid;
    state.reads = 0;
    await drop();
    clock.advance(checkInterval);
    await Promise.all([keyring.current(), keyring.current()]);
    expect(state.reads).toBe(1);
    expect(keyring.find(before)).toBeUndefined();
    expect(keyring.current()).toBeUndefined();
  });

  test("while the store is away the last ones do for 5 min, and that is logged; then nothing is known", async () => {
    const { state, wrap } = failing();
    const { open, clock } = room(wrap);
    const log: string[] = [];
    const keyring = await open({ log });
    state.down = true;
    clock.advance(300_000 - 1);
    await keyring.current();
    expect(log.join()).toContain("the signing keys could not be read again");
    clock.advance(1);
    await expect(keyring.current()).rejects.toThrow(StoreUnavailable);
    state.down = false;
    await keyring.current();
    expect(keyring.current()).toBeUndefined();
  });
});

test("a read that began before an own change does not undo it", async () => {
  const write = Promise.withResolvers<void>();
  let lateRead: PromiseWithResolvers<void> | undefined;
  const { open, clock } = room((store) => ({
    ...store,
    swap: async (...args) => {
      await write.promise;
      return store.swap(...args);
    },
    get: async (key) => {
      const entry = await store.get(key);
      await lateRead?.promise;
      return entry;
    },
  }));
  const keyring = await open({ rotation: { policy, audit: memoryAudit() } });
  clock.advance(89 * 86_400_000);
  await keyring.current();
  lateRead = Promise.withResolvers();
  clock.advance(checkInterval);
  const reading = keyring.current();
  await setImmediate();
  write.resolve();
  await setImmediate();
  expect(keyring.jwks().keys).toHaveLength(2);
  lateRead.resolve();
  await reading;
  expect(keyring.jwks().keys).toHaveLength(2);
  expect(keyring.generation).toBe(1);
});

describe("a keyring of the first release", () => {
  // As release 0.1.0 wrote it, under the root secret of 43 times "A".
  const key = "keyring:2NxaOEZMWEeYci14GkI9ltIx5AIa_wfNJdp-rLcwNJU";
  const text = JSON.stringify({
    v: 1,
    k: "m80XIpaf",
    d: "6QHHxzx--fOnsTupmrp6Mmme-HGXdrhc8ep8a0la5FmE9BD9Y19Aew2DteVYbJ3SUxVCZ4TCqtdtsM5v",
    f: {},
    s: {
      keys: "Mj20-X7C8iGpmh2OF-3omNGlrI6rGu4oaokPpapQbrv0UFubAfpipw-yLuVlRrBMrHyDjU6VfJE9zKJ_E9UO3sXccgdXlSCHcBdK8NmoCFeYOO6a75YOF6-iJRC7CHyLbFUWRn9Yks3MdcY-M5gdri8Uji33REgbt_zfkX6PAAhkbx-k0Xe2nmTPf8wdMm88N3K2R5xWZXbK__G-RAp7_LAXfme_tTyXuxxygtjhxMpu9WEKTUlEaY9baw2vUrgAwVVjBI6avFxmyc3RPOOtpGpDIdEHspv3Jh-qnhlAY-Y1nkp5EcKFZWbIORb0S-O8q0uBRXFOa54ViYh8HgDHD7awKUEo3QHK1kJjqL2Fg9YcZBMcRm6UZXvtxGML__1q3A",
    },
  });

  test("is read, and its key ages from when it was made", async () => {
    const { open, memory, clock } = room();
    await memory.put(key, text, { ttl: 1e12 });
    const audit = memoryAudit();
    const keyring = await open({ rotation: { policy, audit } });
    await keyring.settled();
    expect(keyring.jwks().keys.map(({ kid }) => kid)).toEqual(["XoLIC-pcgh_oBYFv"]);
    clock.advance(89 * 86_400_000);
    await keyring.current();
    await keyring.settled();
    expect(keyring.jwks().keys.map(({ kid }) => kid)).toEqual(["XoLIC-pcgh_oBYFv", expect.any(String)]);
    expect(keyring.active().kid).toBe("XoLIC-pcgh_oBYFv");
    expect(audit.events).toMatchObject([{ action: "keys.published", key: keyring.jwks().keys[1]?.kid }]);
  });
});

describe("the root secret that seals the keyring", () => {
  /** Starts with these secrets, and lets what is due be done. */
  const start = async (at: ReturnType<typeof room>, secrets: readonly string[]) => {
    const keyring = await at.open({ secrets, rotation: { policy, audit: memoryAudit() } });
    await keyring.settled();
    return keyring;
  };

  test("is the first of the setting after a start, so that an old one may go", async () => {
    const at = room();
    const { kid } = (await start(at, [a])).active();
    expect((await start(at, [b, a])).active().kid).toBe(kid);
    expect((await start(at, [b])).active().kid).toBe(kid);
    await expect(start(at, [a])).rejects.toThrow(UnreadableRecord);
  });

  test("a reader alone seals nothing anew", async () => {
    const at = room();
    await start(at, [a]);
    await (await at.open({ secrets: [b, a] })).settled();
    await expect(start(at, [b])).rejects.toThrow(UnreadableRecord);
  });

  test("two replicas in the middle of a change do not seal it back and forth", async () => {
    let swaps = 0;
    const at = room((store) => ({
      ...store,
      swap: (...args) => {
        swaps += 1;
        return store.swap(...args);
      },
    }));
    const old = await start(at, [a, b]);
    const young = await start(at, [b, a]);
    for (let round = 0; round < 5; round += 1) {
      at.clock.advance(checkInterval);
      await Promise.all([old.current(), young.current()]);
      await Promise.all([old.settled(), young.settled()]);
    }
    expect(swaps).toBe(1);
  });

  test("where that write fails it is done with a later read", async () => {
    let down = false;
    const at = room((store) => ({
      ...store,
      swap: async (...args) => {
        if (down) throw new StoreUnavailable("down");
        return store.swap(...args);
      },
    }));
    await start(at, [a]);
    down = true;
    const keyring = await start(at, [b, a]);
    await expect(start(at, [b])).rejects.toThrow(UnreadableRecord);
    down = false;
    at.clock.advance(checkInterval);
    await keyring.current();
    await keyring.settled();
    await start(at, [b]);
  });
});
