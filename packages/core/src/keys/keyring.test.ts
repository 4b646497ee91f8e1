import { describe, expect, test } from "vitest";
import { steppingClock } from "../../test/support/stepping-clock.ts";
import { deriveRootKeys } from "../crypto/index.ts";
import { keyringKind, recordStore, UnreadableRecord } from "../records/index.ts";
import { systemRandom } from "../runtime/index.ts";
import { memoryStore, type Store, StoreUnavailable } from "../store/index.ts";
import { openKeyring } from "./index.ts";

const [a, b] = ["A".repeat(43), "B".repeat(43)];
const random = systemRandom;

function room(wrap: (store: Store) => Store = (store) => store) {
  const clock = steppingClock();
  const memory = memoryStore({ clock, random });
  const store = wrap(memory);
  const open = (secrets: readonly string[] = [a]) =>
    openKeyring({ store, keys: deriveRootKeys(secrets), clock, random });
  const records = recordStore(keyringKind, { store: memory, keys: deriveRootKeys([a]), random });
  /** Another replica makes a second key the active one. */
  const rotate = async (): Promise<void> => {
    const other = await openKeyring({
      store: memoryStore({ clock, random }),
      keys: deriveRootKeys([a]),
      clock,
      random,
    });
    const stored = await records.get("main");
    const before = stored?.value.keys ?? [];
    const jwk = other.active().privateKey.export({ format: "jwk" });
    const { x = "", y = "", d = "" } = jwk;
    const fresh = { kid: other.active().kid, state: "active" as const, createdAt: clock.now() };
    await records.swap(
      "main",
      stored?.version ?? "",
      {
        keys: [
          { ...fresh, privateJwk: { kty: "EC", crv: "P-256", x, y, d } },
          ...before.map((key) => ({ ...key, state: "retired" as const })),
        ],
      },
      { ttl: 1e9 },
    );
  };
  return { clock, memory, open, records, rotate };
}

describe("the keyring", () => {
  test("two replicas that start at once end with one", async () => {
    // Both look before either writes.
    let looked = 0;
    let go = (): void => {};
    const both = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { open } = room((store) => ({
      ...store,
      get: async (key) => {
        const entry = await store.get(key);
        looked += 1;
        if (looked === 2) go();
        await both;
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
    const first = await open([a]);
    await expect(open([b])).rejects.toThrow(UnreadableRecord);
    expect((await open([b, a])).active().kid).toBe(first.active().kid);
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
    clock.advance(30_000);
    const { generation } = keyring;
    await keyring.refresh();
    expect(keyring.generation).toBe(generation + 1);
    expect(keyring.active().kid).not.toBe(before);
    expect(keyring.find(before)).toBeDefined();
    expect(keyring.jwks().keys.map(({ kid }) => kid)).toEqual([keyring.active().kid, before]);
    clock.advance(30_000);
    await keyring.refresh();
    expect(keyring.generation).toBe(generation + 1);
  });

  test("is read again at most once per 30 s, however many ask", async () => {
    let reads = 0;
    const { open, clock } = room((store) => ({
      ...store,
      get: (key) => {
        reads += 1;
        return store.get(key);
      },
    }));
    const keyring = await open();
    reads = 0;
    clock.advance(29_999);
    await keyring.refresh();
    expect(reads).toBe(0);
    clock.advance(1);
    await Promise.all([keyring.refresh(), keyring.refresh(), keyring.refresh()]);
    await keyring.refresh();
    expect(reads).toBe(1);
  });

  test("a read that failed is repeated at once: an outage must not make a good token look forged for 30 s", async () => {
    let down = false;
    const { open, clock, rotate } = room((store) => ({
      ...store,
      get: async (key) => {
        if (down) throw new StoreUnavailable("down");
        return store.get(key);
      },
    }));
    const keyring = await open();
    const { generation } = keyring;
    await rotate();
    clock.advance(30_000);
    down = true;
    await expect(keyring.refresh()).rejects.toThrow(StoreUnavailable);
    down = false;
    await keyring.refresh();
    expect(keyring.generation).toBe(generation + 1);
  });
});
