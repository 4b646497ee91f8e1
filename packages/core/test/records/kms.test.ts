import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type KmsServer, startKms } from "../../../../test/support/kms-server.ts";
import { clientKind, consentMarkKind, openKeys, recordStore } from "../../src/records/index.ts";
import { systemRandom } from "../../src/runtime/index.ts";
import { memoryStore, type Store } from "../../src/store/index.ts";
import { steppingClock } from "../support/stepping-clock.ts";

const secret = ["a root secret of the tests, long enough"];
const ttl = 86_400_000;

const mark = {
  decision: "approve" as const,
  location: "https://pool.example/",
  transaction: { handle: "the handle", cookie: "the cookie" },
};

let kms: KmsServer;
beforeAll(async () => {
  kms = await startKms();
});
afterAll(() => kms.close());
beforeEach(() => {
  kms.calls.length = 0;
  kms.failure = undefined;
  kms.silent = false;
});

function replica(store = memoryStore({ clock: steppingClock(), random: systemRandom }), keyId = "alias/sallyport") {
  const clock = steppingClock();
  const open = async () => {
    const config = { secret, kms: { keyId, region: "eu-central-1", endpoint: kms.url, readOnly: false } };
    const keys = await openKeys(config, { clock });
    return recordStore(consentMarkKind, { store, keys, random: systemRandom });
  };
  return { clock, store, open };
}

/** The store, and what is put into it. */
const keeping = (store: Store, keep: (value: string) => void): Store => ({
  ...store,
  put: (key, value, options) => {
    keep(value);
    return store.put(key, value, options);
  },
});

const operations = () => kms.calls.map(({ operation }) => operation);

describe("records whose keys AWS KMS wraps", () => {
  test("one data key seals a thousand records, or for five minutes; what is known is not asked again", async () => {
    const { clock, open } = replica();
    const records = await open();
    for (let n = 0; n < 1_001; n += 1) await records.put(String(n), mark, { ttl });
    expect(operations()).toEqual(["GenerateDataKey", "GenerateDataKey"]);
    clock.advance(300_000);
    await records.put("later", mark, { ttl });
    expect(operations()).toHaveLength(3);
    expect((await records.get("later"))?.value).toEqual(mark);
    expect(operations()).toHaveLength(3);
    // The keys of the first thousand have been forgotten meanwhile: one call opens them all.
    for (const id of ["0", "1", "999"]) expect((await records.get(id))?.value).toEqual(mark);
    expect(operations().slice(3)).toEqual(["Decrypt"]);
  });

  test("another replica opens them by KMS, bound to what they are for", async () => {
    const one = replica();
    await (await one.open()).put("a", mark, { ttl });
    const two = replica(one.store);
    expect((await (await two.open()).get("a"))?.value).toEqual(mark);
    expect(kms.calls.at(-1)).toMatchObject({
      operation: "Decrypt",
      body: { EncryptionContext: { application: "sallyport", purpose: "records" } },
    });
  });

  test("the store holds neither the record nor its key", async () => {
    const { store } = replica();
    let text = "";
    await (await replica(keeping(store, (value) => (text = value))).open()).put("a", mark, { ttl });
    expect(text).not.toContain("the handle");
    expect(JSON.parse(text)).toMatchObject({ k: expect.stringMatching(/^kms:/) });
  });

  test("while KMS does not answer, it is an outage and nothing is refused; then it goes on", async () => {
    const { open } = replica();
    const records = await open();
    kms.failure = { status: 500, type: "KMSInternalException" };
    await expect(records.put("a", mark, { ttl })).rejects.toMatchObject({ name: "StoreUnavailable" });
    kms.failure = undefined;
    expect(await records.put("a", mark, { ttl })).toBe(true);
  });

  test("a KMS that hangs is an outage after two seconds, whether it is to seal or to open", async () => {
    const one = replica();
    await (await one.open()).put("a", mark, { ttl });
    const other = await replica(one.store).open();
    kms.silent = true;
    const started = performance.now();
    const outage = { name: "StoreUnavailable" };
    await Promise.all([
      expect(other.get("a")).rejects.toMatchObject(outage),
      expect(other.put("b", mark, { ttl })).rejects.toMatchObject(outage),
    ]);
    expect(performance.now() - started).toBeLessThan(4_000);
  });

  test("a key that is disabled in KMS says so: the record is not taken for absent", async () => {
    const one = replica();
    await (await one.open()).put("a", mark, { ttl });
    kms.failure = { status: 400, type: "DisabledException" };
    await expect((await replica(one.store).open()).get("a")).rejects.toThrow(/AWS KMS is disabled/);
  });

  test("a data key from elsewhere does not open", async () => {
    const one = replica();
    let stored = "";
    await (await replica(keeping(one.store, (value) => (stored = value))).open()).put("a", mark, { ttl });
    const broken = JSON.parse(stored);
    broken.d = Buffer.from("not wrapped by this key at all, but long enough").toString("base64url");
    const changed = {
      ...one.store,
      get: async () => ({ value: JSON.stringify(broken), version: "v", expiresAt: Number.MAX_SAFE_INTEGER }),
    };
    await expect((await replica(changed).open()).get("a")).rejects.toThrow(/data key does not open/);
  });

  test("what was sealed under a root secret before KMS was set still opens", async () => {
    const clock = steppingClock();
    const store = memoryStore({ clock, random: systemRandom });
    const before = recordStore(clientKind, {
      store,
      keys: await openKeys({ secret }, { clock }),
      random: systemRandom,
    });
    const client = { metadata: {}, issuedAt: 1, used: false };
    await before.put("c", client, { ttl });
    const config = { secret, kms: { keyId: "k", region: "eu-central-1", endpoint: kms.url, readOnly: false } };
    const after = recordStore(clientKind, { store, keys: await openKeys(config, { clock }), random: systemRandom });
    expect((await after.get("c"))?.value).toEqual(client);
    expect(operations()).toEqual([]);
    await after.put("c", client, { ttl });
    expect(operations()).toEqual(["GenerateDataKey"]);
  });
});
