import { describe, expect, test } from "vitest";
import { constantTimeEqual, deriveRootKeys, labelledHash, lookupHash, s256 } from "./index.ts";

const [a, b] = ["A".repeat(43), "B".repeat(43)];
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("root keys", () => {
  test("each use has a key of its own, the same at every start", () => {
    const { active } = deriveRootKeys([a]);
    const { kid, ...uses } = active;
    expect(new Set(Object.values(uses).map(hex)).size).toBe(Object.keys(uses).length);
    for (const key of Object.values(uses)) expect(key).toHaveLength(32);
    expect(kid).toMatch(/^[A-Za-z0-9_-]{8}$/);
    expect(deriveRootKeys([a]).active).toEqual(active);
  });

  test("the first secret writes, all read", () => {
    const keys = deriveRootKeys([b, a]);
    const kidOfA = deriveRootKeys([a]).active.kid;
    expect(keys.active.kid).toBe(deriveRootKeys([b]).active.kid);
    expect(keys.find(kidOfA)?.kid).toBe(kidOfA);
    expect(keys.find("unknown0")).toBeUndefined();
    expect(() => deriveRootKeys([])).toThrow(RangeError);
  });

  test("a keyed hash differs by key, label and value, and names its key", () => {
    const [first, second] = [deriveRootKeys([a]).active, deriveRootKeys([b]).active];
    const hashes = [
      lookupHash(first, "epoch", "user 1"),
      lookupHash(first, "epoch", "user 2"),
      lookupHash(first, "grant-user", "user 1"),
      lookupHash(second, "epoch", "user 1"),
    ];
    expect(new Set(hashes).size).toBe(4);
    expect(hashes[0]).toMatch(new RegExp(`^${first.kid}\\.`));
    expect(lookupHash(first, "epoch", "user 1")).toBe(hashes[0]);
  });
});

test("a label separates one domain of hashes from another", () => {
  expect(labelledHash("grant", "1")).not.toBe(labelledHash("client", "1"));
  expect(labelledHash("grant", "1")).toMatch(/^[A-Za-z0-9_-]{43}$/);
});

test("RFC 7636 appendix B", () => {
  expect(s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")).toBe("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
});

test.each([
  ["equal", "abc", "abc", true],
  ["different", "abc", "abd", false],
  ["a beginning", "abc", "ab", false],
  ["text and bytes", "abc", new Uint8Array([97, 98, 99]), true],
])("constant-time compare: %s", (_, left, right, same) => {
  expect(constantTimeEqual(left, right)).toBe(same);
});
