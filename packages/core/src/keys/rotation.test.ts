import { describe, expect, test } from "vitest";
import type { KeyringRecord, StoredKey } from "../records/index.ts";
import { planRotation, requestRotation, rotateAtOnce } from "./rotation.ts";
import type { RotationPolicy } from "./rotation-policy.ts";

const day = 86_400_000;
const policy: RotationPolicy = { rotateEvery: 90 * day, publishBefore: day, retiredFor: 2 * 3_600_000 };
const start = Date.UTC(2026, 0, 1);

const key = (kid: string, state: StoredKey["state"], since: number, more: Partial<StoredKey> = {}): StoredKey => ({
  kid,
  state,
  createdAt: start,
  since: start + since,
  privateJwk: { kty: "EC", crv: "P-256", x: "x", y: "y", d: "d" },
  ...more,
});
const active = (since = 0) => key("a", "active", since);
const next = (since: number, more: Partial<StoredKey> = {}) => key("n", "next", since, more);
const retired = (since: number) => key("r", "retired", since);
const makeKey = (now: number) => ({ kid: "new", createdAt: now, privateJwk: active().privateJwk });

/** `kid state since`, the time in ms after the start. */
const told = (record: KeyringRecord | undefined): string[] | undefined =>
  record?.keys.map(({ kid, state, since = 0, requested }) =>
    [kid, state, since - start, ...(requested ? ["requested"] : [])].join(" "),
  );

describe("what is due", () => {
  test.each<[string, StoredKey[], number, string[] | undefined]>([
    ["nothing, long before the active key's age", [active()], 89 * day - 1, undefined],
    ["a next key, published in time", [active()], 89 * day, ["a active 0", `new next ${89 * day}`]],
    ["not two of them", [active(), next(89 * day)], 90 * day - 1, undefined],
    [
      "the change, at the active key's age",
      [active(), next(89 * day)],
      90 * day,
      [`n active ${90 * day}`, `a retired ${90 * day}`],
    ],
    ["not before the next was published for long enough", [active(), next(90 * day)], 91 * day - 1, undefined],
    ["but then", [active(), next(90 * day)], 91 * day, [`n active ${91 * day}`, `a retired ${91 * day}`]],
    [
      "not before the active key's age, however long the next was published",
      [active(), next(0)],
      90 * day - 1,
      undefined,
    ],
    [
      "unless somebody asked for it",
      [active(), next(5 * day, { requested: true })],
      6 * day,
      [`n active ${6 * day}`, `a retired ${6 * day}`],
    ],
    [
      "and even then not before it was published",
      [active(), next(5 * day, { requested: true })],
      6 * day - 1,
      undefined,
    ],
    [
      "after a year in which nothing ran: a next key is published first",
      [active()],
      365 * day,
      ["a active 0", `new next ${365 * day}`],
    ],
    [
      "after a year with a key that was published before it: that one signs",
      [active(), next(80 * day)],
      365 * day,
      [`n active ${365 * day}`, `a retired ${365 * day}`],
    ],
    [
      "nothing, while the last token of a retired key may live",
      [active(), retired(0)],
      policy.retiredFor - 1,
      undefined,
    ],
    ["the end of a retired key", [active(), retired(0)], policy.retiredFor, ["a active 0"]],
    [
      "both at once",
      [active(), next(89 * day), retired(0)],
      90 * day,
      [`n active ${90 * day}`, `a retired ${90 * day}`],
    ],
    [
      "a retired key stays beside a new next",
      [active(), retired(89 * day)],
      89 * day,
      ["a active 0", `new next ${89 * day}`, `r retired ${89 * day}`],
    ],
    [
      "by the age of a key whose record does not say when its state began",
      [{ kid: "a", state: "active", createdAt: start, privateJwk: active().privateJwk }],
      89 * day,
      [`a active ${-start}`, `new next ${89 * day}`],
    ],
    ["nothing by a clock that is behind", [active(day), next(day), retired(day)], 0, undefined],
  ])("%s", (_, keys, now, expected) => {
    expect(told(planRotation({ keys }, start + now, policy, makeKey))).toEqual(expected);
  });

  test("a keyring without an active key is not mended", () => {
    expect(() => planRotation({ keys: [next(0)] }, start + 365 * day, policy, makeKey)).toThrow(/no active key/);
  });

  test("one step leads to the next, and the years go on", () => {
    let record: KeyringRecord = { keys: [active()] };
    let made = 0;
    const steps: string[] = [];
    for (let at = 0; at <= 275 * day; at += day / 2) {
      const changed = planRotation(record, start + at, policy, (now) => {
        made += 1;
        return { ...makeKey(now), kid: `k${made}` };
      });
      if (!changed) continue;
      record = changed;
      steps.push(`${at / day}: ${record.keys.map(({ kid, state }) => `${kid} ${state}`).join(", ")}`);
    }
    expect(steps).toEqual([
      "89: a active, k1 next",
      "90: k1 active, a retired",
      "90.5: k1 active",
      "179: k1 active, k2 next",
      "180: k2 active, k1 retired",
      "180.5: k2 active",
      "269: k2 active, k3 next",
      "270: k3 active, k2 retired",
      "270.5: k3 active",
    ]);
  });
});

describe("what a command makes", () => {
  test.each<[string, KeyringRecord | undefined, string[] | undefined]>([
    [
      "the orderly change publishes a key",
      requestRotation({ keys: [active(), retired(0)] }, start + 5, makeKey),
      ["a active 0", "new next 5 requested", "r retired 0"],
    ],
    [
      "or takes the one that is published, since when it was",
      requestRotation({ keys: [active(), next(2)] }, start + 5, makeKey),
      ["a active 0", "n next 2 requested"],
    ],
    [
      "asked for twice, nothing more",
      requestRotation({ keys: [active(), next(2, { requested: true })] }, start + 5, makeKey),
      undefined,
    ],
    [
      "at once: a fresh key signs and every other is dropped, the published one too",
      rotateAtOnce({ keys: [active(), next(2), retired(0)] }, start + 5, false, makeKey),
      ["new active 5"],
    ],
    [
      "at once with the old ones kept: a fresh key",
      rotateAtOnce({ keys: [active(), retired(0)] }, start + 5, true, makeKey),
      ["new active 5", "a retired 5", "r retired 0"],
    ],
    [
      "or the published one",
      rotateAtOnce({ keys: [active(), next(2, { requested: true })] }, start + 5, true, makeKey),
      ["n active 5", "a retired 5"],
    ],
  ])("%s", (_, record, expected) => {
    expect(told(record)).toEqual(expected);
  });
});
