import fc from "fast-check";
import { expect, test } from "vitest";
import { deriveRootKeys, openHandle, openText, sealHandle, sealText } from "../../src/crypto/index.ts";
import { systemRandom } from "../../src/runtime/index.ts";

const keys = ["one", "two", "three"].map((name) => deriveRootKeys([`root secret number ${name}, long enough`]));
const both = deriveRootKeys(["root secret number two, long enough", "root secret number one, long enough"]);
const index = fc.nat(keys.length - 1);
const purpose = fc.constantFrom("consent-form", "logout", "session", "consent-form ", "");

const keysAt = (at: number) => {
  const found = keys[at];
  if (!found) throw new Error("no such keys");
  return found;
};

test("a sealed handle opens under its own key and its own name, and nowhere else", () => {
  fc.assert(
    fc.property(fc.jsonValue(), index, index, purpose, purpose, (value, sealer, opener, sealedFor, openedFor) => {
      const handle = sealHandle(keysAt(sealer), sealedFor, value, systemRandom);
      const opened = openHandle(keysAt(opener), openedFor, handle);
      if (sealer === opener && sealedFor === openedFor) expect(JSON.stringify(opened)).toBe(JSON.stringify(value));
      else expect(opened).toBeUndefined();
    }),
    { numRuns: 2_000 },
  );
});

test("an old root secret still opens while it is listed, also when another one seals", () => {
  fc.assert(
    fc.property(fc.string(), purpose, (value, name) => {
      expect(openHandle(both, name, sealHandle(keysAt(0), name, value, systemRandom))).toBe(value);
      expect(openHandle(keysAt(0), name, sealHandle(both, name, value, systemRandom))).toBeUndefined();
    }),
    { numRuns: 300 },
  );
});

test("a handle that was changed anywhere does not open", () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(400), fc.constantFrom("A", "b", "0", "_", ".", "", "="), (value, at, put) => {
      const handle = sealHandle(keysAt(0), "x", value, systemRandom);
      const place = at % handle.length;
      const changed = handle.slice(0, place) + put + handle.slice(place + 1);
      if (changed !== handle) expect(openHandle(keysAt(0), "x", changed)).toBeUndefined();
    }),
    { numRuns: 2_000 },
  );
});

test("a sealed field opens in its own place only", () => {
  const [key, other] = [keysAt(0).active.wrap, keysAt(1).active.wrap];
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (text, place, elsewhere) => {
      const sealed = sealText(key, place, text, systemRandom);
      expect(openText(key, place, sealed)?.toString("utf8")).toBe(Buffer.from(text, "utf8").toString("utf8"));
      expect(openText(other, place, sealed)).toBeUndefined();
      if (Buffer.compare(Buffer.from(place), Buffer.from(elsewhere)) !== 0) {
        expect(openText(key, elsewhere, sealed)).toBeUndefined();
      }
    }),
    { numRuns: 2_000 },
  );
});
