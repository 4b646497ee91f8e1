import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Clock, Random } from "../../packages/core/src/runtime/index.ts";
import { systemRandom } from "../../packages/core/src/runtime/index.ts";
import type { Store } from "../../packages/core/src/store/index.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";

/** What the contract suite needs to know of an adapter. */
export interface StoreAdapter {
  readonly name: string;
  /** Opens an empty store. The suite closes it. */
  open(deps: { clock: Clock; random: Random }): Promise<Store>;
  /** The longest value it takes, in bytes of UTF-8; at most 1 MiB is tried. */
  readonly largestValue: number;
}

const minute = 60_000;
const ttl = minute;

/** Declares one test for each promise of the Store contract. Call it once for each adapter. */
export function storeContract(adapter: StoreAdapter): void {
  describe(`the store contract over ${adapter.name}`, () => {
    let clock: ManualClock;
    let store: Store;

    beforeEach(async () => {
      clock = manualClock();
      store = await adapter.open({ clock, random: systemRandom });
    });
    afterEach(() => store.close());

    const versionOf = async (key: string): Promise<string> => {
      const entry = await store.get(key);
      if (!entry) throw new Error(`no entry at ${key}`);
      return entry.version;
    };

    const listAll = async (index: "user" | "client", value: string): Promise<string[]> => {
      const keys: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.list(index, value, cursor);
        keys.push(...page.keys);
        cursor = page.cursor;
      } while (cursor !== undefined);
      return keys.sort();
    };

    describe("get and put", () => {
      test("nothing stands at a key that was never written", async () => {
        expect(await store.get("a")).toBeUndefined();
      });

      test("an entry comes back with its value, a version and its end", async () => {
        expect(await store.put("a", "one", { ttl })).toBe(true);
        expect(await store.get("a")).toEqual({
          value: "one",
          version: expect.stringMatching(/^.+$/),
          expiresAt: clock.now() + ttl,
        });
      });

      test("a second put replaces value, version and end", async () => {
        await store.put("a", "one", { ttl });
        const first = await versionOf("a");
        await clock.advance(1000);
        expect(await store.put("a", "two", { ttl })).toBe(true);
        const entry = await store.get("a");
        expect(entry).toMatchObject({ value: "two", expiresAt: clock.now() + ttl });
        expect(entry?.version).not.toBe(first);
      });

      test("putting the same value again still gives a new version", async () => {
        await store.put("a", "same", { ttl });
        const first = await versionOf("a");
        await store.put("a", "same", { ttl });
        expect(await versionOf("a")).not.toBe(first);
      });

      test("an entry stands until its end and not at it", async () => {
        await store.put("a", "one", { ttl: 1000 });
        await clock.advance(999);
        expect(await store.get("a")).toBeDefined();
        await clock.advance(1);
        expect(await store.get("a")).toBeUndefined();
      });

      test("ifAbsent writes where nothing stands, and leaves alone what does", async () => {
        expect(await store.put("a", "one", { ttl, ifAbsent: true })).toBe(true);
        const first = await store.get("a");
        expect(await store.put("a", "two", { ttl: 2 * ttl, ifAbsent: true })).toBe(false);
        expect(await store.get("a")).toEqual(first);
      });

      test("ifAbsent writes over an expired entry and after a deletion", async () => {
        await store.put("a", "one", { ttl: 1000 });
        await clock.advance(1000);
        expect(await store.put("a", "two", { ttl, ifAbsent: true })).toBe(true);
        expect(await store.get("a")).toMatchObject({ value: "two", expiresAt: clock.now() + ttl });
        await store.delete("a");
        expect(await store.put("a", "three", { ttl, ifAbsent: true })).toBe(true);
        expect(await store.get("a")).toMatchObject({ value: "three" });
      });
    });

    describe("take", () => {
      test("gives the entry once", async () => {
        await store.put("a", "one", { ttl });
        const entry = await store.get("a");
        expect(await store.take("a")).toEqual(entry);
        expect(await store.take("a")).toBeUndefined();
        expect(await store.get("a")).toBeUndefined();
      });

      test("gives nothing of an expired entry", async () => {
        await store.put("a", "one", { ttl: 1000 });
        await clock.advance(1000);
        expect(await store.take("a")).toBeUndefined();
      });

      test("of callers at once, one gets the entry", async () => {
        await store.put("a", "one", { ttl });
        const taken = await Promise.all(Array.from({ length: 20 }, () => store.take("a")));
        expect(taken.filter(Boolean)).toHaveLength(1);
      });
    });

    describe("swap", () => {
      test("writes where the version stands, and gives a new version and end", async () => {
        await store.put("a", "one", { ttl });
        const version = await versionOf("a");
        await clock.advance(1000);
        expect(await store.swap("a", version, "two", { ttl: 2 * ttl })).toBe(true);
        const entry = await store.get("a");
        expect(entry).toMatchObject({ value: "two", expiresAt: clock.now() + 2 * ttl });
        expect(entry?.version).not.toBe(version);
      });

      test("changes nothing with a version that has passed", async () => {
        await store.put("a", "one", { ttl });
        const version = await versionOf("a");
        await store.swap("a", version, "two", { ttl });
        const entry = await store.get("a");
        expect(await store.swap("a", version, "three", { ttl })).toBe(false);
        expect(await store.swap("a", "", "three", { ttl })).toBe(false);
        expect(await store.get("a")).toEqual(entry);
      });

      test("never brings back a deleted, taken or expired entry", async () => {
        for (const end of [
          () => store.delete("a"),
          () => store.take("a"),
          // The last one: the clock stays there.
          () => clock.advance(ttl),
        ]) {
          await store.put("a", "one", { ttl });
          const version = await versionOf("a");
          await end();
          expect(await store.swap("a", version, "two", { ttl })).toBe(false);
          expect(await store.get("a")).toBeUndefined();
        }
      });

      test("creates nothing at a key that was never written", async () => {
        expect(await store.swap("a", "1", "one", { ttl })).toBe(false);
        expect(await store.get("a")).toBeUndefined();
      });

      test("a version of before a deletion does not match what is written after it", async () => {
        const seen = new Set<string>();
        for (let round = 0; round < 20; round += 1) {
          await store.put("a", "same", { ttl });
          const version = await versionOf("a");
          expect(seen.has(version)).toBe(false);
          for (const old of seen) expect(await store.swap("a", old, "stolen", { ttl })).toBe(false);
          seen.add(version);
          await store.delete("a");
        }
      });

      test("of callers at once with one version, one writes", async () => {
        await store.put("a", "0", { ttl });
        const version = await versionOf("a");
        const callers = Array.from({ length: 20 }, (_, n) => String(n));
        const wrote = await Promise.all(callers.map((n) => store.swap("a", version, n, { ttl })));
        expect(wrote.filter(Boolean)).toHaveLength(1);
        expect(await store.get("a")).toMatchObject({ value: String(wrote.indexOf(true)) });
      });
    });

    describe("delete", () => {
      test("removes one entry, and nothing where none stands", async () => {
        await store.put("a", "one", { ttl });
        await store.put("b", "two", { ttl });
        await store.delete("a");
        await store.delete("a");
        expect(await store.get("a")).toBeUndefined();
        expect(await store.get("b")).toMatchObject({ value: "two" });
      });
    });

    describe("count", () => {
      test("adds from 0", async () => {
        expect(await store.count("a", 1, { ttl })).toEqual({ allowed: true, value: 1 });
        expect(await store.count("a", 5, { ttl })).toEqual({ allowed: true, value: 6 });
      });

      test("ends its time after the first use, however often it is used", async () => {
        await store.count("a", 1, { ttl: 1000 });
        await clock.advance(999);
        expect(await store.count("a", 1, { ttl: 1000 })).toEqual({ allowed: true, value: 2 });
        await clock.advance(1);
        expect(await store.count("a", 1, { ttl: 1000 })).toEqual({ allowed: true, value: 1 });
        await clock.advance(999);
        expect(await store.count("a", 1, { ttl: 1000 })).toEqual({ allowed: true, value: 2 });
      });

      test("goes up to the limit and not past it", async () => {
        expect(await store.count("a", 3, { ttl, limit: 4 })).toEqual({ allowed: true, value: 3 });
        expect(await store.count("a", 2, { ttl, limit: 4 })).toEqual({ allowed: false, value: 3 });
        expect(await store.count("a", 1, { ttl, limit: 4 })).toEqual({ allowed: true, value: 4 });
        expect(await store.count("a", 1, { ttl, limit: 4 })).toEqual({ allowed: false, value: 4 });
      });

      test("a refusal leaves the end as it was, and starts no new counter", async () => {
        expect(await store.count("a", 5, { ttl: 1000, limit: 4 })).toEqual({ allowed: false, value: 0 });
        await clock.advance(500);
        await store.count("a", 4, { ttl: 1000, limit: 4 });
        await clock.advance(500);
        expect(await store.count("a", 1, { ttl: 1000, limit: 4 })).toEqual({ allowed: false, value: 4 });
        await clock.advance(500);
        expect(await store.count("a", 4, { ttl: 1000, limit: 4 })).toEqual({ allowed: true, value: 4 });
      });

      test("a step that is over the limit alone is refused over an expired counter too", async () => {
        await store.count("a", 1, { ttl: 1000 });
        await clock.advance(1000);
        expect(await store.count("a", 5, { ttl: 1000, limit: 4 })).toEqual({ allowed: false, value: 0 });
      });

      test("0 reads the value and starts nothing", async () => {
        expect(await store.count("a", 0, { ttl: 1000, limit: 4 })).toEqual({ allowed: true, value: 0 });
        await clock.advance(500);
        await store.count("a", 4, { ttl: 1000 });
        expect(await store.count("a", 0, { ttl: 1000, limit: 4 })).toEqual({ allowed: true, value: 4 });
        expect(await store.count("a", 0, { ttl: 1000, limit: 3 })).toEqual({ allowed: false, value: 4 });
        await clock.advance(999);
        expect(await store.count("a", 0, { ttl: 1000 })).toEqual({ allowed: true, value: 4 });
        await clock.advance(1);
        expect(await store.count("a", 0, { ttl: 1000 })).toEqual({ allowed: true, value: 0 });
      });

      test("of callers at once, as many are allowed as the limit has room for", async () => {
        const answers = await Promise.all(Array.from({ length: 20 }, () => store.count("a", 1, { ttl, limit: 7 })));
        const allowed = answers.filter((answer) => answer.allowed).map(({ value }) => value);
        expect(allowed.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
        expect(await store.count("a", 0, { ttl })).toEqual({ allowed: true, value: 7 });
      });

      test("a counter and an entry of one key do not touch each other", async () => {
        await store.put("a", "one", { ttl });
        expect(await store.count("a", 2, { ttl })).toEqual({ allowed: true, value: 2 });
        expect(await store.get("a")).toMatchObject({ value: "one" });
        await store.delete("a");
        expect(await store.count("a", 2, { ttl })).toEqual({ allowed: true, value: 4 });
        expect(await store.get("a")).toBeUndefined();
      });
    });

    describe("list", () => {
      test("gives the keys written with a hint, apart by index and value", async () => {
        await store.put("a", "1", { ttl, index: { user: "u1", client: "c1" } });
        await store.put("b", "2", { ttl, index: { user: "u1", client: "c2" } });
        await store.put("c", "3", { ttl, index: { user: "c1" } });
        await store.put("d", "4", { ttl });
        expect(await listAll("user", "u1")).toEqual(["a", "b"]);
        expect(await listAll("client", "c1")).toEqual(["a"]);
        expect(await listAll("user", "c1")).toEqual(["c"]);
        expect(await store.list("user", "nobody")).toEqual({ keys: [] });
      });

      test("leaves out what was deleted, taken or has expired, though its hint may remain", async () => {
        for (const key of ["deleted", "taken", "stands"]) await store.put(key, "1", { ttl, index: { user: "u" } });
        await store.put("expires", "1", { ttl: 1000, index: { user: "u" } });
        expect(await listAll("user", "u")).toEqual(["deleted", "expires", "stands", "taken"]);
        await store.delete("deleted");
        await store.take("taken");
        await clock.advance(1000);
        for (let again = 0; again < 2; again += 1) expect(await listAll("user", "u")).toEqual(["stands"]);
      });

      test("goes by the last write, also where that had another hint or none", async () => {
        await store.put("a", "1", { ttl, index: { user: "old" } });
        await store.swap("a", await versionOf("a"), "2", { ttl, index: { user: "new" } });
        expect(await listAll("user", "old")).toEqual([]);
        expect(await listAll("user", "new")).toEqual(["a"]);
        await store.put("a", "3", { ttl });
        expect(await listAll("user", "new")).toEqual([]);
        await store.put("a", "4", { ttl, index: { user: "old" } });
        expect(await listAll("user", "old")).toEqual(["a"]);
      });

      test("a write that did not take place leaves no hint behind", async () => {
        await store.put("a", "1", { ttl, index: { user: "mine" } });
        expect(await store.put("a", "2", { ttl, ifAbsent: true, index: { user: "other" } })).toBe(false);
        expect(await store.swap("a", "wrong", "2", { ttl, index: { user: "other" } })).toBe(false);
        expect(await listAll("user", "other")).toEqual([]);
        expect(await listAll("user", "mine")).toEqual(["a"]);
      });

      test("a hint lasts as long as an entry that is written again and again", async () => {
        await store.put("a", "1", { ttl, index: { user: "u" } });
        for (let round = 0; round < 5; round += 1) {
          await clock.advance(ttl - 1);
          await store.swap("a", await versionOf("a"), "again", { ttl, index: { user: "u" } });
        }
        expect(await listAll("user", "u")).toEqual(["a"]);
      });

      test("gives long lists in pages of at most 100, each key once", async () => {
        const keys = Array.from({ length: 120 }, (_, n) => `key ${n}`);
        for (const key of keys) await store.put(key, "1", { ttl, index: { client: "c" } });
        const first = await store.list("client", "c");
        expect(first.keys.length).toBeLessThanOrEqual(100);
        expect(first.cursor).toBeDefined();
        expect(await listAll("client", "c")).toEqual(keys.sort());
      });

      test("an exact page of 100 is the last", async () => {
        for (let n = 0; n < 100; n += 1) await store.put(`key ${n}`, "1", { ttl, index: { client: "c" } });
        expect((await store.list("client", "c")).cursor).toBeUndefined();
      });

      test("goes on after the page when its keys are gone meanwhile", async () => {
        for (let n = 0; n < 110; n += 1) await store.put(`key ${n}`, "1", { ttl, index: { client: "c" } });
        const first = await store.list("client", "c");
        for (const key of first.keys) await store.delete(key);
        const second = await store.list("client", "c", first.cursor);
        expect(new Set([...first.keys, ...second.keys]).size).toBe(110);
      });

      test("refuses a cursor that it did not give", async () => {
        for (const cursor of ["", "not a cursor!", "%00", "_w"]) {
          await expect(store.list("client", "c", cursor)).rejects.toThrow(/cursor/);
        }
      });
    });

    describe("scan", () => {
      test("gives the key of every entry, whatever it is, and of nothing else", async () => {
        const keys = Array.from({ length: 230 }, (_, n) => `grant:${n % 2 ? "é*[" : "a b"}${n}`);
        for (const key of keys) await store.put(key, "1", { ttl, index: { user: "u" } });
        await store.count("a counter", 1, { ttl });
        await store.delete(keys[0] ?? "");
        const found = new Set<string>();
        let cursor: string | undefined;
        do {
          const page = await store.scan(cursor);
          for (const key of page.keys) found.add(key);
          cursor = page.cursor;
        } while (cursor !== undefined);
        expect([...found].sort()).toEqual(keys.slice(1).sort());
      });
    });

    describe("keys and values", () => {
      const odd = [
        "a:b/c?d=e&f#g",
        'it\'s "quoted"; DROP TABLE entries; --',
        "percent % under_score * [a-z]",
        "line\nbreak\ttab\r",
        "nul\0inside",
        "nul\0other",
        " leading and trailing ",
        "é",
        "e\u0301",
        "ключ",
        "鍵",
        "🔑",
        "A",
        "a",
        "{curly}",
        "$dollar",
        "__proto__",
        "constructor",
        "k".repeat(900),
      ];

      test("keys differ to the last character, whatever characters they have", async () => {
        for (const [n, key] of odd.entries()) {
          expect(await store.put(key, String(n), { ttl, ifAbsent: true, index: { user: key } })).toBe(true);
          expect(await store.count(key, n + 1, { ttl })).toEqual({ allowed: true, value: n + 1 });
        }
        for (const [n, key] of odd.entries()) {
          expect(await listAll("user", key)).toEqual([key]);
          expect(await store.take(key)).toMatchObject({ value: String(n) });
        }
      });

      test("pages go on after keys of any characters", async () => {
        const keys = Array.from({ length: 104 }, (_, n) => `${n % 2 ? "\uffee" : "🔑"}${n}`);
        for (const key of keys) await store.put(key, "1", { ttl, index: { user: "u" } });
        expect(await listAll("user", "u")).toEqual(keys.sort());
      });

      test("values come back as they were", async () => {
        for (const value of ["", "0", "null", ...odd, JSON.stringify({ nested: { "a\0b": ["🔑"] } })]) {
          await store.put("a", value, { ttl });
          expect(await store.get("a")).toMatchObject({ value });
          expect(await store.swap("a", await versionOf("a"), `${value}!`, { ttl })).toBe(true);
          expect(await store.take("a")).toMatchObject({ value: `${value}!` });
        }
      });

      test("large values come back as they were", async () => {
        const bytes = Math.min(adapter.largestValue, 1024 * 1024);
        const value = `é🔑${"x".repeat(bytes)}`.slice(0, bytes - 3);
        await store.put("a", value, { ttl });
        expect((await store.get("a"))?.value === value).toBe(true);
        expect(await store.swap("a", await versionOf("a"), "small", { ttl })).toBe(true);
        expect(await store.get("a")).toMatchObject({ value: "small" });
      });

      test("refuses texts that have no UTF-8 form, and empty keys, without repeating them", async () => {
        for (const key of ["", "lone \ud800"]) {
          await expect(store.get(key)).rejects.toThrow(/the key (must|holds)/);
          await expect(store.put(key, "v", { ttl })).rejects.toThrow(TypeError);
          await expect(store.take(key)).rejects.toThrow(TypeError);
          await expect(store.swap(key, "1", "v", { ttl })).rejects.toThrow(TypeError);
          await expect(store.delete(key)).rejects.toThrow(TypeError);
          await expect(store.count(key, 1, { ttl })).rejects.toThrow(TypeError);
          await expect(store.list("user", key)).rejects.toThrow(/the index hint/);
          await expect(store.put("a", "v", { ttl, index: { client: key } })).rejects.toThrow(/the index hint/);
        }
        await expect(store.put("a", "secret \udfff", { ttl })).rejects.toThrow(/^(?!.*secret).*the value/);
        await expect(store.swap("a", "1", "secret \udfff", { ttl })).rejects.toThrow(/^(?!.*secret).*the value/);
        expect(await store.get("a")).toBeUndefined();
      });

      test("refuses lifetimes, steps and limits that are none", async () => {
        for (const bad of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
          await expect(store.put("a", "v", { ttl: bad })).rejects.toThrow(/ttl/);
          await expect(store.swap("a", "1", "v", { ttl: bad })).rejects.toThrow(/ttl/);
          await expect(store.count("a", 1, { ttl: bad })).rejects.toThrow(/ttl/);
        }
        for (const bad of [-1, 0.5, Number.NaN])
          await expect(store.count("a", bad, { ttl })).rejects.toThrow(RangeError);
        await expect(store.count("a", 1, { ttl, limit: 0.5 })).rejects.toThrow(RangeError);
      });
    });

    test("after close every operation says that the store is unavailable, and a second close is nothing", async () => {
      await store.close();
      await store.close();
      const unavailable = { name: "StoreUnavailable" };
      await expect(store.get("a")).rejects.toMatchObject(unavailable);
      await expect(store.put("a", "v", { ttl })).rejects.toMatchObject(unavailable);
      await expect(store.put("a", "v", { ttl, index: { user: "u" } })).rejects.toMatchObject(unavailable);
      await expect(store.take("a")).rejects.toMatchObject(unavailable);
      await expect(store.swap("a", "1", "v", { ttl })).rejects.toMatchObject(unavailable);
      await expect(store.delete("a")).rejects.toMatchObject(unavailable);
      await expect(store.count("a", 1, { ttl })).rejects.toMatchObject(unavailable);
      await expect(store.list("user", "u")).rejects.toMatchObject(unavailable);
    });
  });
}
